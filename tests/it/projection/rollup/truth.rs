//! Every bucket of a fleet, sent through the broker, against its computed values.

use rust_decimal::Decimal;
use serde_json::Value;

use super::fleet::{Fleet, METRICS};
use crate::support::broker::{TestBroker, broker, publish};
use crate::support::database::{TestDatabase, database};
use crate::support::process::{Process, command, succeed};
use crate::support::{eventually, is_long};

/// The maximum number of events on their way, so that neither the broker nor this test holds many.
const SLICE: u32 = 50_000;

/// Publishes everything, a fifth of it twice, and waits until it is in the log and applied.
async fn publish_all(fleet: Fleet, db: &TestDatabase, broker: &TestBroker) {
    let (_connection, channel) = broker.channel().await;
    for first in (0..fleet.events()).step_by(SLICE as usize) {
        let next = fleet.events().min(first + SLICE);
        for nth in first..next {
            publish(&channel, "stackledger", "perf.sampled", &fleet.body(nth), &[]).await;
            // Sent again at once, or long after it was sent.
            if nth % 5 == 0 {
                let again = fleet.body(if nth % 2 == 0 { nth } else { nth / 2 });
                publish(&channel, "stackledger", "perf.sampled", &again, &[]).await;
            }
        }
        eventually(&format!("{next} events are in the log"), || async {
            db.number("SELECT position FROM log.head").await == i64::from(next)
        })
        .await;
    }
    let applied = format!(
        "SELECT count(*) FROM projection.checkpoint
         WHERE name = 'rollup' AND slot = 'live' AND position = {}",
        fleet.events()
    );
    eventually("everything is applied", || async { db.number(&applied).await == 1 }).await;
}

/// Returns the fault of a bucket with these values, which are in ascending order.
fn find_fault(bucket: &Value, values: &[Decimal], last: Decimal) -> Option<String> {
    let count = values.len();
    let sum: Decimal = values.iter().sum();
    let exact = [
        ("count", Decimal::from(count)),
        ("sum", sum),
        ("min", values[0]),
        ("max", values[count - 1]),
        ("last", last),
    ];
    for (name, expected) in exact {
        let (actual, exact) = (bucket[name].to_string(), expected.normalize().to_string());
        if actual != exact {
            return Some(format!("{name} should be {expected}: {bucket}"));
        }
    }
    let float = |value: Decimal| value.to_string().parse::<f64>().unwrap();
    for (name, q) in [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)] {
        let exact = float(values[(q * count as f64).ceil() as usize - 1]);
        let actual = bucket[name].as_f64().unwrap();
        if (actual - exact).abs() > exact.abs() * 0.01 {
            return Some(format!("{name} should be {exact}: {bucket}"));
        }
    }
    let mean = float(sum) / count as f64;
    let actual = bucket["mean"].as_f64().unwrap();
    ((actual - mean).abs() > mean.abs() * 1e-12)
        .then(|| format!("the mean should be {mean}: {bucket}"))
}

/// Compares every bucket of a resolution. Returns their number.
async fn compare(fleet: Fleet, process: &Process, resolution: &str, width: u32) -> usize {
    let mut buckets = 0;
    let to = Fleet::at(fleet.seconds.next_multiple_of(width));
    for host in 0..fleet.hosts {
        let path = format!(
            "/v1/perf/{}?resolution={resolution}&from={}&to={to}",
            Fleet::host(host),
            Fleet::at(0)
        );
        let (status, answer) = process.get(&path).await;
        assert_eq!(status, 200, "{path}: {answer}");
        let metrics = answer["metrics"].as_array().unwrap();
        assert_eq!(metrics.len(), METRICS as usize);
        for metric in 0..METRICS {
            let series = &metrics[metric as usize];
            assert_eq!(series["metric"], Fleet::metric(metric));
            assert_eq!(series["gaps"], serde_json::json!([]), "{path}");
            let starts = (0..fleet.seconds).step_by(width as usize);
            let buckets_shown = series["buckets"].as_array().unwrap();
            assert_eq!(buckets_shown.len(), starts.len(), "{path}");
            for (start, bucket) in starts.zip(buckets_shown) {
                let end = fleet.seconds.min(start + width);
                let mut values: Vec<Decimal> =
                    (start..end).map(|second| Fleet::value(host, metric, second)).collect();
                let last = values[values.len() - 1];
                values.sort_unstable();
                assert_eq!(bucket["start"], Fleet::at(start).to_string());
                if let Some(fault) = find_fault(bucket, &values, last) {
                    panic!("{path}: {fault}");
                }
                buckets += 1;
            }
        }
    }
    buckets
}

/// Returns a digest of all rows of each table, in any order.
async fn digests(db: &TestDatabase) -> Vec<String> {
    let of = |table: &str| {
        format!(
            "SELECT '{table}' AS name, count(*), sum(hashtextextended(t::text, 0)::numeric)::text AS sum
             FROM rollup.{table} AS t"
        )
    };
    let tables = ["minute", "hour", "day", "series", "rejected"].map(of);
    let mut digests = db.rows(&tables.join(" UNION ALL ")).await;
    digests.sort();
    digests
}

/// A thousand hosts send ten metrics a second for an hour, 36 million values (`--long`); a fifth of the
/// messages come twice, and all of them out of order.
#[tokio::test(flavor = "multi_thread")]
async fn every_bucket_of_a_fleet_is_exact_and_a_replay_makes_the_same_rows() {
    let fleet = match is_long() {
        true => Fleet { hosts: 1000, seconds: 3600 },
        false => Fleet { hosts: 40, seconds: 360 },
    };
    let (db, broker) = (database().await, broker().await);
    let process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;
    publish_all(fleet, &db, &broker).await;
    let series = (fleet.hosts * METRICS) as usize;
    let minutes = fleet.seconds.div_ceil(60) as usize;
    assert_eq!(compare(fleet, &process, "1m", 60).await, series * minutes);
    assert_eq!(compare(fleet, &process, "1h", 3600).await, series);
    assert_eq!(compare(fleet, &process, "1d", 86_400).await, series);
    assert_eq!(db.number("SELECT count(*) FROM log.dead_letter").await, 0);
    assert_eq!(
        db.number("SELECT skipped FROM projection.checkpoint WHERE name = 'rollup'").await,
        0
    );

    let before = digests(&db).await;
    drop(process);
    let mut replay = command(&db, None);
    replay.args(["replay", "rollup"]);
    succeed(replay).await;
    assert_eq!(digests(&db).await, before);
}
