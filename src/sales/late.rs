//! Readings that became known after their time was billed.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
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

/// Finds them by the samples before `before` whose events come after the first of the positions and not
/// after the last.
pub(super) async fn by_samples(
    tx: &Transaction<'_>,
    tenant_id: &str,
    meters: &[&str],
    before: Timestamp,
    positions: Range<i64>,
) -> Result<LateReadings, Error> {
    if meters.is_empty() {
        return Ok(LateReadings::new());
    }
    let late = read::late_samples(tx, tenant_id, meters, before, positions).await?;
    Ok(late.into_iter().map(|late| (late.series, late.first)).collect())
}
