//! The rate of hosts' metrics, from agents' events of ten values to the log and to their rollups, beside a
//! reader that only counts.

use anyhow::Result;
use stackledger::config::File;
use stackledger::db::Database;
use stackledger::event::{self, Event};
use stackledger::lifecycle::now;
use stackledger::log::Appender;
use stackledger::projection::rollup;

use super::replay::Stretches;
use super::table::{Case, Run, Stopwatch, print};
use super::{fresh_database, replay};

/// Number of hosts, each of which sends an event per second.
const HOSTS: u32 = 1000;
/// Number of values in an event.
const METRICS: u32 = 10;

/// Number of events in one append.
const BATCH: usize = 500;

/// The first second, in seconds since 1970: 2026-11-01.
const BEGIN: u32 = 1_793_491_200;

pub async fn run(database_url: &str, values: u32, rounds: usize) -> Result<()> {
    let events = values.div_ceil(METRICS);
    let values = (events * METRICS) as usize;
    println!(
        "{values} values in {events} messages of {} bytes, {HOSTS} hosts, {rounds} rounds",
        body(events / 2).len()
    );
    let mut cases = [
        "reader",
        "replay of rollup",
        "as they come, 500 messages at a time",
        "as they come, 5000 messages at a time",
        "reading and decoding alone",
        "decode and append to the log",
    ]
    .map(Case::new);
    for _ in 0..rounds {
        let database = fresh_database(database_url, "bench_rollups").await?;
        cases[5].push(append(&database, events).await?);
        let client = database.connect_as_given().await?;
        client.batch_execute("VACUUM (ANALYZE) log.event").await?;
        cases[0].push(replay::read(&client, values).await?);
        let projection = &rollup::PROJECTION;
        cases[1].push(replay::replay(&database, projection, File::default(), values).await?);
        for (case, appends) in [(2, 1), (3, 10)] {
            let stretches = Stretches { appends, events: usize::MAX };
            let file = File::default();
            cases[case]
                .push(replay::follow(&database, projection, &file, stretches, values).await?);
        }
        cases[4].push(replay::decode(&database, projection, values).await?);
    }
    print("rollups: log to minutes, hours and days", "values", &cases)
}

/// Returns the nth message of all hosts together.
fn body(nth: u32) -> Vec<u8> {
    let (second, host) = (BEGIN + nth / HOSTS, nth % HOSTS);
    let metric = |metric: u32| {
        let value = (host * 31 + metric * 17 + nth * 7) % 10_000;
        format!("\"metric.{metric}\": {}.{:02}", value / 100, value % 100)
    };
    let metrics: Vec<String> = (0..METRICS).map(metric).collect();
    format!(
        r#"{{"specversion": "1.0", "id": "{nth}", "source": "//agent/compute-{host:04}", "type": "perf.sampled", "data": {{"host": "compute-{host:04}", "time": {second}, "metrics": {{{}}}}}}}"#,
        metrics.join(", ")
    )
    .into_bytes()
}

async fn append(database: &Database, events: u32) -> Result<Run> {
    let mut appender = Appender::new(database.connect(None).await?).await?;
    let stopwatch = Stopwatch::start();
    for first in (0..events).step_by(BATCH) {
        let batch = first..events.min(first + BATCH as u32);
        let batch: Result<Vec<Event>, _> =
            batch.map(|nth| event::decode(body(nth), None)).collect();
        appender.append(&batch?, &[], now()).await?;
    }
    Ok(stopwatch.stop((events * METRICS) as usize))
}
