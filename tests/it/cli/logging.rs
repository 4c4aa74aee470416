//! Log lines that cannot be written: the process works on, counts them, and ends when it is asked to.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use crate::support::broker::{TestBroker, broker};
use crate::support::cloud::{cloud, publish, wait_until_complete};
use crate::support::database::{TestDatabase, database};
use crate::support::eventually;
use crate::support::process::Process;

/// Every step of every task is a line.
const TALKATIVE: [(&str, &str); 1] = [("LOG", "trace")];

/// Publishes a cloud, and asserts that it is applied.
async fn assert_works(process: &Process, db: &TestDatabase, broker: &TestBroker) {
    process.wait_until_ready().await;
    let plan = cloud(20, 3);
    publish(&plan, broker).await;
    wait_until_complete(db, plan.truth()).await;
}

async fn assert_lines_are_lost(process: &Process) {
    eventually("lost lines are counted", || async {
        let metrics = reqwest::get(format!("{}/metrics", process.url)).await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let line =
            metrics.lines().find(|line| line.starts_with("stackledger_log_lines_lost_total"));
        line.and_then(|line| line.split(' ').nth(1)).is_some_and(|count| count != "0")
    })
    .await;
}

async fn assert_ends(process: Process) {
    let (code, took) = process.terminate().await;
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_of_the_log_is_full() {
    let (db, broker) = (database().await, broker().await);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let process = Process::start_on(full.into(), "up", &db, &broker, &TALKATIVE);
    assert_works(&process, &db, &broker).await;
    assert_lines_are_lost(&process).await;
    assert_ends(process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reader_of_the_log_is_gone() {
    let (db, broker) = (database().await, broker().await);
    let mut process = Process::start_on(Stdio::piped(), "up", &db, &broker, &TALKATIVE);
    process.close_stderr();
    assert_works(&process, &db, &broker).await;
    assert_lines_are_lost(&process).await;
    assert_ends(process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reader_of_the_log_does_not_read() {
    let (db, broker) = (database().await, broker().await);
    let (_reader, writer) = std::io::pipe().unwrap();
    let mut filler = writer.try_clone().unwrap();
    // Fills the pipe, and waits for ever.
    std::thread::spawn(move || while filler.write_all(&[b'\n'; 1024]).is_ok() {});
    tokio::time::sleep(Duration::from_millis(300)).await;
    let process = Process::start_on(writer.into(), "up", &db, &broker, &TALKATIVE);
    assert_works(&process, &db, &broker).await;
    assert_ends(process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_terminal_does_not_end_it() {
    let (db, broker) = (database().await, broker().await);
    let process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;
    process.signal("HUP");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(process.get("/readyz").await.0, 200);
    assert_eq!(process.terminate().await.0, Some(0));
}
