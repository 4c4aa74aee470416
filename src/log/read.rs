//! Reading: in order of positions, from the leaves that hold them and no others, so that the cost
//! does not grow with the log.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tokio_postgres::{Client, Row};

use super::chain::hex;
use super::copy::{COLUMNS, NO_TIME};
use super::leaf::{Leaf, is_leaf_name};
use crate::event::{Event, Family, Recorded};

/// The last position of the log (0 when it is empty) and the chain's hash there, as hex.
///
/// # Errors
///
/// When the database is away.
pub async fn head(client: &Client) -> Result<(i64, String), tokio_postgres::Error> {
    let row = client.query_one("-- log::head\nSELECT position, hash FROM log.head", &[]).await?;
    Ok((row.get(0), hex(row.get(1))))
}

/// Reads the events of some families in order, for one reader over one connection.
pub struct Reader {
    families: Vec<&'static str>,
}

/// How much a stretch holds at most; a batch that alone is larger goes alone.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Events.
    pub events: i64,
    /// Bytes of their bodies.
    pub bytes: i64,
    /// Batches, of whichever families.
    pub batches: i64,
}

impl Default for Limit {
    /// Enough to make sets worth their while, little enough that a few stretches in flight stay
    /// far below the process's memory bound.
    fn default() -> Self {
        Limit { events: 20_000, bytes: 48 << 20, batches: 4_000 }
    }
}

/// A stretch of the log: what a reader of these families has to apply, and where it is then.
#[derive(Debug)]
pub struct Stretch {
    /// The events, in order of positions.
    pub events: Vec<Recorded>,
    /// The reader has now seen everything up to here (other families' events included).
    pub position: i64,
}

impl Reader {
    /// Reads these families only.
    pub fn new(families: &[Family]) -> Self {
        Reader { families: families.iter().map(|family| family.as_str()).collect() }
    }

    /// The next events after `position`, up to and including `until`: whole batches, about as many
    /// as `limit` allows.
    /// No events and an unmoved position: there is nothing new.
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub async fn next(
        &self,
        client: &Client,
        position: i64,
        until: i64,
        limit: Limit,
    ) -> Result<Stretch, tokio_postgres::Error> {
        // Batches become visible in order: whatever is seen here is a prefix of the log.
        let batches = client
            .query(
                &format!(
                    "-- log::next batches
                     SELECT family = ANY($3), leaf, first_position, last_position, bytes
                     FROM log.batch WHERE {} ORDER BY last_position LIMIT $2",
                    overlaps("$1", "$4")
                ),
                &[&position, &limit.batches, &self.families, &until],
            )
            .await?;
        let mut seen = position;
        let (mut events, mut bytes) = (0, 0);
        let mut ranges: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
        for batch in &batches {
            let (is_ours, leaf): (bool, &str) = (batch.get(0), batch.get(1));
            let (first, last): (i64, i64) = (batch.get(2), batch.get(3));
            let (first, last) = (first.max(position + 1), last.min(until));
            if is_ours {
                (events, bytes) = (events + last - first + 1, bytes + batch.get::<_, i64>(4));
                if !ranges.is_empty() && (events > limit.events || bytes > limit.bytes) {
                    break;
                }
                ranges.entry(leaf).or_insert((first, last)).1 = last;
            }
            seen = last;
        }
        let reads = ranges
            .iter()
            .filter(|(leaf, _)| is_leaf_name(leaf))
            .map(|(leaf, (first, last))| range(client, leaf, *first, *last));
        let mut events: Vec<Recorded> =
            futures_util::future::try_join_all(reads).await?.into_iter().flatten().collect();
        if ranges.len() > 1 {
            events.sort_unstable_by_key(|event| event.position);
        }
        Ok(Stretch { events, position: seen })
    }
}

/// The condition that a batch holds positions after the one and up to the other. Batches follow each
/// other without gaps, so the last of them is the first that reaches as far: nothing beyond it is
/// looked at.
fn overlaps(after: &str, until: &str) -> String {
    format!(
        "last_position > {after} AND first_position <= {until} AND last_position <= coalesce(
             (SELECT min(last_position) FROM log.batch WHERE last_position >= {until}),
             {})",
        i64::MAX
    )
}

async fn range(
    client: &Client,
    leaf: &str,
    first: i64,
    last: i64,
) -> Result<Vec<Recorded>, tokio_postgres::Error> {
    use futures_util::TryStreamExt;

    let statement = client
        .prepare(&format!(
            "-- log::range
             SELECT {COLUMNS} FROM log.{leaf} WHERE position BETWEEN $1 AND $2 ORDER BY position"
        ))
        .await?;
    client
        .query_raw(&statement, [first, last])
        .await?
        .and_then(|row| std::future::ready(recorded(&row)))
        .try_collect()
        .await
}

/// The columns [`COLUMNS`] of a row.
///
/// # Errors
///
/// When a value is none that was ever appended, e.g. a time beyond what can be read.
pub(super) fn recorded(row: &Row) -> Result<Recorded, tokio_postgres::Error> {
    let key_at: Timestamp = row.try_get(7)?;
    Ok(Recorded {
        position: row.try_get(0)?,
        recorded_at: row.try_get(8)?,
        event: Event {
            id: row.try_get(1)?,
            family: Family::parse(row.try_get(2)?).unwrap_or(Family::Other),
            kind: row.try_get(3)?,
            stream: row.try_get(4)?,
            project_id: row.try_get(5)?,
            occurred_at: row.try_get(6)?,
            key_at: (key_at != NO_TIME).then_some(key_at),
            source: row.try_get(9)?,
            redacted: row.try_get(10)?,
            bad_signatures: row.try_get(11)?,
            body: row.try_get(13)?,
        },
    })
}

/// One event with its body.
///
/// # Errors
///
/// When the database is away.
pub async fn at(client: &Client, position: i64) -> Result<Option<Recorded>, tokio_postgres::Error> {
    if position < 1 {
        return Ok(None);
    }
    let batch = client
        .query_opt(
            "-- log::at batch
             SELECT leaf, first_position FROM log.batch WHERE last_position >= $1
             ORDER BY last_position LIMIT 1",
            &[&position],
        )
        .await?;
    let leaf = batch.filter(|row| row.get::<_, i64>(1) <= position).map(|row| row.get(0));
    let Some(leaf) = leaf.filter(|leaf: &String| is_leaf_name(leaf)) else {
        return Ok(None);
    };
    Ok(range(client, &leaf, position, position).await?.pop())
}

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
    let mut parts = Vec::new();
    for leaf in &leaves {
        if is_leaf_name(leaf) {
            let columns = COLUMNS.replace("body", "''::bytea AS body");
            parts.push(format!(
                "(SELECT {columns} FROM log.{leaf}
                  WHERE position > $1 AND position <= $2 AND ($3::text IS NULL OR kind = $3) {}
                  ORDER BY position LIMIT $4)",
                // Named only where it is given, so that the planner knows which index to take.
                if by_stream { "AND stream = $5" } else { "AND $5::text IS NULL" }
            ));
        }
    }
    let mut events = Vec::new();
    if !parts.is_empty() {
        let sql = format!(
            "-- log::page\nSELECT * FROM ({}) AS page ORDER BY position LIMIT $4",
            parts.join(" UNION ALL ")
        );
        let rows =
            client.query(&sql, &[&after, &until, &filter.kind, &limit, &filter.stream]).await?;
        events = rows.iter().map(recorded).collect::<Result<_, _>>()?;
    }
    let next = match events.last() {
        Some(last) if events.len() as i64 == limit => Some(last.position),
        _ if until < head => Some(until),
        _ => None,
    };
    Ok(Page { events, next })
}
