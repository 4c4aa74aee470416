//! The kernel's figures about this machine, read repeatedly while a test runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;

use super::events::now;

/// The figures at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub at: Timestamp,
    /// `/proc/stat`: the time of all processors since the start.
    pub total: u64,
    /// `/proc/stat`: the part of that time in which they were busy.
    pub busy: u64,
    /// `/proc/meminfo`: the percentage of memory that is not available.
    pub mem: f64,
    /// `/proc/loadavg`
    pub load1: f64,
}

/// A thread that reads the figures until it is stopped.
pub struct Watch {
    stop: Arc<AtomicBool>,
    looks: JoinHandle<Vec<Figures>>,
}

/// Starts to read the figures every 20 ms.
pub fn watch() -> Watch {
    let stop = Arc::new(AtomicBool::new(false));
    let is_stopped = Arc::clone(&stop);
    let looks = std::thread::spawn(move || {
        let mut looks = vec![read_figures()];
        while !is_stopped.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
            looks.push(read_figures());
        }
        looks
    });
    Watch { stop, looks }
}

impl Watch {
    /// Stops. Returns all figures, in time order.
    pub fn finish(self) -> Vec<Figures> {
        self.stop.store(true, Ordering::Relaxed);
        self.looks.join().unwrap()
    }
}

/// Returns the figures from the last before `from` to the first after `to`: they enclose every value between
/// the two times.
pub fn figures_around(looks: &[Figures], from: Timestamp, to: Timestamp) -> &[Figures] {
    let begin = looks.iter().rposition(|look| look.at <= from).expect("the watch began before");
    let end = looks.iter().position(|look| look.at >= to).expect("the watch ended after");
    &looks[begin..=end]
}

fn read_figures() -> Figures {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{file}")).unwrap();
    let stat = read("stat");
    let times = stat.lines().next().unwrap().split_whitespace().skip(1);
    let times: Vec<u64> = times.map(|time| time.parse().unwrap()).collect();
    // `user` and `nice` include the time of guests.
    let total: u64 = times[..8].iter().sum();
    let meminfo = read("meminfo");
    let kib = |name: &str| -> f64 {
        let line = meminfo.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    Figures {
        at: now(),
        total,
        busy: total - times[3] - times[4],
        mem: 100.0 - kib("MemAvailable:") * 100.0 / kib("MemTotal:"),
        load1: read("loadavg").split_whitespace().next().unwrap().parse().unwrap(),
    }
}
