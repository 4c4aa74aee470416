//! Pages of the log for people: by stream, kind and family, without bodies.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use super::leaf::{Leaf, is_leaf_name};
use super::read::{
    COLUMNS, find_dropped, is_missing_leaf, overlap_condition, read_head, recorded_of_row,
};
use crate::event::{Family, Recorded};

/// The events that a page lists. All given conditions must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Events of this stream.
    pub stream: Option<String>,
    /// Events of this kind.
    pub kind: Option<String>,
    /// Events of this family.
    pub family: Option<Family>,
}

/// A page of the log, without bodies.
#[derive(Debug)]
pub struct Page {
    /// The events, with empty bodies.
    pub events: Vec<Recorded>,
    /// The position after which the next page begins, if there may be one.
    pub next: Option<i64>,
}

/// Maximum number of positions that a page without a stream scans before it answers. A rare kind in a long
/// log takes several pages instead of one long scan.
const SCAN_MAX: i64 = 20_000;

/// The same limit for pages of a stream, which every leaf has an index for.
const STREAM_SCAN_MAX: i64 = 200_000;

/// Maximum number of leaves that a page reads: families that are partitioned by day have any number.
const LEAVES_MAX: usize = 64;

/// Reads up to `limit` matching events after position `after`. If the filter names a stream and a family that
/// is not partitioned by day, one index finds them, however long the log is. Otherwise a page covers a
/// stretch of the log, and may be empty although another page follows.
///
/// # Errors
///
/// When the database is away.
pub async fn read_page(
    client: &Client,
    filter: &Filter,
    after: i64,
    limit: i64,
) -> Result<Page, tokio_postgres::Error> {
    let (head, _) = read_head(client).await?;
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
            overlap_condition("$1", "$2")
        );
        let family = filter.family.map(Family::as_str);
        let rows = client.query(&sql, &[&after, &until, &family]).await?;
        if let Some(row) = rows.get(LEAVES_MAX) {
            until = row.get::<_, i64>(1) - 1;
        }
        leaves.extend(rows.iter().take(LEAVES_MAX).map(|row| row.get(0)));
    }
    let names: BTreeSet<&str> = leaves.iter().map(String::as_str).collect();
    let mut gone = find_dropped(client, &names).await?;
    let events = loop {
        let remaining = leaves.iter().map(String::as_str).filter(|leaf| !gone.contains(leaf));
        match search_leaves(client, filter, remaining, after, until, limit).await {
            // A leaf was dropped since we looked: look again.
            Err(error) if is_missing_leaf(&error) => {
                let now_gone = find_dropped(client, &names).await?;
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

/// Returns the matching events of these leaves, without bodies, in order of positions.
async fn search_leaves(
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
            // The stream is part of the statement only if it is given, so that the planner picks its index.
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
    rows.iter().map(recorded_of_row).collect()
}
