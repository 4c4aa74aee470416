//! Reads the rows that facts can change.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result};
use tokio_postgres::{Row, Transaction};

use super::fact::Facts;
use super::fold::{Location, StoredSample};
use super::located::{LocatedRow, select_located};
use super::meter::Meter;
use super::month::Month;
use super::name::{NameKey, NameKind, ReportedName};
use super::resource::{Key, Resource};
use super::sample::Sample;

/// Makes look-ups by lists of keys use the indexes. However many keys there are, reading the whole table
/// instead takes longer and longer as it grows.
pub(super) async fn prefer_indexes(tx: &Transaction<'_>) -> Result<()> {
    tx.batch_execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off").await?;
    Ok(())
}

/// Reads the stored rows of the facts' resources, of all projects: a resource of one project may have
/// belonged to another before.
pub(super) async fn resources(
    tx: &Transaction<'_>,
    facts: &Facts,
) -> Result<Vec<LocatedRow<Resource>>> {
    let mut ids: Vec<&str> =
        facts.resources.iter().map(|resource| resource.resource_id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let source = "FROM unnest($1::text[]) AS k (id) JOIN resource ON resource_id = k.id";
    select_located(tx, source, &[&ids]).await
}

/// Reads the stored rows of all meters of the names of the facts' meters.
pub(super) async fn meters(tx: &Transaction<'_>, facts: &Facts) -> Result<Vec<LocatedRow<Meter>>> {
    let mut names: Vec<&str> =
        facts.meters.iter().map(|meter| meter.counter_name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    select_located(tx, "FROM meter WHERE counter_name = ANY($1)", &[&names]).await
}

/// Reads the names that count so far of the ids of the facts' names.
pub(super) async fn names(
    tx: &Transaction<'_>,
    facts: &Facts,
) -> Result<Vec<LocatedRow<ReportedName>>> {
    let keys: HashSet<NameKey<'_>> = facts.names.iter().map(ReportedName::key).collect();
    let (kinds, ids): (Vec<NameKind>, Vec<&str>) = keys.into_iter().unzip();
    let source = "FROM unnest($1::text[], $2::text[]) AS k (of_kind, of_id)
        JOIN reported_name ON kind = k.of_kind AND id = k.of_id AND superseded_at IS NULL";
    select_located(tx, source, &[&kinds, &ids]).await
}

/// Reads the stored rows of the samples' identities, each by the index of the first sample of its
/// identity. Identities that are new according to the resources are not looked up.
pub(super) async fn samples(
    tx: &Transaction<'_>,
    samples: &[Sample],
    resources: &[LocatedRow<Resource>],
) -> Result<HashMap<usize, StoredSample>> {
    let mut stored = HashMap::new();
    for (month, indexes) in look_ups(samples, resources) {
        let of = |index: &usize| &samples[*index];
        let ids: Vec<&str> = indexes.iter().map(|i| of(i).resource_id.as_str()).collect();
        let names: Vec<&str> = indexes.iter().map(|i| of(i).counter_name.as_str()).collect();
        let times: Vec<_> = indexes.iter().map(|i| of(i).timestamp).collect();
        let projects: Vec<_> = indexes.iter().map(|i| of(i).project_id.as_deref()).collect();
        let increases: Vec<_> = indexes.iter().map(|i| of(i).increase()).collect();
        let statement = format!(
            "-- metering::load_sample
             SELECT k.n, s.ctid::text, s.counter_type, s.counter_unit, s.counter_volume, s.user_id,
                    s.source, s.message_id, s.trusted, s.metadata_id, s.event_id, s.position
             FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::numeric[])
                  WITH ORDINALITY AS k (resource_id, counter_name, at, project_id, increase, n)
             JOIN {} AS s ON s.resource_id = k.resource_id
                         AND s.counter_name COLLATE \"POSIX\" = k.counter_name
                         AND s.\"timestamp\" = k.at AND s.project_id IS NOT DISTINCT FROM k.project_id
                         AND s.increase IS NOT DISTINCT FROM k.increase",
            month.table()
        );
        let rows = tx
            .query(&statement, &[&ids, &names, &times, &projects, &increases])
            .await
            .with_context(|| format!("reading {}", month.table()))?;
        for row in &rows {
            let nth = usize::try_from(row.get::<_, i64>(0) - 1)?;
            let index = *indexes.get(nth).context("a row without a key")?;
            stored.insert(index, stored_sample(row, month, &samples[index]));
        }
    }
    Ok(stored)
}

/// Returns, by month, the index of the first sample of each identity that may be stored already.
pub(super) fn look_ups(
    samples: &[Sample],
    resources: &[LocatedRow<Resource>],
) -> BTreeMap<Month, Vec<usize>> {
    let stored: HashMap<Key<'_>, &Resource> =
        resources.iter().map(|located| (located.row.key(), &located.row)).collect();
    let mut look_ups = BTreeMap::<Month, Vec<usize>>::new();
    for (index, sample) in samples.iter().enumerate() {
        let is_first = index == 0 || samples[index - 1].identity() != sample.identity();
        let resource = stored.get(&(sample.resource_id.as_str(), sample.project_id.as_deref()));
        let may_be_stored = resource.is_some_and(|resource| {
            resource.may_have_sample(&sample.counter_name, sample.timestamp)
        });
        if is_first && may_be_stored {
            look_ups.entry(Month::of(sample.timestamp)).or_default().push(index);
        }
    }
    look_ups
}

/// Reads the row found for the identity of `sought`.
fn stored_sample(row: &Row, month: Month, sought: &Sample) -> StoredSample {
    StoredSample {
        location: Location { month, ctid: row.get(1) },
        sample: Sample {
            timestamp: sought.timestamp,
            project_id: sought.project_id.clone(),
            resource_id: sought.resource_id.clone(),
            counter_name: sought.counter_name.clone(),
            counter_type: row.get(2),
            counter_unit: row.get(3),
            counter_volume: row.get(4),
            user_id: row.get(5),
            source: row.get(6),
            message_id: row.get(7),
            trusted: row.get(8),
            metadata_id: row.get(9),
            event_id: row.get(10),
            position: row.get(11),
        },
    }
}
