//! The rate from the log to the read model of timing, beside a reader that only counts.

use std::sync::Arc;

use anyhow::Result;
use futures_util::TryStreamExt;
use stackledger::config::File;
use stackledger::db::Database;
use stackledger::event;
use stackledger::lifecycle::{now, run_on_own_thread};
use stackledger::log::{Appender, Limit, Reader};
use stackledger::projection::{self, Projection, timing};
use tokio_util::sync::CancellationToken;

use super::table::{Case, Run, Stopwatch, print};
use super::{fresh_database, nova};

pub async fn run(database_url: &str, count: u32, rounds: usize) -> Result<()> {
    let database = fresh_database(database_url, "bench_replay").await?;
    append(&database, count).await?;
    let client = database.connect_as_given().await?;
    client.batch_execute("VACUUM (ANALYZE) log.event").await?;

    let mut cases = ["reader", "replay of timing", "its reading and decoding alone"].map(Case::new);
    for _ in 0..rounds {
        cases[0].push(read(&client, count as usize).await?);
        let file = File::default();
        cases[1].push(replay(&database, &timing::PROJECTION, file, count as usize).await?);
        cases[2].push(decode(&database, &timing::PROJECTION, count as usize).await?);
    }
    print("replay: log to timing", "events", &cases)
}

/// Appends a simulated cloud to the log, without a broker.
async fn append(database: &Database, count: u32) -> Result<()> {
    let mut appender = Appender::new(database.connect(None).await?).await?;
    let plan = nova(count);
    let mut events = Vec::new();
    for message in plan.messages().take(count as usize) {
        events.push(event::decode(message.body, None)?);
        if events.len() == 2000 {
            appender.append(&std::mem::take(&mut events), &[], now()).await?;
        }
    }
    appender.append(&events, &[], now()).await?;
    Ok(())
}

/// Reads the log in order and only counts bytes: the ceiling of every reader.
pub async fn read(client: &tokio_postgres::Client, count: usize) -> Result<Run> {
    let stopwatch = Stopwatch::start();
    let stream = client
        .copy_out("COPY (SELECT * FROM log.event ORDER BY position) TO STDOUT (FORMAT binary)")
        .await?;
    let bytes: usize =
        stream.try_fold(0, |sum, bytes| async move { Ok(sum + bytes.len()) }).await?;
    assert!(bytes > 0);
    Ok(stopwatch.stop(count))
}

/// Replays a projection of a log that contains `count` events, samples or values.
pub async fn replay(
    database: &Database,
    projection: &'static Projection,
    file: File,
    count: usize,
) -> Result<Run> {
    let database = database.clone();
    let stopwatch = Stopwatch::start();
    run_on_own_thread("replay", move || async move {
        let file = Arc::new(file);
        let stop = CancellationToken::new();
        projection::replay(&database, projection, &file, "bench", &stop, |_| {}).await
    })
    .await??;
    Ok(stopwatch.stop(count))
}

/// Reads and decodes as a replay does, without writing: the rate of a replay if rows cost nothing.
pub async fn decode(
    database: &Database,
    projection: &'static Projection,
    count: usize,
) -> Result<Run> {
    let database = database.clone();
    let stopwatch = Stopwatch::start();
    run_on_own_thread("decode", move || async move {
        let client = database.connect(None).await?;
        let reader = Reader::new(projection.families);
        let file = File::default();
        let mut position = 0;
        loop {
            let mut decode = (projection.decode)(&file);
            let read = |event| decode.read(event);
            let stretch =
                reader.for_each(&client, position, i64::MAX, projection.stretch, read).await?;
            if stretch.position == position {
                return anyhow::Ok(());
            }
            position = stretch.position;
            drop(decode.finish());
        }
    })
    .await??;
    Ok(stopwatch.stop(count))
}

/// The sizes of stretches.
#[derive(Clone, Copy)]
pub struct Stretches {
    /// Number of appends that are read at once.
    pub appends: i64,
    /// Largest number of events in one transaction.
    pub events: usize,
}

/// Applies the log to a set of tables of its own, in stretches as short as those of a projection with
/// little or no lag.
pub async fn follow(
    database: &Database,
    projection: &'static Projection,
    file: &File,
    stretches: Stretches,
    count: usize,
) -> Result<Run> {
    let mut client = database.connect(Some("bench_follow")).await?;
    client
        .batch_execute(&format!(
            "DROP SCHEMA IF EXISTS bench_follow CASCADE; CREATE SCHEMA bench_follow; {}; {}",
            projection.ddl, projection.indexes
        ))
        .await?;
    let reader = Reader::new(projection.families);
    let log = database.connect(None).await?;
    let limit = Limit { batches: stretches.appends, ..Limit::USUAL };
    let mut position = 0;
    let stopwatch = Stopwatch::start();
    loop {
        let stretch = reader.next(&log, position, i64::MAX, limit).await?;
        if stretch.position == position {
            break;
        }
        position = stretch.position;
        for events in stretch.events.chunks(stretches.events) {
            let decoded = projection.decode_all(file, events.to_vec());
            let tx = client.transaction().await?;
            (projection.apply)(&tx, file, decoded.facts).await?;
            tx.commit().await?;
        }
    }
    let run = stopwatch.stop(count);
    client.batch_execute("DROP SCHEMA bench_follow CASCADE").await?;
    Ok(run)
}
