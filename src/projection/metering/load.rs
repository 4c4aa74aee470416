//! Brings the rows that facts can change.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use tokio_postgres::{Row, Transaction};

use super::fact::Facts;
use super::fold::{Place, Stored};
use super::located::Placed;
use super::meter::Meter;
use super::month::Month;
use super::resource::{Key, Resource, Told};
use super::sample::Sample;

/// Lets the look-ups by lists of keys go through the indexes: however many keys there are, reading a
/// whole table in their stead takes longer and longer.
pub(super) async fn by_index(tx: &Transaction<'_>) -> Result<()> {
    tx.batch_execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off").await?;
    Ok(())
}

/// The rows of the resources that are seen.
pub(super) async fn resources(
    tx: &Transaction<'_>,
    facts: &Facts,
) -> Result<Vec<Placed<Resource>>> {
    let (ids, projects): (Vec<&str>, Vec<Option<&str>>) =
        facts.resources.iter().map(Resource::key).unzip();
    let rows = tx
        .query(
            "-- metering::load_resource
             SELECT r.ctid::text, r.project_id, r.resource_id, r.first_at, r.last_at, r.meters,
                    r.meters_last_at, r.user_id, r.source, r.metadata_id, r.told_at, r.told_trusted,
                    r.told_message_id, r.told_event_id
             FROM unnest($1::text[], $2::text[]) AS k (resource_id, project_id)
             JOIN resource AS r ON r.resource_id = k.resource_id
                               AND r.project_id IS NOT DISTINCT FROM k.project_id",
            &[&ids, &projects],
        )
        .await
        .context("reading resource")?;
    Ok(rows.iter().map(resource).collect())
}

fn resource(row: &Row) -> Placed<Resource> {
    let meters: Vec<String> = row.get(5);
    let last_at: Vec<_> = row.get(6);
    Placed {
        ctid: row.get(0),
        row: Resource {
            project_id: row.get(1),
            resource_id: row.get(2),
            first_at: row.get(3),
            last_at: row.get(4),
            meters: meters.into_iter().zip(last_at).collect(),
            told: Told {
                user_id: row.get(7),
                source: row.get(8),
                metadata_id: row.get(9),
                at: row.get(10),
                trusted: row.get(11),
                message_id: row.get(12),
                event_id: row.get(13),
            },
        },
    }
}

/// The rows of all meters of the names that are seen.
pub(super) async fn meters(tx: &Transaction<'_>, facts: &Facts) -> Result<Vec<Placed<Meter>>> {
    let mut names: Vec<&str> =
        facts.meters.iter().map(|meter| meter.counter_name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let rows = tx
        .query(
            "-- metering::load_meter
             SELECT ctid::text, counter_name, counter_type, counter_unit, samples, first_at, last_at
             FROM meter WHERE counter_name = ANY($1)",
            &[&names],
        )
        .await
        .context("reading meter")?;
    let meter = |row: &Row| Placed {
        ctid: row.get(0),
        row: Meter {
            counter_name: row.get(1),
            counter_type: row.get(2),
            counter_unit: row.get(3),
            samples: row.get(4),
            first_at: row.get(5),
            last_at: row.get(6),
        },
    };
    Ok(rows.iter().map(meter).collect())
}

/// The rows of the samples' identities, each by the index of the first sample of its own. What the
/// resources say is new is not looked for.
pub(super) async fn samples(
    tx: &Transaction<'_>,
    samples: &[Sample],
    resources: &[Placed<Resource>],
) -> Result<HashMap<usize, Stored>> {
    let mut stored = HashMap::new();
    for (month, indexes) in wanted(samples, resources) {
        let of = |index: &usize| &samples[*index];
        let ids: Vec<&str> = indexes.iter().map(|i| of(i).resource_id.as_str()).collect();
        let names: Vec<&str> = indexes.iter().map(|i| of(i).counter_name.as_str()).collect();
        let times: Vec<_> = indexes.iter().map(|i| of(i).timestamp).collect();
        let projects: Vec<_> = indexes.iter().map(|i| of(i).project_id.as_deref()).collect();
        let statement = format!(
            "-- metering::load_sample
             SELECT k.n, s.ctid::text, s.counter_type, s.counter_unit, s.counter_volume, s.user_id,
                    s.source, s.message_id, s.trusted, s.metadata_id, s.event_id, s.position
             FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]) WITH ORDINALITY
                  AS k (resource_id, counter_name, at, project_id, n)
             JOIN {} AS s ON s.resource_id = k.resource_id AND s.counter_name = k.counter_name
                         AND s.\"timestamp\" = k.at AND s.project_id IS NOT DISTINCT FROM k.project_id",
            month.table()
        );
        let rows = tx
            .query(&statement, &[&ids, &names, &times, &projects])
            .await
            .with_context(|| format!("reading {}", month.table()))?;
        for row in &rows {
            let nth = usize::try_from(row.get::<_, i64>(0) - 1)?;
            let index = *indexes.get(nth).context("a row of no key")?;
            stored.insert(index, sample(row, month, &samples[index]));
        }
    }
    Ok(stored)
}

/// By month, the first sample of each identity that may be there already.
pub(super) fn wanted(
    samples: &[Sample],
    resources: &[Placed<Resource>],
) -> BTreeMap<Month, Vec<usize>> {
    let known: HashMap<Key<'_>, &Resource> =
        resources.iter().map(|placed| (placed.row.key(), &placed.row)).collect();
    let mut wanted = BTreeMap::<Month, Vec<usize>>::new();
    for (index, sample) in samples.iter().enumerate() {
        let is_first = index == 0 || samples[index - 1].identity() != sample.identity();
        let resource = known.get(&(sample.resource_id.as_str(), sample.project_id.as_deref()));
        let may_be_there = resource
            .is_some_and(|resource| resource.may_hold(&sample.counter_name, sample.timestamp));
        if is_first && may_be_there {
            wanted.entry(Month::of(sample.timestamp)).or_default().push(index);
        }
    }
    wanted
}

/// The row found for the identity of `sought`.
fn sample(row: &Row, month: Month, sought: &Sample) -> Stored {
    Stored {
        place: Place { month, ctid: row.get(1) },
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
