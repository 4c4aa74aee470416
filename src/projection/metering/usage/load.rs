//! Brings the stored readings that tell of changed windows, and their metadata. Each look-up goes
//! through the index of identities, by resource and meter; `IS NOT DISTINCT FROM` keeps it out of
//! the one by project and time, in which all of a tenant's samples stand side by side.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use anyhow::{Context, Result};
use jiff::Timestamp;
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::series::{Known, Series};

/// One look-up each: of which series, and where.
#[derive(Default)]
struct Keys<'a> {
    series: Vec<usize>,
    resources: Vec<&'a str>,
    meters: Vec<&'a str>,
    projects: Vec<&'a str>,
    from: Vec<Timestamp>,
    to: Vec<Timestamp>,
    floor: Vec<Timestamp>,
}

impl<'a> Keys<'a> {
    fn push(&mut self, index: usize, series: &Series<'a>) {
        self.series.push(index);
        self.resources.push(series.resource_id);
        self.meters.push(series.counter_name);
        self.projects.push(series.project_id);
    }

    /// The series that the first column of a row, the place of its key from 1 on, is of.
    fn of(&self, row: &Row) -> Result<usize> {
        let nth = usize::try_from(row.get::<_, i64>(0) - 1)?;
        self.series.get(nth).copied().context("a row of no key")
    }
}

/// Looks for the next readings of counters that samples came late for.
pub(super) async fn next(tx: &Transaction<'_>, all: &mut [Series<'_>]) -> Result<()> {
    let mut keys = Keys::default();
    for (index, series) in all.iter().enumerate() {
        for end in series.open_ends() {
            keys.push(index, series);
            keys.from.push(end);
        }
    }
    if keys.series.is_empty() {
        return Ok(());
    }
    let statement = "-- metering::next_readings
        SELECT k.n, s.\"timestamp\"
        FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) WITH ORDINALITY
             AS k (resource_id, counter_name, project_id, at, n),
        LATERAL (
            SELECT \"timestamp\" FROM sample
            WHERE resource_id = k.resource_id AND counter_name = k.counter_name
              AND \"timestamp\" >= k.at AND project_id IS NOT DISTINCT FROM k.project_id AND trusted
            ORDER BY \"timestamp\" LIMIT 1
        ) AS s";
    let rows = tx
        .query(statement, &[&keys.resources, &keys.meters, &keys.projects, &keys.from])
        .await
        .context("looking for the next readings")?;
    for row in &rows {
        all[keys.of(row)?].open(row.get(1));
    }
    Ok(())
}

/// Brings the stored readings of all spans, and the last one before each.
pub(super) async fn readings(tx: &Transaction<'_>, all: &mut [Series<'_>]) -> Result<()> {
    let mut keys = Keys::default();
    for (index, series) in all.iter().enumerate() {
        for wanted in series.wanted() {
            keys.push(index, series);
            keys.from.push(wanted.span.from);
            keys.to.push(wanted.span.to);
            // No sample is as old.
            keys.floor.push(wanted.floor.unwrap_or(Timestamp::UNIX_EPOCH));
        }
    }
    if keys.series.is_empty() {
        return Ok(());
    }
    let statement = "-- metering::readings
        SELECT k.n, s.*
        FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[])
             WITH ORDINALITY AS k (resource_id, counter_name, project_id, start, until, floor, n),
        LATERAL (
            SELECT \"timestamp\", counter_volume, metadata_id, position FROM sample
            WHERE resource_id = k.resource_id AND counter_name = k.counter_name
              AND \"timestamp\" >= k.start AND \"timestamp\" < k.until
              AND project_id IS NOT DISTINCT FROM k.project_id AND trusted
            UNION ALL
            (SELECT \"timestamp\", counter_volume, metadata_id, position FROM sample
             WHERE resource_id = k.resource_id AND counter_name = k.counter_name
               AND \"timestamp\" >= k.floor AND \"timestamp\" < k.start
               AND project_id IS NOT DISTINCT FROM k.project_id AND trusted
             ORDER BY \"timestamp\" DESC LIMIT 1)
        ) AS s";
    let rows = tx
        .query(
            statement,
            &[&keys.resources, &keys.meters, &keys.projects, &keys.from, &keys.to, &keys.floor],
        )
        .await
        .context("reading the readings of windows")?;
    let mut found = HashMap::<usize, Vec<Known>>::new();
    for row in &rows {
        let known = Known {
            at: row.get(1),
            volume: row.get(2),
            metadata_id: row.get(3),
            position: row.get(4),
        };
        found.entry(keys.of(row)?).or_default().push(known);
    }
    for (index, known) in found {
        all[index].add(known);
    }
    Ok(())
}

/// The texts of all readings' metadata: the stretch's own, and the stored ones.
pub(super) async fn metadata<'t>(
    tx: &Transaction<'_>,
    all: &[Series<'_>],
    texts: &'t HashMap<Uuid, String>,
) -> Result<Vec<(Uuid, Cow<'t, str>)>> {
    let needed: BTreeSet<Uuid> = all
        .iter()
        .flat_map(|series| series.known.iter().filter_map(|reading| reading.metadata_id))
        .collect();
    let mut bodies = Vec::with_capacity(needed.len());
    let mut stored = Vec::new();
    for id in needed {
        match texts.get(&id) {
            Some(body) => bodies.push((id, Cow::Borrowed(body.as_str()))),
            None => stored.push(id),
        }
    }
    if !stored.is_empty() {
        let statement = "-- metering::texts
            SELECT metadata_id, body FROM metadata WHERE metadata_id = ANY($1)";
        let rows = tx.query(statement, &[&stored]).await.context("reading metadata")?;
        bodies.extend(rows.iter().map(|row| (row.get(0), Cow::Owned(row.get(1)))));
    }
    Ok(bodies)
}
