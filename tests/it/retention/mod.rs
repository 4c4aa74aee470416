//! Retention: old days of raw samples are dropped, and everything else stays unchanged.

mod forged;
mod frozen;
mod horizon;
mod pipeline;
mod steps;
mod tally;

use jiff::Timestamp;
use stackledger::config::Retention;
use stackledger::event::{self, Event};
use stackledger::log::{self, Report};
use stackledger::projection::Projection;
use stackledger::retention::{self, Outcome, Step};

use crate::support::database::TestDatabase;
use crate::support::events::append;

/// The time of a run. Raw samples are kept for two days, so those before the third of the days here are
/// dropped.
pub fn at() -> Timestamp {
    "2020-03-05T12:30:00Z".parse().unwrap()
}

/// Returns the CloudEvent of a host's sample at an hour of a day of March 2020.
pub fn body(host: &str, day: u32, hour: u32) -> String {
    let time = format!("2020-03-{day:02}T{hour:02}:10:00Z");
    format!(
        r#"{{"specversion":"1.0","id":"{host}-{time}","source":"test","type":"perf.sampled","time":"{time}","data":{{"host":"{host}","time":"{time}","metrics":{{"cpu":{hour}.5}}}}}}"#
    )
}

pub fn sampled(host: &str, day: u32, hour: u32) -> Event {
    event::decode(body(host, day, hour).into_bytes(), None).unwrap()
}

/// Appends samples of two hosts on the first three days: four events a day, 12 in all.
pub async fn append_three_days(db: &TestDatabase) {
    for day in 1..=3 {
        let events: Vec<Event> = [("a", 1), ("a", 2), ("b", 1), ("b", 23)]
            .map(|(host, hour)| sampled(host, day, hour))
            .into();
        append(&db.database, &events).await;
    }
}

/// Runs once and returns the steps with their outcomes. Waits for the lock of the previous run, whose
/// connection may need a moment to end.
async fn run_steps(db: &TestDatabase, projections: &[&'static Projection]) -> Vec<(Step, Outcome)> {
    let retention = Retention::default();
    for _ in 0..500 {
        let taken = retention::retain(&db.database, projections, &retention, at()).await.unwrap();
        if let Some(taken) = taken {
            return taken;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no other process holds the lock");
}

/// Runs once and returns each step and its outcome as text.
pub async fn retain(db: &TestDatabase, projections: &[&'static Projection]) -> Vec<String> {
    let taken = run_steps(db, projections).await;
    taken.iter().map(|(step, outcome)| format!("{step}: {outcome}")).collect()
}

/// Runs once and asserts that every step is done.
pub async fn retain_all(db: &TestDatabase, projections: &[&'static Projection]) {
    let taken = run_steps(db, projections).await;
    assert!(taken.iter().all(|(_, outcome)| *outcome == Outcome::Done), "{taken:?}");
}

/// Verifies the log.
pub async fn report(db: &TestDatabase) -> Report {
    log::verify(&mut db.client().await, &[], &[], |_| {}).await.unwrap()
}

/// Returns the days that still have a leaf of `perf`.
pub async fn days(db: &TestDatabase) -> Vec<String> {
    let days = log::list_days(&db.client().await, event::Family::Perf).await.unwrap();
    days.iter().map(ToString::to_string).collect()
}
