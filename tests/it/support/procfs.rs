//! What the kernel says about this machine, looked at again and again while a test runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;

use super::events::now;

/// One look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub at: Timestamp,
    /// `/proc/stat`: time of all processors since the start, and how much of it they were busy.
    pub total: u64,
    pub busy: u64,
    /// `/proc/meminfo`: percent that is not available.
    pub mem: f64,
    /// `/proc/loadavg`
    pub load1: f64,
}

/// Looks until it is asked what it has seen.
pub struct Watch {
    stop: Arc<AtomicBool>,
    looks: JoinHandle<Vec<Look>>,
}

pub fn watch() -> Watch {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    let looks = std::thread::spawn(move || {
        let mut looks = vec![look()];
        while !seen.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(20));
            looks.push(look());
        }
        looks
    });
    Watch { stop, looks }
}

impl Watch {
    /// All looks, in the order of time.
    pub fn seen(self) -> Vec<Look> {
        self.stop.store(true, Ordering::Relaxed);
        self.looks.join().unwrap()
    }
}

/// Those from the last before `from` to the first after `to`: what was true in between is between
/// them.
pub fn around(looks: &[Look], from: Timestamp, to: Timestamp) -> &[Look] {
    let begin = looks.iter().rposition(|look| look.at <= from).expect("it was watched before");
    let end = looks.iter().position(|look| look.at >= to).expect("it was watched after");
    &looks[begin..=end]
}

fn look() -> Look {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{file}")).unwrap();
    let stat = read("stat");
    let times = stat.lines().next().unwrap().split_whitespace().skip(1);
    let times: Vec<u64> = times.map(|time| time.parse().unwrap()).collect();
    // What guests take is part of `user` and `nice` already.
    let total: u64 = times[..8].iter().sum();
    let meminfo = read("meminfo");
    let kib = |name: &str| -> f64 {
        let line = meminfo.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    Look {
        at: now(),
        total,
        busy: total - times[3] - times[4],
        mem: 100.0 - kib("MemAvailable:") * 100.0 / kib("MemTotal:"),
        load1: read("loadavg").split_whitespace().next().unwrap().parse().unwrap(),
    }
}
