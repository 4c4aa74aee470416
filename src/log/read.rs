//! Reading in order of positions. Only the leaves that hold the positions are read, so the cost does not grow
//! with the log.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, GenericClient, Row};

use super::copy::NO_TIME;
use super::horizon::read_horizons;
use super::leaf::{Leaf, is_leaf_name};
use crate::event::{Event, Family, Recorded};

/// Reads the last position of the log (0 if it is empty) and the chain's hash there, in hexadecimal.
///
/// # Errors
///
/// When the database is away.
pub async fn read_head(client: &Client) -> Result<(i64, String), tokio_postgres::Error> {
    let row = client.query_one("-- log::head\nSELECT position, hash FROM log.head", &[]).await?;
    Ok((row.get(0), hex::encode(row.get::<_, &[u8]>(1))))
}

/// Returns the hash of the log's first batch, as hex; no two logs share it. `None` while the log is empty.
///
/// # Errors
///
/// When the database does not answer.
pub async fn read_first_hash(
    client: &impl GenericClient,
) -> Result<Option<String>, tokio_postgres::Error> {
    let statement = "-- log::first_hash\nSELECT hash FROM log.batch WHERE batch = 1";
    Ok(client.query_opt(statement, &[]).await?.map(|row| hex::encode(row.get::<_, &[u8]>(0))))
}

/// Returns when the last event of each family was appended; families without one are left out.
///
/// # Errors
///
/// When the database does not answer.
pub async fn read_last_times(
    client: &Client,
) -> Result<Vec<(Family, Timestamp)>, tokio_postgres::Error> {
    let mut times = Vec::new();
    for family in Family::ALL {
        let sql = "-- log::last_time
            SELECT recorded_at FROM log.event WHERE family = $1 ORDER BY position DESC LIMIT 1";
        let row = client.query_opt(sql, &[&family.as_str()]).await?;
        times.extend(row.map(|row| (family, row.get(0))));
    }
    Ok(times)
}

/// Reads the events of some families in order, for one reader over one connection.
pub struct Reader {
    families: Vec<&'static str>,
}

/// The maximum size of a stretch. A batch that is larger makes up a stretch of its own.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Number of events.
    pub events: i64,
    /// Size of their bodies in bytes.
    pub bytes: i64,
    /// Number of batches, including those of other families.
    pub batches: i64,
}

impl Limit {
    /// The usual limit: enough events for set operations to pay off, few enough that some stretches in
    /// flight stay far below the process's memory bound.
    pub const USUAL: Limit = Limit { events: 20_000, bytes: 48 << 20, batches: 4_000 };
}

/// Maximum number of leaves that a stretch is read from. Each leaf costs the reader a lock and, as each holds
/// another day, may cost the session that applies the stretch another one.
const LEAVES_MAX: usize = 32;

/// A stretch of the log: the events of a reader's families, and the position it has reached after them.
#[derive(Debug)]
pub struct Stretch {
    /// The events, in order of positions.
    pub events: Vec<Recorded>,
    /// The position up to which the reader has now read, other families' events included.
    pub position: i64,
}

/// The progress of a reader.
#[derive(Clone, Copy, Debug)]
pub struct ReadProgress {
    /// Number of events it was passed now.
    pub events: u64,
    /// The position up to which it has now read, other families' events included.
    pub position: i64,
}

impl Reader {
    /// Creates a reader of these families.
    pub fn new(families: &[Family]) -> Self {
        Reader { families: families.iter().map(|family| family.as_str()).collect() }
    }

    /// Reads the next events after `position`, up to and including `until`: whole batches, about as many as
    /// `limit` allows. Dropped leaves are skipped. An unchanged position means that there is nothing new.
    ///
    /// # Errors
    ///
    /// When the database is away, or a leaf is gone that does not lie before its family's horizon.
    pub async fn next(
        &self,
        client: &Client,
        position: i64,
        until: i64,
        limit: Limit,
    ) -> Result<Stretch, tokio_postgres::Error> {
        let mut events = Vec::new();
        let read =
            self.for_each(client, position, until, limit, |recorded| events.push(recorded)).await?;
        Ok(Stretch { events, position: read.position })
    }

    /// As [`Reader::next`], but passes each event to `take` as it arrives, in order of positions: the server
    /// prepares the next ones meanwhile, and a stretch is never in memory as a whole.
    ///
    /// # Errors
    ///
    /// As [`Reader::next`]. The events that were passed to `take` must then be discarded.
    pub async fn for_each(
        &self,
        client: &Client,
        position: i64,
        until: i64,
        limit: Limit,
        mut take: impl FnMut(Recorded),
    ) -> Result<ReadProgress, tokio_postgres::Error> {
        // Batches become visible in order: the ones that this query returns are a prefix of the log.
        let batches = client
            .query(
                &format!(
                    "-- log::next batches
                     SELECT family = ANY($3), leaf, first_position, last_position, bytes
                     FROM log.batch WHERE {} ORDER BY last_position LIMIT $2",
                    overlap_condition("$1", "$4")
                ),
                &[&position, &limit.batches, &self.families, &until],
            )
            .await?;
        let ours = batches.iter().filter(|batch| batch.get(0)).map(|batch| batch.get(1)).collect();
        let mut gone = find_dropped(client, &ours).await?;
        loop {
            let plan = Plan::of(&batches, &gone, position, until, limit);
            match plan.read(client, &mut take).await {
                // A leaf was dropped since we looked, which is reported before the first event: look again.
                Err(error) if is_missing_leaf(&error) => {
                    let now_gone = find_dropped(client, &ours).await?;
                    if now_gone.len() == gone.len() {
                        return Err(error);
                    }
                    gone = now_gone;
                }
                read => return read,
            }
        }
    }
}

/// The leaves to read for a run of positions.
struct Plan<'a> {
    leaves: BTreeSet<&'a str>,
    /// The run begins after this position.
    after: i64,
    /// The last position of the run.
    last: i64,
}

impl<'a> Plan<'a> {
    /// Plans the longest run of whole batches within the limit. Batches in leaves that are gone are skipped.
    fn of(
        batches: &'a [Row],
        gone: &BTreeSet<&str>,
        position: i64,
        until: i64,
        limit: Limit,
    ) -> Self {
        let mut plan = Plan { leaves: BTreeSet::new(), after: position, last: position };
        let (mut events, mut bytes) = (0, 0);
        for batch in batches {
            let (is_ours, leaf): (bool, &str) = (batch.get(0), batch.get(1));
            let (first, last): (i64, i64) = (batch.get(2), batch.get(3));
            let (first, last) = (first.max(position + 1), last.min(until));
            if is_ours && !gone.contains(leaf) {
                (events, bytes) = (events + last - first + 1, bytes + batch.get::<_, i64>(4));
                let is_more = events > limit.events || bytes > limit.bytes;
                let is_wider = plan.leaves.len() == LEAVES_MAX && !plan.leaves.contains(leaf);
                if is_wider || (is_more && !plan.leaves.is_empty()) {
                    break;
                }
                plan.leaves.insert(leaf);
            }
            plan.last = last;
        }
        plan
    }

    async fn read(
        self,
        client: &Client,
        take: &mut impl FnMut(Recorded),
    ) -> Result<ReadProgress, tokio_postgres::Error> {
        // Within the run, these leaves hold rows of the planned batches only.
        let run = (self.after + 1, self.last);
        let events = read_leaves(client, self.leaves.into_iter(), run, take).await?;
        Ok(ReadProgress { events, position: self.last })
    }
}

/// Whether the statement failed because a leaf does not exist.
pub(super) fn is_missing_leaf(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::UNDEFINED_TABLE)
}

/// Returns the leaves that were dropped: they lie before their families' horizons and do not exist.
pub(super) async fn find_dropped<'a>(
    client: &Client,
    leaves: &BTreeSet<&'a str>,
) -> Result<BTreeSet<&'a str>, tokio_postgres::Error> {
    if !leaves.iter().any(|leaf| Leaf::of_day(leaf).is_some()) {
        return Ok(BTreeSet::new());
    }
    let horizons = read_horizons(client).await?;
    let past: Vec<&str> = leaves
        .iter()
        .copied()
        .filter(|leaf| Leaf::of_day(leaf).is_some_and(|leaf| horizons.have_passed(leaf)))
        .collect();
    if past.is_empty() {
        return Ok(BTreeSet::new());
    }
    let sql = "-- log::dropped
        SELECT n FROM unnest($1::text[]) WITH ORDINALITY AS l (leaf, n) WHERE to_regclass('log.' || leaf) IS NULL";
    let rows = client.query(sql, &[&past]).await?;
    Ok(rows.iter().map(|row| past[row.get::<_, i64>(0) as usize - 1]).collect())
}

/// Returns the SQL condition that a batch holds positions after `after` and up to `until`. Batches follow each
/// other without gaps, so the first batch that reaches `until` is the last one to read; naming it keeps the
/// scan from going beyond.
pub(super) fn overlap_condition(after: &str, until: &str) -> String {
    format!(
        "last_position > {after} AND first_position <= {until} AND last_position <= coalesce(
             (SELECT min(last_position) FROM log.batch WHERE last_position >= {until}),
             {})",
        i64::MAX
    )
}

/// Passes the events of these leaves between two positions, both included, to `take` in order, and returns
/// their number. It is one statement: it locks all leaves before its first row, and the server merges the
/// rows from their indexes. (With the condition inside the union it would sort.)
async fn read_leaves<'a>(
    client: &Client,
    leaves: impl Iterator<Item = &'a str>,
    (first, last): (i64, i64),
    take: &mut impl FnMut(Recorded),
) -> Result<u64, tokio_postgres::Error> {
    let parts: Vec<String> = leaves
        .filter(|leaf| is_leaf_name(leaf))
        .map(|leaf| format!("SELECT {COLUMNS} FROM log.{leaf}"))
        .collect();
    if parts.is_empty() {
        return Ok(0);
    }
    let sql = format!(
        "-- log::read
         SELECT {COLUMNS} FROM ({}) AS e WHERE position BETWEEN $1 AND $2 ORDER BY position",
        parts.join(" UNION ALL ")
    );
    let statement = client.prepare(&sql).await?;
    let mut rows = std::pin::pin!(client.query_raw(&statement, [first, last]).await?);
    let mut events = 0;
    while let Some(row) = rows.try_next().await? {
        take(recorded_of_row(&row)?);
        events += 1;
    }
    Ok(events)
}

/// The columns that [`recorded_of_row`] reads: all except the chain's hash.
pub(super) const COLUMNS: &str = "position, id, family, kind, stream, project_id, occurred_at, \
                                  key_at, recorded_at, source, redacted, bad_signatures, body";

/// Returns the event of a row that begins with [`COLUMNS`].
///
/// # Errors
///
/// When a value cannot have been appended, e.g. a time out of range.
pub(super) fn recorded_of_row(row: &Row) -> Result<Recorded, tokio_postgres::Error> {
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
            body: row.try_get(12)?,
        },
    })
}

/// Reads the event at a position, with its body; `None` if there is none, or it was dropped.
///
/// # Errors
///
/// When the database is away.
pub async fn read_at(
    client: &Client,
    position: i64,
) -> Result<Option<Recorded>, tokio_postgres::Error> {
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
    let Some(leaf): Option<String> = leaf else {
        return Ok(None);
    };
    let mut event = None;
    let only = std::iter::once(leaf.as_str());
    match read_leaves(client, only, (position, position), &mut |found| event = Some(found)).await {
        Err(error)
            if is_missing_leaf(&error)
                && !find_dropped(client, &BTreeSet::from([leaf.as_str()])).await?.is_empty() =>
        {
            Ok(None)
        }
        read => read.map(|_| event),
    }
}
