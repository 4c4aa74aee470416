//! The stop of a process.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use stackledger::lifecycle;

use crate::support::broker::broker;
use crate::support::database::database;
use crate::support::process::Process;
use crate::support::unique;

/// Set for the process that the test below starts: itself once more.
const IS_STUCK: &str = "STACKLEDGER_TEST_IS_STUCK";

/// A process all of whose threads are stuck is ended 9.5 s after SIGTERM; later where the machine is busy.
#[test]
fn a_process_that_does_not_stop_is_ended() {
    if std::env::var_os(IS_STUCK).is_some() {
        be_stuck();
    }
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lifecycle::a_process_that_does_not_stop_is_ended", "--nocapture"])
        .env(IS_STUCK, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.ends_with("stuck")));
    let asked = Instant::now();
    let kill = Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let status = process.wait().unwrap();
    let took = asked.elapsed();
    assert_eq!(status.code(), Some(1));
    assert!((Duration::from_secs(9)..Duration::from_secs(20)).contains(&took), "{took:?}");
}

/// systemd's protocol: datagrams to a socket.
#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_is_told_of_start_life_and_stop() {
    let (db, broker) = (database().await, broker().await);
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique("n"));
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let told = || {
        let mut datagram = [0; 256];
        let length = socket.recv(&mut datagram).unwrap();
        String::from_utf8_lossy(&datagram[..length]).trim().to_owned()
    };
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "600000")];
    let process = Process::start_with("up", &db, &broker, &variables);
    assert_eq!(told(), "READY=1");
    process.wait_until_ready().await;
    let started = Instant::now();
    assert_eq!((told(), told()), ("WATCHDOG=1".to_owned(), "WATCHDOG=1".to_owned()));
    assert!(started.elapsed() < Duration::from_secs(30));
    assert_eq!(process.terminate().await.0, Some(0));
    let last = std::iter::repeat_with(told).find(|told| told != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
    std::fs::remove_file(path).unwrap();
}

fn be_stuck() -> ! {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let _stop = lifecycle::stop_on_signal().unwrap();
        println!("stuck");
        loop {
            std::thread::sleep(Duration::from_secs(60));
        }
    })
}
