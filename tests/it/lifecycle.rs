//! The stop of a process.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use stackledger::lifecycle;

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
