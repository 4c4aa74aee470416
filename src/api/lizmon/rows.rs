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
    let mut summaries = Summaries::new();
    for (by, table) in [(MINUTE, "minute"), (HOUR, "hour")] {
        for (metric, parts) in parts(&client, host, by, table, at).await? {
            let name = format!("summary:{}:{metric}", by.word);
            if name.to_lowercase().contains(&label)
                && let Some(summary) = by.summary(at.as_second(), &parts)
            {
                summaries.insert(name, summary);
            }
        }
    }
    Ok(summaries)
}

/// The buckets of each metric by their starts, in seconds.
async fn parts(
    client: &Client,
    host: &str,
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
                 SELECT s.metric, b.start, b.count, b.sum::text, b.edge_count, b.edge_sum::text
                 FROM rollup.series AS s, rollup.{table} AS b
                 WHERE s.host = $1 AND b.host = $1 AND b.metric = s.metric
                   AND b.start >= $2 AND b.start <= $3"
            ),
            &[&host, &time(first)?, &time(end)?],
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
