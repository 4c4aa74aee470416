//! Readings of one tenant as they stood at a position of the log: from `sample`, and those that
//! counted then from `superseded`.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use rust_decimal::Decimal;
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::Error;
use crate::billing::window::reach_back;
use crate::billing::{Basis, Bill, Mapping, Metadata, Reading, Span, Timeline};

/// What readings are of: one resource and one meter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Series {
    pub resource_id: String,
    pub meter: String,
}

/// The earliest time at which the last reading before a span still matters to some mapping of the
/// meter.
fn since(mappings: &[Mapping], meter: &str, span: Span) -> Timestamp {
    let of_meter = mappings.iter().filter(|mapping| mapping.meter == meter);
    let first = Timestamp::from_microsecond(FIRST_US).unwrap_or(span.from);
    let earliest = of_meter.map(|mapping| reach_back(mapping, span).unwrap_or(first)).min();
    earliest.unwrap_or(span.from).max(first)
}

/// No sample is earlier.
const FIRST_US: i64 = 946_684_800_000_000;

/// Readings that are read at once, about.
const ROWS: usize = 100_000;

/// Series that are asked for at once, at most.
const SERIES_MAX: usize = 1000;

/// Texts of metadata that are remembered.
const METADATA_MAX: usize = 10_000;

/// The samples of a tenant at a position.
pub(super) struct Readings<'t> {
    tx: &'t Transaction<'t>,
    tenant_id: &'t str,
    position: i64,
    /// What counted at the position and does no longer.
    superseded: HashMap<Series, Vec<Told>>,
    metadata: HashMap<Uuid, Metadata>,
}

/// Readings of some series, in their order.
pub(super) struct Loaded(Vec<Vec<Told>>);

#[derive(Clone, Debug)]
struct Told {
    at: Timestamp,
    volume: Decimal,
    message_id: String,
    metadata_id: Option<Uuid>,
}

impl<'t> Readings<'t> {
    /// Those of times before `until`.
    pub async fn new(
        tx: &'t Transaction<'t>,
        tenant_id: &'t str,
        position: i64,
        until: Timestamp,
    ) -> Result<Self, Error> {
        // Most that is superseded was so within seconds: hardly any row has the position between.
        let rows = tx
            .query(
                "-- sales::superseded
                 SELECT \"timestamp\", counter_volume, message_id, metadata_id, resource_id, counter_name
                 FROM metering.superseded
                 WHERE superseded_at > $2 AND position <= $2 AND project_id = $1 AND trusted
                   AND \"timestamp\" < $3",
                &[&tenant_id, &position, &until],
            )
            .await?;
        let mut superseded = HashMap::<Series, Vec<Told>>::new();
        for row in &rows {
            let series = Series { resource_id: row.get(4), meter: row.get(5) };
            superseded.entry(series).or_default().push(told(row, 0));
        }
        Ok(Readings { tx, tenant_id, position, superseded, metadata: HashMap::new() })
    }

    /// Calls `each` with the index of each of the series and its readings in the span, with the last
    /// one before it, if some mapping can ask for that. Those of a few series are in memory.
    async fn each(
        &mut self,
        series: &[Series],
        mappings: &[Mapping],
        span: Span,
        mut each: impl FnMut(usize, &Timeline<'_>),
    ) -> Result<(), Error> {
        let (mut first, mut count) = (0, 32);
        while first < series.len() {
            let chunk = &series[first..series.len().min(first + count)];
            let loaded = self.load(chunk, mappings, span).await?;
            for index in 0..chunk.len() {
                each(first + index, &self.timeline(&loaded, index));
            }
            let rows: usize = loaded.0.iter().map(Vec::len).sum();
            first += chunk.len();
            count = (chunk.len() * ROWS / rows.max(1)).clamp(1, SERIES_MAX);
        }
        Ok(())
    }

    /// Adds to the bill what the basis's mappings make of these series in the span, for the billed
    /// resources that are asked for.
    pub async fn add_to(
        &mut self,
        bill: &mut Bill<'_>,
        basis: &Basis,
        series: &[Series],
        span: Span,
        is_asked: impl Fn(&str) -> bool,
    ) -> Result<(), Error> {
        let by_meter = by_meter(&basis.mappings);
        self.each(series, &basis.mappings, span, |index, timeline| {
            let Series { resource_id, meter } = &series[index];
            for place in by_meter.get(meter.as_str()).into_iter().flatten() {
                if is_asked(&basis.mappings[*place].billed_resource(resource_id)) {
                    bill.add_readings(*place, resource_id, timeline, span);
                }
            }
        })
        .await
    }

    /// The readings of a few series at once.
    pub async fn load(
        &mut self,
        series: &[Series],
        mappings: &[Mapping],
        span: Span,
    ) -> Result<Loaded, Error> {
        let told = self.told(series, mappings, span).await?;
        self.learn(&told).await?;
        Ok(Loaded(told))
    }

    /// Those of one of the series.
    pub fn timeline<'r>(&'r self, loaded: &'r Loaded, index: usize) -> Timeline<'r> {
        let reading = |told: &'r Told| Reading {
            at: told.at,
            volume: told.volume,
            metadata: told.metadata_id.and_then(|id| self.metadata.get(&id)),
            message_id: &told.message_id,
        };
        Timeline::new(loaded.0.get(index).into_iter().flatten().map(reading).collect())
    }

    async fn told(
        &self,
        series: &[Series],
        mappings: &[Mapping],
        span: Span,
    ) -> Result<Vec<Vec<Told>>, Error> {
        let resources: Vec<&str> = series.iter().map(|it| it.resource_id.as_str()).collect();
        let meters: Vec<&str> = series.iter().map(|it| it.meter.as_str()).collect();
        let since: Vec<Timestamp> =
            series.iter().map(|it| since(mappings, &it.meter, span)).collect();
        let rows = self
            .tx
            .query(
                "-- sales::readings
                 SELECT s.*, k.n
                 FROM unnest($2::text[], $3::text[], $4::timestamptz[]) WITH ORDINALITY
                      AS k (resource_id, counter_name, since, n),
                      LATERAL (
                          (SELECT \"timestamp\", counter_volume, message_id, metadata_id
                           FROM metering.sample
                           WHERE resource_id = k.resource_id AND counter_name = k.counter_name
                             AND project_id = $1 AND \"timestamp\" >= $5 AND \"timestamp\" < $6
                             AND trusted AND position <= $7)
                          UNION ALL
                          (SELECT \"timestamp\", counter_volume, message_id, metadata_id
                           FROM metering.sample
                           WHERE resource_id = k.resource_id AND counter_name = k.counter_name
                             AND project_id = $1 AND \"timestamp\" >= k.since AND \"timestamp\" < $5
                             AND trusted AND position <= $7
                           ORDER BY \"timestamp\" DESC LIMIT 1)
                      ) AS s",
                &[
                    &self.tenant_id,
                    &resources,
                    &meters,
                    &since,
                    &span.from,
                    &span.to,
                    &self.position,
                ],
            )
            .await?;
        let mut all = vec![Vec::new(); series.len()];
        for row in &rows {
            let nth = usize::try_from(row.get::<_, i64>(4) - 1).map_err(Error::broken)?;
            let of = all.get_mut(nth).ok_or_else(|| Error::broken("a row of no key"))?;
            of.push(told(row, 0));
        }
        for (series, all) in series.iter().zip(&mut all) {
            let before = self.superseded.get(series).into_iter().flatten();
            all.extend(before.filter(|told| told.at < span.to).cloned());
        }
        Ok(all)
    }

    /// Reads the metadata that is not known yet.
    async fn learn(&mut self, told: &[Vec<Told>]) -> Result<(), Error> {
        if self.metadata.len() > METADATA_MAX {
            self.metadata.clear();
        }
        let ids: HashSet<Uuid> = told
            .iter()
            .flatten()
            .filter_map(|told| told.metadata_id)
            .filter(|id| !self.metadata.contains_key(id))
            .collect();
        if ids.is_empty() {
            return Ok(());
        }
        let rows = self
            .tx
            .query(
                "-- sales::metadata
                 SELECT metadata_id, body FROM metering.metadata WHERE metadata_id = ANY($1)",
                &[&Vec::from_iter(ids)],
            )
            .await?;
        self.metadata.extend(rows.iter().map(|row| (row.get(0), Metadata::read(row.get(1)))));
        Ok(())
    }
}

fn told(row: &Row, first: usize) -> Told {
    Told {
        at: row.get(first),
        volume: row.get(first + 1),
        message_id: row.get(first + 2),
        metadata_id: row.get(first + 3),
    }
}

/// The series that these mappings ask for of everything that was told of a tenant by times before
/// `until`.
pub(super) async fn of_tenant(
    tx: &Transaction<'_>,
    tenant_id: &str,
    mappings: &[Mapping],
    until: Timestamp,
) -> Result<Vec<Series>, Error> {
    let meters: Vec<&str> = mappings.iter().map(|mapping| mapping.meter.as_str()).collect();
    let rows = tx
        .query(
            "-- sales::series
             SELECT r.resource_id, m.meter
             FROM metering.resource AS r, unnest(r.meters) AS m (meter)
             WHERE r.project_id = $1 AND r.first_at < $3 AND m.meter = ANY($2)
             ORDER BY 1, 2",
            &[&tenant_id, &meters, &until],
        )
        .await?;
    Ok(rows.iter().map(|row| Series { resource_id: row.get(0), meter: row.get(1) }).collect())
}

/// The series that mappings make the usage of these billed resources of.
pub(super) fn of_billed<'r>(
    mappings: &[Mapping],
    billed: impl IntoIterator<Item = &'r str>,
) -> Vec<Series> {
    let mut series: Vec<Series> = billed
        .into_iter()
        .flat_map(|billed| {
            mappings.iter().filter_map(move |mapping| {
                let resource_id = mapping.sampled_resource(billed)?.to_owned();
                Some(Series { resource_id, meter: mapping.meter.clone() })
            })
        })
        .collect();
    series.sort();
    series.dedup();
    series
}

/// By meter the places of its mappings.
fn by_meter(mappings: &[Mapping]) -> BTreeMap<&str, Vec<usize>> {
    let mut by_meter = BTreeMap::<&str, Vec<usize>>::new();
    for (index, mapping) in mappings.iter().enumerate() {
        by_meter.entry(&mapping.meter).or_default().push(index);
    }
    by_meter
}
