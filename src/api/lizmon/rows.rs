//! The buckets that summaries are made of.

use std::collections::BTreeMap;

use deadpool_postgres::Pool;
use jiff::Timestamp;
use tokio_postgres::Client;

use super::Summaries;
use super::summary::{By, HOUR, MINUTE, Part};
use crate::http::Problem;

/// The summaries of a host whose labels contain the text in any case.
pub(super) async fn summaries(
    pool: &Pool,
    host: &str,
    label: &str,
    at: Timestamp,
) -> Result<Summaries, Problem> {
    let label = label.to_lowercase();
    let client = pool.get().await?;
    let metrics = metrics(&client, host).await?;
    let mut summaries = Summaries::new();
    for (by, table) in [(MINUTE, "minute"), (HOUR, "hour")] {
        let name = |metric: &str| format!("summary:{}:{metric}", by.word);
        let is_wanted = |metric: &&String| name(metric).to_lowercase().contains(&label);
        let wanted: Vec<&String> = metrics.iter().filter(is_wanted).collect();
        for (metric, parts) in parts(&client, (host, &wanted), by, table, at).await? {
            if let Some(summary) = by.summary(at.as_second(), &parts) {
                summaries.insert(name(&metric), summary);
            }
        }
    }
    Ok(summaries)
}

/// What was ever measured of a host.
async fn metrics(client: &Client, host: &str) -> Result<Vec<String>, Problem> {
    let sql = "-- lizmon::metrics\nSELECT metric FROM rollup.series WHERE host = $1";
    let rows = client.query(sql, &[&host]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// The buckets of each of the metrics by their starts, in seconds.
async fn parts(
    client: &Client,
    (host, metrics): (&str, &[&String]),
    by: By,
    table: &str,
    at: Timestamp,
) -> Result<BTreeMap<String, BTreeMap<i64, Part>>, Problem> {
    let (first, end) = by.range(at.as_second());
    let time = |seconds| {
        Timestamp::from_second(seconds)
            .map_err(|_| Problem::bad_request("at", "it lies beyond the calendar"))
    };
    let rows = client
        .query(
            &format!(
                "-- lizmon::{table}
                 SELECT metric, start, count, sum::text, edge_count, edge_sum::text
                 FROM rollup.{table}
                 WHERE host = $1 AND metric = ANY($2) AND start >= $3 AND start <= $4"
            ),
            &[&host, &metrics, &time(first)?, &time(end)?],
        )
        .await?;
    let mut parts = BTreeMap::<String, BTreeMap<i64, Part>>::new();
    for row in &rows {
        let part = Part {
            count: row.get(2),
            sum: row.get(3),
            edge_count: row.get(4),
            edge_sum: row.get(5),
        };
        let start: Timestamp = row.get(1);
        parts.entry(row.get(0)).or_default().insert(start.as_second(), part);
    }
    Ok(parts)
}
