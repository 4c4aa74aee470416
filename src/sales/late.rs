//! Which readings became known after a time was billed.

use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use tokio_postgres::Transaction;

use super::Error;
use super::readings::Series;
use crate::billing::Mapping;

/// Series with readings that came late, and no later than the earliest of them. That something is
/// in here says that it is to be looked at, no more.
pub(super) type Late = BTreeMap<Series, Timestamp>;

/// Of windows that begin before `before`, computed from something that was told after the position.
pub(super) async fn by_windows(
    tx: &Transaction<'_>,
    tenant_id: &str,
    mappings: &[Mapping],
    before: Timestamp,
    position: i64,
) -> Result<Late, Error> {
    let rows = tx
        .query(
            "-- sales::late_windows
             SELECT resource_id, mapping, min(\"window\") FROM metering.usage_window
             WHERE project_id = $1 AND \"window\" < $2 AND position > $3 GROUP BY 1, 2",
            &[&tenant_id, &before, &position],
        )
        .await?;
    let mut late = Late::new();
    for row in &rows {
        let mapping = usize::try_from(row.get::<_, i16>(1)).ok().and_then(|it| mappings.get(it));
        let mapping = mapping.ok_or_else(|| Error::broken("a window is of no mapping"))?;
        let series = Series { resource_id: row.get(0), meter: mapping.meter.clone() };
        let at = late.entry(series).or_insert(Timestamp::MAX);
        *at = row.get::<_, Timestamp>(2).min(*at);
    }
    Ok(late)
}

/// Of times before `before`, told after the first of the positions and not after the last.
pub(super) async fn by_samples(
    tx: &Transaction<'_>,
    tenant_id: &str,
    meters: &[&str],
    before: Timestamp,
    positions: Range<i64>,
) -> Result<Late, Error> {
    if meters.is_empty() {
        return Ok(Late::new());
    }
    let rows = tx
        .query(
            "-- sales::late_samples
             SELECT resource_id, counter_name, min(\"timestamp\") FROM (
                 SELECT resource_id, counter_name, \"timestamp\" FROM metering.sample
                 WHERE position > $4 AND position <= $5 AND project_id = $1
                   AND counter_name = ANY ($2) AND \"timestamp\" < $3 AND trusted
                 UNION ALL
                 SELECT resource_id, counter_name, \"timestamp\" FROM metering.superseded
                 WHERE superseded_at > $5 AND position > $4 AND position <= $5 AND project_id = $1
                   AND counter_name = ANY ($2) AND \"timestamp\" < $3 AND trusted
             ) AS late GROUP BY 1, 2",
            &[&tenant_id, &meters, &before, &positions.start, &positions.end],
        )
        .await?;
    let series = |row: &tokio_postgres::Row| Series { resource_id: row.get(0), meter: row.get(1) };
    Ok(rows.iter().map(|row| (series(row), row.get(2))).collect())
}
