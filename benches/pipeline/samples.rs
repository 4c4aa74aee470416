//! The rate of Ceilometer's samples, from batches of 50 to the log and to their read model, beside a binary
//! COPY of the same rows into the same table.

use anyhow::Result;
use futures_util::{SinkExt, TryStreamExt};
use stackledger::billing::Settings;
use stackledger::config::File;
use stackledger::db::Database;
use stackledger::event::{self, Event};
use stackledger::lifecycle::now;
use stackledger::log::Appender;
use stackledger::projection::metering;
use stackledger::simulate::{MeteringOptions, Options, Plan, plan};

use super::replay::Stretches;
use super::table::{Case, Run, Stopwatch, print};
use super::{fresh_database, replay};

/// Number of messages in one append.
const BATCH: usize = 100;

/// Number of messages in one stretch of the cases "as they come": about 500 samples.
const STRETCH: usize = 15;

pub async fn run(database_url: &str, count: u32, rounds: usize) -> Result<()> {
    let bodies: Vec<Vec<u8>> = metered(count).messages().map(|message| message.body).collect();
    let bytes: usize = bodies.iter().map(Vec::len).sum();
    println!(
        "{count} samples in {} messages, {} bytes a sample, {rounds} rounds",
        bodies.len(),
        bytes / count as usize
    );
    let mut cases = [
        "copy of the rows into the same table, then its indexes",
        "replay of metering, no meter mapped",
        "replay with usage by the built-in mappings",
        "as they come, 500 at a time, no meter mapped",
        "as they come, with usage",
        "reading and decoding alone",
        "decode and append to the log",
    ]
    .map(Case::new);
    for _ in 0..rounds {
        let database = fresh_database(database_url, "bench_samples").await?;
        cases[6].push(append(&database, &bodies, count).await?);
        let client = database.connect_as_given().await?;
        client.batch_execute("VACUUM (ANALYZE) log.event").await?;
        let projection = &metering::PROJECTION;
        for (case, file) in [(1, unmapped()), (2, File::default())] {
            // A stretch is a part of one append, so that its size is as stated.
            let stretches = Stretches { appends: 1, events: STRETCH };
            let followed = replay::follow(&database, projection, &file, stretches, count as usize);
            cases[case + 2].push(followed.await?);
            cases[case].push(replay::replay(&database, projection, file, count as usize).await?);
        }
        print_usage(&client).await?;
        cases[0].push(copy(&client, count).await?);
        cases[5].push(replay::decode(&database, &metering::PROJECTION, count as usize).await?);
    }
    print("samples: log to read model", "samples", &cases)
}

/// Returns a configuration that bills no meter.
fn unmapped() -> File {
    let billing = Settings { mappings: Vec::new(), ..Settings::default() };
    File { billing, ..File::default() }
}

/// Prints the number of samples of billed meters, and the number of rows of usage that result.
async fn print_usage(client: &tokio_postgres::Client) -> Result<()> {
    let mappings = Settings::default().mappings;
    let meters: Vec<&str> = mappings.iter().map(|mapping| mapping.meter.as_str()).collect();
    let counted = client
        .query_one(
            "SELECT (SELECT count(*) FROM metering.sample WHERE counter_name = ANY($1)),
                    (SELECT count(*) FROM metering.usage_window)",
            &[&meters],
        )
        .await?;
    let (samples, rows): (i64, i64) = (counted.get(0), counted.get(1));
    println!("{samples} samples of mapped meters make {rows} rows of usage");
    Ok(())
}

/// Plans a cloud with that many samples, in the batches of a polling agent.
fn metered(samples: u32) -> Plan {
    plan(&Options {
        metering: MeteringOptions { samples, ..MeteringOptions::default() },
        duration: std::time::Duration::from_secs(24 * 3600),
        seed: 7,
        shuffle_percent: 5,
        ..Options::until("2026-11-01T00:00:00Z".parse().expect("the constant is a time"))
    })
}

async fn append(database: &Database, bodies: &[Vec<u8>], count: u32) -> Result<Run> {
    let mut appender = Appender::new(database.connect(None).await?).await?;
    let stopwatch = Stopwatch::start();
    for bodies in bodies.chunks(BATCH) {
        let events: Result<Vec<Event>, _> =
            bodies.iter().map(|body| event::decode(body.clone(), None)).collect();
        appender.append(&events?, &[], now()).await?;
    }
    Ok(stopwatch.stop(count as usize))
}

/// Copies the rows of the replay over one connection into an empty set of the same tables.
async fn copy(client: &tokio_postgres::Client, count: u32) -> Result<Run> {
    let out = "COPY (SELECT * FROM metering.sample ORDER BY position) TO STDOUT (FORMAT binary)";
    let rows: Vec<bytes::Bytes> = client.copy_out(out).await?.try_collect().await?;
    client
        .batch_execute(&format!(
            "DROP SCHEMA IF EXISTS bench_copy CASCADE; CREATE SCHEMA bench_copy;
             SET search_path = bench_copy; {}
             CREATE TABLE sample_all PARTITION OF sample FOR VALUES FROM (MINVALUE) TO (MAXVALUE)",
            metering::PROJECTION.ddl
        ))
        .await?;
    let stopwatch = Stopwatch::start();
    let mut sink =
        std::pin::pin!(client.copy_in("COPY sample_all FROM STDIN (FORMAT binary)").await?);
    for rows in rows {
        sink.send(rows).await?;
    }
    assert_eq!(sink.finish().await?, u64::from(count));
    client.batch_execute(metering::PROJECTION.indexes).await?;
    let run = stopwatch.stop(count as usize);
    client.batch_execute("DROP SCHEMA bench_copy CASCADE; RESET search_path").await?;
    Ok(run)
}
