//! `/get_usage`: what a tenant used in a span of time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::pin;
use std::time::Duration;

use axum::Json;
use axum::extract;
use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::api::State;
use crate::api::distil::time::{MOMENT, distil_time, moment};
use crate::billing::order::CALCULATION;
use crate::billing::window::reach_back;
use crate::billing::{
    Amount, Basis, Bill, Mapping, Metadata, Rates, Reading, Settings, Span, Timeline, Unit, Usage,
    Volume,
};
use crate::http::{FromParameters, Parameters, Problem, Query};
use crate::projection::metering::Session;

/// How long a query may take: less than a request.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a tenant used.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Answer {
    usage: UsageOf,
}

/// In Distil's nesting.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct UsageOf {
    /// What the tenant is called: nothing tells it.
    name: Option<String>,
    tenant_id: String,
    /// The first time that counts, UTC.
    start: String,
    /// The first that does not, UTC.
    end: String,
    /// By id. Beside the fields here stand those that the mappings make of the samples' metadata.
    #[schema(value_type = std::collections::HashMap<String, Resource>)]
    resources: BTreeMap<String, Resource>,
    /// As `start`, to the µs.
    #[schema(value_type = String, format = DateTime)]
    from: Timestamp,
    /// As `end`, to the µs.
    #[schema(value_type = String, format = DateTime)]
    to: Timestamp,
    /// Samples up to this position of the log are counted.
    position: i64,
}

/// A resource that used something.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Resource {
    /// What kind of thing it is.
    r#type: Option<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    metadata: BTreeMap<String, String>,
    services: Vec<Service>,
}

/// How much of a service was used.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Service {
    name: String,
    /// A decimal number: exact where it ends, else with 28 decimals.
    volume: String,
    /// What it counts.
    #[schema(value_type = String)]
    unit: Unit,
    /// The meter that told it.
    meter: String,
    /// In how many hours.
    windows: u32,
    /// The share of the time from the first to the last of them for which samples say how things
    /// stood, from 0 to 1.
    #[schema(value_type = String)]
    coverage: Amount,
}

/// Whose usage, and when.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// The tenant's id.
    #[param(required = true)]
    tenant: Option<String>,
    /// The first time that counts: `2026-11-20T03:05:54` (UTC), RFC 3339, or a day, which begins at
    /// midnight in the billing time zone.
    #[param(required = true)]
    start: Option<String>,
    /// The first time that does not count, written likewise.
    #[param(required = true)]
    end: Option<String>,
}

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(Filter {
            tenant: parameters.text("tenant")?,
            start: parameters.text("start")?,
            end: parameters.text("end")?,
        })
    }
}

impl Filter {
    fn read(self, settings: &Settings) -> Result<(String, Span), Problem> {
        let given = |name: &str, value: Option<String>| {
            value.ok_or_else(|| Problem::bad_request(name, "the parameter is missing"))
        };
        let time = |name: &str, value: Option<String>| {
            let text = given(name, value)?;
            moment(&text, &settings.terms).ok_or_else(|| Problem::bad_request(name, MOMENT))
        };
        let tenant = given("tenant", self.tenant)?;
        let (start, end) = (time("start", self.start)?, time("end", self.end)?);
        let span = Span::new(start, end)
            .ok_or_else(|| Problem::bad_request("end", "it does not lie after start"))?;
        Ok((tenant, span))
    }
}

/// What a tenant used, hour by hour added up; a span that begins or ends within an hour is computed
/// exactly
#[utoipa::path(get, path = "/get_usage", tag = "Usage", operation_id = "get_usage", params(Filter),
    responses((status = 200, body = Answer)))]
pub(super) async fn get_usage(
    extract::State(state): extract::State<State>,
    Query(filter): Query<Filter>,
) -> Result<Json<Answer>, Problem> {
    let settings = &state.file.billing;
    let (tenant, span) = filter.read(settings)?;
    let mut session = Session::open(&state.database, PATIENCE).await?;
    let snapshot = session.snapshot(&state.file).await?;
    let used = Used { tx: &snapshot.tx, tenant: &tenant, mappings: &settings.mappings };
    if !used.is_known().await? {
        return Err(Problem::not_found(format!("no sample is of the tenant {tenant:?}")));
    }
    // Nothing is priced: what has a rate and what has none is shown alike.
    let basis = Basis {
        calculation: CALCULATION,
        rounding: settings.terms.rounding.clone(),
        mappings: settings.mappings.clone(),
        rates: Rates::default(),
    };
    let mut bill = Bill::new(&basis, span);
    let (whole, parts) = divided(span);
    if let Some(whole) = whole {
        used.windows(whole, &mut bill).await?;
        used.descriptions(whole, &mut bill).await?;
    }
    for part in parts {
        used.part(part, &mut bill).await?;
    }
    let usage = UsageOf {
        name: None,
        start: distil_time(span.from, ' '),
        end: distil_time(span.to, ' '),
        resources: resources(&bill),
        from: span.from,
        to: span.to,
        position: snapshot.position,
        tenant_id: tenant,
    };
    Ok(Json(Answer { usage }))
}

fn resources(bill: &Bill<'_>) -> BTreeMap<String, Resource> {
    let mut resources = BTreeMap::<String, Resource>::new();
    for used in bill.totals() {
        let resource = resources.entry(used.resource_id.to_owned()).or_insert_with(|| Resource {
            r#type: used.resource_type.map(str::to_owned),
            metadata: used.metadata,
            services: Vec::new(),
        });
        resource.services.push(Service {
            name: used.service.to_owned(),
            volume: used.volume.to_string(),
            unit: used.mapping.unit.clone(),
            meter: used.mapping.meter.clone(),
            windows: used.windows,
            coverage: used.coverage,
        });
    }
    resources
}

/// The whole windows of a span, and the parts of windows at its edges.
fn divided(span: Span) -> (Option<Span>, BTreeSet<Span>) {
    let at_start = Span::hour_of(span.from);
    // The last moment before the end is of the last window; times are kept in µs.
    let last = Timestamp::from_microsecond(span.to.as_microsecond() - 1).unwrap_or(span.to);
    let at_end = Span::hour_of(last);
    let parts = [at_start, at_end]
        .into_iter()
        .filter_map(|window| window.clip(span).filter(|part| *part != window))
        .collect();
    let from = if at_start.from == span.from { span.from } else { at_start.to };
    let to = if at_end.to == span.to { span.to } else { at_end.from };
    (Span::new(from, to), parts)
}

/// Reads one tenant's usage.
struct Used<'a> {
    tx: &'a Transaction<'a>,
    tenant: &'a str,
    mappings: &'a [Mapping],
}

impl Used<'_> {
    async fn is_known(&self) -> Result<bool, Problem> {
        let statement = "-- usage::is_known
            SELECT EXISTS (SELECT FROM metering.resource WHERE project_id = $1)";
        Ok(self.tx.query_one(statement, &[&self.tenant]).await?.get(0))
    }

    /// Sums of whole windows.
    async fn windows(&self, span: Span, bill: &mut Bill<'_>) -> Result<(), Problem> {
        let statement = "-- usage::windows
            SELECT mapping, resource_id, service, sum(volume)::text, sum(covered_us)::bigint,
                   count(*)::integer, min(\"window\"), max(\"window\")
            FROM metering.usage_window
            WHERE project_id = $1 AND \"window\" >= $2 AND \"window\" < $3 AND service IS NOT NULL
            GROUP BY mapping, resource_id, service";
        let parameters: [&(dyn ToSql + Sync); 3] = [&self.tenant, &span.from, &span.to];
        let mut rows = pin!(self.tx.query_raw(statement, parameters).await?);
        while let Some(row) = rows.try_next().await? {
            let volume = Volume::from_numeric(row.get(3)).ok_or_else(|| defect("a volume"))?;
            let usage = Usage { service: row.get(2), volume, covered_us: row.get(4) };
            let first = Span::hour_of(row.get(6));
            let span = Span { from: first.from, to: Span::hour_of(row.get(7)).to };
            let windows = u32::try_from(row.get::<_, i32>(5)).unwrap_or_default();
            bill.add_windows(index(row.get(0)), row.get(1), span, windows, &[usage])
                .map_err(|_| defect("a window"))?;
        }
        Ok(())
    }

    /// What the samples of whole windows say, each text with the latest window that it is of.
    async fn descriptions(&self, span: Span, bill: &mut Bill<'_>) -> Result<(), Problem> {
        let statement = "-- usage::descriptions
            SELECT mapping, resource_id, description, max(\"window\")
            FROM metering.usage_window
            WHERE project_id = $1 AND \"window\" >= $2 AND \"window\" < $3 AND service IS NOT NULL
            GROUP BY mapping, resource_id, description";
        let parameters: [&(dyn ToSql + Sync); 3] = [&self.tenant, &span.from, &span.to];
        let mut rows = pin!(self.tx.query_raw(statement, parameters).await?);
        while let Some(row) = rows.try_next().await? {
            let text: Option<&str> = row.get(2);
            let said = text.map(serde_json::from_str).transpose();
            let said = said.map_err(|_| defect("a description"))?.unwrap_or_default();
            bill.describe(index(row.get(0)), row.get(1), row.get(3), &said);
        }
        Ok(())
    }

    /// What was used in a part of a window, from the readings of those who have usage in it.
    async fn part(&self, part: Span, bill: &mut Bill<'_>) -> Result<(), Problem> {
        // By resource and meter, not through all samples of the tenant: `IS NOT DISTINCT FROM`
        // keeps the index by project out of it.
        let statement = "-- usage::part
            SELECT u.mapping, u.resource_id, s.*
            FROM (SELECT DISTINCT mapping, resource_id FROM metering.usage_window
                  WHERE project_id = $1 AND \"window\" = $2) AS u,
            LATERAL (
                SELECT \"timestamp\", counter_volume, metadata_id FROM metering.sample
                WHERE resource_id = u.resource_id AND counter_name = ($5::text[])[u.mapping + 1]
                  AND \"timestamp\" >= $3 AND \"timestamp\" < $4 AND project_id IS NOT DISTINCT FROM $1 AND trusted
                UNION ALL
                (SELECT \"timestamp\", counter_volume, metadata_id FROM metering.sample
                 WHERE resource_id = u.resource_id AND counter_name = ($5::text[])[u.mapping + 1]
                   AND \"timestamp\" >= ($6::timestamptz[])[u.mapping + 1] AND \"timestamp\" < $3
                   AND project_id IS NOT DISTINCT FROM $1 AND trusted
                 ORDER BY \"timestamp\" DESC LIMIT 1)
            ) AS s";
        let window = Span::hour_of(part.from).from;
        let meters: Vec<&str> = self.mappings.iter().map(|it| it.meter.as_str()).collect();
        // No sample is as old as the clock's epoch.
        let floors: Vec<Timestamp> = self
            .mappings
            .iter()
            .map(|it| reach_back(it, part).unwrap_or(Timestamp::UNIX_EPOCH))
            .collect();
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&self.tenant, &window, &part.from, &part.to, &meters, &floors];
        let mut rows = pin!(self.tx.query_raw(statement, parameters).await?);
        let mut found = BTreeMap::<(i16, String), Vec<Found>>::new();
        while let Some(row) = rows.try_next().await? {
            let reading = Found { at: row.get(2), volume: row.get(3), metadata_id: row.get(4) };
            found.entry((row.get(0), row.get(1))).or_default().push(reading);
        }
        let metadata = self.metadata(found.values().flatten()).await?;
        for ((mapping, resource_id), readings) in &found {
            let reading = |it: &Found| Reading {
                at: it.at,
                volume: it.volume,
                metadata: it.metadata_id.and_then(|id| metadata.get(&id)),
                // One sample of each time counts: none has to be chosen.
                message_id: "",
            };
            let timeline = Timeline::new(readings.iter().map(reading).collect());
            bill.add_readings(index(*mapping), resource_id, &timeline, part);
        }
        Ok(())
    }

    async fn metadata(
        &self,
        readings: impl Iterator<Item = &Found>,
    ) -> Result<HashMap<Uuid, Metadata>, Problem> {
        let ids: BTreeSet<Uuid> = readings.filter_map(|reading| reading.metadata_id).collect();
        let ids: Vec<Uuid> = ids.into_iter().collect();
        let statement = "-- usage::metadata
            SELECT metadata_id, body FROM metering.metadata WHERE metadata_id = ANY($1)";
        let parameters: [&(dyn ToSql + Sync); 1] = [&ids];
        let mut rows = pin!(self.tx.query_raw(statement, parameters).await?);
        let mut metadata = HashMap::with_capacity(ids.len());
        while let Some(row) = rows.try_next().await? {
            metadata.insert(row.get(0), Metadata::read(row.get(1)));
        }
        Ok(metadata)
    }
}

/// A reading, before its metadata is at hand.
struct Found {
    at: Timestamp,
    volume: rust_decimal::Decimal,
    metadata_id: Option<Uuid>,
}

/// The index of a mapping, as a row holds it.
fn index(mapping: i16) -> usize {
    usize::try_from(mapping).unwrap_or(usize::MAX)
}

/// A row that the projection does not write.
fn defect(what: &str) -> Problem {
    tracing::error!("metering.usage_window holds {what} that cannot be read");
    Problem::internal()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: &str, to: &str) -> Span {
        let at = |time: &str| format!("2026-11-20T{time}Z").parse().unwrap();
        Span::new(at(from), at(to)).unwrap()
    }

    #[test]
    fn a_span_is_whole_windows_and_parts_of_those_at_its_edges() {
        for (of, whole, parts) in [
            (span("10:00:00", "12:00:00"), Some(span("10:00:00", "12:00:00")), vec![]),
            (
                span("09:30:00", "12:15:00"),
                Some(span("10:00:00", "12:00:00")),
                vec![span("09:30:00", "10:00:00"), span("12:00:00", "12:15:00")],
            ),
            (span("10:10:00", "10:20:00"), None, vec![span("10:10:00", "10:20:00")]),
            (span("10:00:00", "10:20:00"), None, vec![span("10:00:00", "10:20:00")]),
            (
                span("10:59:59.999999", "11:00:00.000001"),
                None,
                vec![span("10:59:59.999999", "11:00:00"), span("11:00:00", "11:00:00.000001")],
            ),
        ] {
            assert_eq!(divided(of), (whole, parts.into_iter().collect()), "{of:?}");
        }
    }
}
