//! Pages of the log for who looks at it: by stream, kind and family, without bodies.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use super::leaf::{Leaf, is_leaf_name};
use super::read::{COLUMNS, dropped, head, is_gone, overlaps, recorded};
use crate::event::{Family, Recorded};

/// Which events a page shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// One entity's events.
    pub stream: Option<String>,
    /// Events of one kind.
    pub kind: Option<String>,
    /// Events of one family.
    pub family: Option<Family>,
}

/// A page of the log, without bodies.
#[derive(Debug)]
pub struct Page {
    /// Position, recorded_at and header of each event; bodies are empty.
    pub events: Vec<Recorded>,
    /// Where the next page begins, when there may be one.
    pub next: Option<i64>,
}

/// How many positions a page without a stream looks at before it answers with what it found. A rare
/// kind in a long log takes several pages, not one long scan.
const SCAN_MAX: i64 = 20_000;

/// The same for a stream, which has an index of its own in every leaf.
const STREAM_SCAN_MAX: i64 = 200_000;

/// How many leaves a page looks into: families that are split by day have any number.
const LEAVES_MAX: usize = 64;

/// Events after position `after` that match. Where a stream's family is named and not split by day,
/// one index leads to them, however long the log is; otherwise a page looks at a stretch of the log
/// and may be empty with a next one to come.
///
/// # Errors
///
/// When the database is away.
pub async fn page(
    client: &Client,
    filter: &Filter,
    after: i64,
    limit: i64,
) -> Result<Page, tokio_postgres::Error> {
    let (head, _) = head(client).await?;
    let by_stream = filter.stream.is_some();
    let whole = filter.family.filter(|family| by_stream && !family.is_by_day());
    let scan = if by_stream { STREAM_SCAN_MAX } else { SCAN_MAX };
    let mut until = match whole {
        Some(_) => head,
        None => head.min(after.saturating_add(scan)),
    };
    let mut leaves: Vec<String> = Vec::new();
    if let Some(family) = whole {
        leaves.push(Leaf { family, day: None }.name());
    } else {
        let sql = format!(
            "-- log::page leaves
             SELECT leaf, min(first_position) FROM log.batch
             WHERE {} AND ($3::text IS NULL OR family = $3) GROUP BY leaf ORDER BY 2",
            overlaps("$1", "$2")
        );
        let family = filter.family.map(Family::as_str);
        let rows = client.query(&sql, &[&after, &until, &family]).await?;
        if let Some(row) = rows.get(LEAVES_MAX) {
            until = row.get::<_, i64>(1) - 1;
        }
        leaves.extend(rows.iter().take(LEAVES_MAX).map(|row| row.get(0)));
    }
    let names: BTreeSet<&str> = leaves.iter().map(String::as_str).collect();
    let mut gone = dropped(client, &names).await?;
    let events = loop {
        let standing = leaves.iter().map(String::as_str).filter(|leaf| !gone.contains(leaf));
        match look(client, filter, standing, after, until, limit).await {
            // Dropped since it was looked for: look again.
            Err(error) if is_gone(&error) => {
                let now_gone = dropped(client, &names).await?;
                if now_gone.len() == gone.len() {
                    return Err(error);
                }
                gone = now_gone;
            }
            found => break found?,
        }
    };
    let next = match events.last() {
        Some(last) if events.len() as i64 == limit => Some(last.position),
        _ if until < head => Some(until),
        _ => None,
    };
    Ok(Page { events, next })
}

/// Matching events of these leaves, without bodies, in order of positions.
async fn look(
    client: &Client,
    filter: &Filter,
    leaves: impl Iterator<Item = &str>,
    after: i64,
    until: i64,
    limit: i64,
) -> Result<Vec<Recorded>, tokio_postgres::Error> {
    let by_stream = filter.stream.is_some();
    let columns = COLUMNS.replace("body", "''::bytea AS body");
    let mut parts = Vec::new();
    for leaf in leaves.filter(|leaf| is_leaf_name(leaf)) {
        parts.push(format!(
            "(SELECT {columns} FROM log.{leaf}
              WHERE position > $1 AND position <= $2 AND ($3::text IS NULL OR kind = $3) {}
              ORDER BY position LIMIT $4)",
            // Named only where it is given, so that the planner knows which index to take.
            if by_stream { "AND stream = $5" } else { "AND $5::text IS NULL" }
        ));
    }
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "-- log::page\nSELECT * FROM ({}) AS page ORDER BY position LIMIT $4",
        parts.join(" UNION ALL ")
    );
    let rows = client.query(&sql, &[&after, &until, &filter.kind, &limit, &filter.stream]).await?;
    rows.iter().map(recorded).collect()
}
