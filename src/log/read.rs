//! Reading: in order of positions, from the leaves that hold them and no others, so that the cost
//! does not grow with the log.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

use super::chain::hex;
use super::copy::NO_TIME;
use super::horizon::horizons;
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

impl Limit {
    /// Enough to make sets worth their while, little enough that a few stretches in flight stay
    /// far below the process's memory bound.
    pub const USUAL: Limit = Limit { events: 20_000, bytes: 48 << 20, batches: 4_000 };
}

/// How many leaves a stretch is read from at most: each is a lock of the reader's, and with a day of
/// its own for each leaf also one of whoever applies the stretch.
const LEAVES: usize = 32;

/// A stretch of the log: what a reader of these families has to apply, and where it is then.
#[derive(Debug)]
pub struct Stretch {
    /// The events, in order of positions.
    pub events: Vec<Recorded>,
    /// The reader has now seen everything up to here (other families' events included).
    pub position: i64,
}

/// How far a reader has come.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Events it was handed now.
    pub events: u64,
    /// It has now seen everything up to here (other families' events included).
    pub position: i64,
}

impl Reader {
    /// Reads these families only.
    pub fn new(families: &[Family]) -> Self {
        Reader { families: families.iter().map(|family| family.as_str()).collect() }
    }

    /// The next events after `position`, up to and including `until`: whole batches, about as many
    /// as `limit` allows. What was dropped is passed over.
    /// No events and an unmoved position: there is nothing new.
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
            self.each(client, position, until, limit, |recorded| events.push(recorded)).await?;
        Ok(Stretch { events, position: read.position })
    }

    /// As [`Reader::next`], but hands over each event as it comes, in order of positions: while one
    /// is looked at the server has the next ones ready, and a stretch is never in memory whole.
    ///
    /// # Errors
    ///
    /// As [`Reader::next`]; what was handed over then is to be forgotten.
    pub async fn each(
        &self,
        client: &Client,
        position: i64,
        until: i64,
        limit: Limit,
        mut take: impl FnMut(Recorded),
    ) -> Result<Seen, tokio_postgres::Error> {
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
        let ours = batches.iter().filter(|batch| batch.get(0)).map(|batch| batch.get(1)).collect();
        let mut gone = dropped(client, &ours).await?;
        loop {
            let plan = Plan::of(&batches, &gone, position, until, limit);
            match plan.read(client, &mut take).await {
                // Dropped since it was looked for, which shows before the first event: look again.
                Err(error) if is_gone(&error) => {
                    let now_gone = dropped(client, &ours).await?;
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

/// From which leaves a run of positions is read.
struct Plan<'a> {
    leaves: BTreeSet<&'a str>,
    /// Positions after this one,
    after: i64,
    /// up to and including this one.
    seen: i64,
}

impl<'a> Plan<'a> {
    /// From batches, of which those in leaves that are gone hold nothing any more.
    fn of(
        batches: &'a [Row],
        gone: &BTreeSet<&str>,
        position: i64,
        until: i64,
        limit: Limit,
    ) -> Self {
        let mut plan = Plan { leaves: BTreeSet::new(), after: position, seen: position };
        let (mut events, mut bytes) = (0, 0);
        for batch in batches {
            let (is_ours, leaf): (bool, &str) = (batch.get(0), batch.get(1));
            let (first, last): (i64, i64) = (batch.get(2), batch.get(3));
            let (first, last) = (first.max(position + 1), last.min(until));
            if is_ours && !gone.contains(leaf) {
                (events, bytes) = (events + last - first + 1, bytes + batch.get::<_, i64>(4));
                let is_more = events > limit.events || bytes > limit.bytes;
                let is_wider = plan.leaves.len() == LEAVES && !plan.leaves.contains(leaf);
                if is_wider || (is_more && !plan.leaves.is_empty()) {
                    break;
                }
                plan.leaves.insert(leaf);
            }
            plan.seen = last;
        }
        plan
    }

    async fn read(
        self,
        client: &Client,
        take: &mut impl FnMut(Recorded),
    ) -> Result<Seen, tokio_postgres::Error> {
        // All that these leaves hold of the run is of batches that were planned with.
        let run = (self.after + 1, self.seen);
        let events = read(client, self.leaves.into_iter(), run, take).await?;
        Ok(Seen { events, position: self.seen })
    }
}

/// Whether a leaf that was to be read is not there.
pub(super) fn is_gone(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::UNDEFINED_TABLE)
}

/// Which of the leaves were dropped: they lie before their families' horizons, and are not there.
pub(super) async fn dropped<'a>(
    client: &Client,
    leaves: &BTreeSet<&'a str>,
) -> Result<BTreeSet<&'a str>, tokio_postgres::Error> {
    if !leaves.iter().any(|leaf| Leaf::of_day(leaf).is_some()) {
        return Ok(BTreeSet::new());
    }
    let horizons = horizons(client).await?;
    let past: Vec<&str> = leaves
        .iter()
        .copied()
        .filter(|leaf| Leaf::of_day(leaf).is_some_and(|leaf| horizons.are_past(leaf)))
        .collect();
    if past.is_empty() {
        return Ok(BTreeSet::new());
    }
    let sql = "-- log::dropped
        SELECT n FROM unnest($1::text[]) WITH ORDINALITY AS l (leaf, n) WHERE to_regclass('log.' || leaf) IS NULL";
    let rows = client.query(sql, &[&past]).await?;
    Ok(rows.iter().map(|row| past[row.get::<_, i64>(0) as usize - 1]).collect())
}

/// The condition that a batch holds positions after the one and up to the other. Batches follow each
/// other without gaps, so the last of them is the first that reaches as far: nothing beyond it is
/// looked at.
pub(super) fn overlaps(after: &str, until: &str) -> String {
    format!(
        "last_position > {after} AND first_position <= {until} AND last_position <= coalesce(
             (SELECT min(last_position) FROM log.batch WHERE last_position >= {until}),
             {})",
        i64::MAX
    )
}

/// Hands over what stands in these leaves between these positions, both included, in order; how many
/// events that were. One statement: it locks all leaves before its first row, and the server merges
/// what their indexes lead to. (With a condition within the union it would sort.)
async fn read<'a>(
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
        take(recorded(&row)?);
        events += 1;
    }
    Ok(events)
}

/// What [`recorded`] makes an event of: all columns but the chain's hash.
pub(super) const COLUMNS: &str = "position, id, family, kind, stream, project_id, occurred_at, \
                                  key_at, recorded_at, source, redacted, bad_signatures, body";

/// The event of a row that begins with [`COLUMNS`].
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
            body: row.try_get(12)?,
        },
    })
}

/// One event with its body; `None` where there is none, or it was dropped.
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
    let Some(leaf): Option<String> = leaf else {
        return Ok(None);
    };
    let mut event = None;
    let only = std::iter::once(leaf.as_str());
    match read(client, only, (position, position), &mut |found| event = Some(found)).await {
        Err(error)
            if is_gone(&error)
                && !dropped(client, &BTreeSet::from([leaf.as_str()])).await?.is_empty() =>
        {
            Ok(None)
        }
        read => read.map(|_| event),
    }
}
