//! Readings that became known after their time was billed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use jiff::{SignedDuration, Timestamp};
use tokio_postgres::Transaction;

use super::Error;
use crate::billing::Mapping;
use crate::projection::metering::read::{self, Series};

/// Series with readings that arrived late, each with a time not after the earliest of them. A series in
/// here has to be examined; it need not have changed.
pub(super) type LateReadings = BTreeMap<Series, Timestamp>;

/// Finds them by the windows that begin before `before` and depend on a reading after the position.
pub(super) async fn by_windows(
    tx: &Transaction<'_>,
    tenant_id: &str,
    mappings: &[Mapping],
    before: Timestamp,
    position: i64,
) -> Result<LateReadings, Error> {
    let mut late = LateReadings::new();
    for windows in read::late_windows(tx, tenant_id, before, position).await? {
        let mapping = usize::try_from(windows.mapping).ok().and_then(|index| mappings.get(index));
        let mapping = mapping.ok_or_else(|| {
            Error::broken("a window has a mapping that the configuration does not contain")
        })?;
        let series = Series { resource_id: windows.resource_id, meter: mapping.meter.clone() };
        let first = late.entry(series).or_insert(Timestamp::MAX);
        *first = windows.first.min(*first);
    }
    Ok(late)
}

/// Finds them by the samples whose events come after the first of the positions and not after the last, and
/// that can change the usage before `before` by one of the mappings: samples of their meters and, of mappings
/// that use those, of other meters and projects.
pub(super) async fn by_samples(
    tx: &Transaction<'_>,
    tenant_id: &str,
    mappings: &[&Mapping],
    before: Timestamp,
    positions: Range<i64>,
) -> Result<LateReadings, Error> {
    let mut late = LateReadings::new();
    let Some(reach_us) = mappings.iter().map(|mapping| mapping.reach_us()).max() else {
        return Ok(late);
    };
    // A later sample may report that a resource ended before.
    let reach = SignedDuration::from_micros(reach_us);
    let until = before.checked_add(reach).unwrap_or(Timestamp::MAX);
    let mut add = |resource_id: &str, meter: &str, at: Timestamp| {
        let series = Series { resource_id: resource_id.to_owned(), meter: meter.to_owned() };
        let at = at.checked_sub(reach).unwrap_or(Timestamp::MIN);
        let first = late.entry(series).or_insert(at);
        *first = at.min(*first);
    };
    let meters: Vec<&str> = mappings.iter().map(|mapping| mapping.meter.as_str()).collect();
    let with_states: BTreeSet<&str> = mappings
        .iter()
        .filter(|mapping| mapping.uses_other_meters())
        .map(|mapping| mapping.meter.as_str())
        .collect();
    let wanted = with_states.is_empty().then_some(&meters[..]);
    for found in read::late_samples(tx, tenant_id, wanted, until, positions.clone()).await? {
        let Series { resource_id, meter } = &found.series;
        if meters.contains(&meter.as_str()) {
            add(resource_id, meter, found.first);
        }
        for state_meter in &with_states {
            add(resource_id, state_meter, found.first);
        }
    }
    let mut shared = BTreeMap::<String, BTreeSet<String>>::new();
    for read::SharedResource { resource_id, project_id } in
        read::shared_resources(tx, tenant_id).await?
    {
        shared.entry(project_id).or_default().insert(resource_id);
    }
    for (project_id, resources) in shared {
        let wanted = Some(&meters[..]);
        for found in read::late_samples(tx, &project_id, wanted, until, positions.clone()).await? {
            let Series { resource_id, meter } = &found.series;
            if resources.contains(resource_id) {
                add(resource_id, meter, found.first);
            }
        }
    }
    Ok(late)
}
