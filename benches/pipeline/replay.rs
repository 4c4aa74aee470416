//! From the log to the read model of timing, next to a reader that counts and throws away.

use std::time::Instant;

use anyhow::Result;
use futures_util::TryStreamExt;
use stackledger::config::File;
use stackledger::db::Database;
use stackledger::event;
use stackledger::lifecycle::{now, on_own_thread};
use stackledger::log::{Appender, Limit, Reader};
use stackledger::projection::{self, timing};
use tokio_util::sync::CancellationToken;

use super::table::{Case, print};
use super::{fresh_database, nova};

pub async fn run(database_url: &str, count: u32, rounds: usize) -> Result<()> {
    let database = fresh_database(database_url, "bench_replay").await?;
    append(&database, count).await?;
    let client = database.connect_as_given().await?;
    client.batch_execute("VACUUM (ANALYZE) log.event").await?;

    let mut cases = ["reader", "replay of timing", "its reading and decoding alone"]
        .map(|name| Case { name, per_s: Vec::new() });
    for round in 0..rounds {
        cases[0].per_s.push(read(&client, count).await?);
        cases[1].per_s.push(replay(&database).await?);
        cases[2].per_s.push(decode(&database).await?);
        eprintln!(
            "round {} of {rounds}: {:?}",
            round + 1,
            cases.each_ref().map(|c| c.per_s[round] as u64)
        );
    }
    print("replay: log to timing", "events", &cases)
}

/// Fills the log with a simulated cloud, without a broker.
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

/// The ceiling of any reader in order.
async fn read(client: &tokio_postgres::Client, count: u32) -> Result<f64> {
    let started = Instant::now();
    let stream = client
        .copy_out("COPY (SELECT * FROM log.event ORDER BY position) TO STDOUT (FORMAT binary)")
        .await?;
    let bytes: usize =
        stream.try_fold(0, |sum, bytes| async move { Ok(sum + bytes.len()) }).await?;
    assert!(bytes > 0);
    Ok(f64::from(count) / started.elapsed().as_secs_f64())
}

async fn replay(database: &Database) -> Result<f64> {
    let projection = &timing::PROJECTION;
    let database = database.clone();
    let started = Instant::now();
    let events = on_own_thread("replay", move || async move {
        let made = projection.made(&File::default());
        let (stop, mut events) = (CancellationToken::new(), 0);
        projection::replay(&database, projection, &made, "bench", &stop, |p| events = p.events)
            .await
            .map(|()| events)
    })
    .await??;
    Ok(events as f64 / started.elapsed().as_secs_f64())
}

/// What a replay does before it writes: how fast it could be if the rows cost nothing.
async fn decode(database: &Database) -> Result<f64> {
    let database = database.clone();
    let started = Instant::now();
    let events = on_own_thread("decode", move || async move {
        let client = database.connect(None).await?;
        let reader = Reader::new(timing::PROJECTION.families);
        let (mut position, mut events) = (0, 0);
        loop {
            let stretch = reader.next(&client, position, i64::MAX, Limit::default()).await?;
            if stretch.position == position {
                return anyhow::Ok(events);
            }
            position = stretch.position;
            events += stretch.events.len();
            drop((timing::PROJECTION.decode)(stretch.events));
        }
    })
    .await??;
    Ok(events as f64 / started.elapsed().as_secs_f64())
}
