//! Samples as they were sent: pages of all of them, and those of one series as of a position.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::{GenericClient, Row};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::json;
use super::readings::{ReadingKey, condition};

/// A sample that counts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sample {
    /// The meter.
    pub counter_name: String,
    /// `gauge`, `delta` or `cumulative`.
    pub counter_type: Option<String>,
    /// The unit of the value.
    pub counter_unit: Option<String>,
    /// The value, a decimal number without exponent.
    pub counter_volume: String,
    /// The sender's id of the sample; where it gave none, the event's id, a dot and the sample's index in
    /// the event.
    pub message_id: String,
    /// The tenant; null where the sample has none.
    pub project_id: Option<String>,
    /// The resource that was measured.
    pub resource_id: String,
    /// Who defined the sample, `openstack` as a rule.
    pub source: Option<String>,
    /// When it was measured.
    #[schema(value_type = String, format = DateTime)]
    pub timestamp: Timestamp,
    /// The user whom the resource belongs to.
    pub user_id: Option<String>,
    /// The sender's metadata of the resource: JSON; a string if the sender's text is not JSON.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Box<RawValue>>,
    /// The event of the log that contains it.
    pub event_id: Uuid,
    /// The volume of an increase: a part of the sort key.
    #[serde(skip)]
    increase: Option<Decimal>,
}

/// The columns of a [`Sample`], of the samples `p` and their metadata `d`.
const COLUMNS: &str =
    "p.counter_name, p.counter_type, p.counter_unit, p.counter_volume::text, p.message_id,
    p.project_id, p.resource_id, p.source, p.\"timestamp\", p.user_id, d.body, p.event_id,
    p.increase";

impl Sample {
    /// Reads [`COLUMNS`].
    fn read(row: &Row) -> Self {
        Sample {
            counter_name: row.get(0),
            counter_type: row.get(1),
            counter_unit: row.get(2),
            counter_volume: row.get(3),
            message_id: row.get(4),
            project_id: row.get(5),
            resource_id: row.get(6),
            source: row.get(7),
            timestamp: row.get(8),
            user_id: row.get(9),
            metadata: row.get::<_, Option<&str>>(10).and_then(json),
            event_id: row.get(11),
            increase: row.get(12),
        }
    }
}

/// The samples to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SampleFilter {
    /// Only samples of this meter, e.g. `cpu`.
    #[param(required = false)]
    pub meter: Option<String>,
    /// Only samples of this tenant.
    #[param(required = false)]
    pub project_id: Option<String>,
    /// Only samples of this resource.
    #[param(required = false)]
    pub resource_id: Option<String>,
    /// Only samples measured at this time or later.
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Only samples measured before this time.
    #[param(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
}

/// The sort key of a sample.
#[derive(Clone, Debug)]
pub struct SampleKey {
    /// When it was measured.
    pub at: Timestamp,
    /// Its meter, its resource and its tenant; empty where there is none.
    pub rest: [String; 3],
    /// The volume of an increase.
    pub increase: Option<Decimal>,
}

impl Sample {
    /// Returns the sample's sort key.
    pub fn key(&self) -> SampleKey {
        let project = self.project_id.clone().unwrap_or_default();
        let rest = [self.counter_name.clone(), self.resource_id.clone(), project];
        SampleKey { at: self.timestamp, rest, increase: self.increase }
    }

    /// Returns the sample's sort key among those of its series.
    pub fn reading_key(&self) -> ReadingKey {
        (self.timestamp, self.increase)
    }
}

/// The order of the list, in which no two samples are equal.
const ORDER: &str = "\"timestamp\", counter_name, resource_id, coalesce(project_id, ''),
    coalesce(increase, '-infinity')";

/// Reads a page of the samples that come after `after`, in order of time.
///
/// # Errors
///
/// When the database does not answer.
pub async fn samples(
    client: &impl GenericClient,
    filter: &SampleFilter,
    after: Option<SampleKey>,
    limit: i64,
) -> Result<Vec<Sample>, tokio_postgres::Error> {
    let increase = after.as_ref().and_then(|key| key.increase);
    let (after_at, rest) = after.map(|key| (key.at, key.rest)).unzip();
    let [after_meter, after_resource, after_project] =
        rest.map_or([const { None }; 3], |rest| rest.map(Some));
    let meters = meters_to_read(client, filter).await?;
    let rows = client
        .query(
            &page_statement(meters.is_some(), filter.resource_id.is_some()),
            &[
                &meters,
                &filter.project_id,
                &filter.resource_id,
                &filter.from,
                &filter.to,
                &after_at,
                &after_meter,
                &after_resource,
                &after_project,
                &limit,
                &increase,
            ],
        )
        .await?;
    Ok(rows.iter().map(Sample::read).collect())
}

/// Returns the meters of the samples to list, so that each can be read in order of time from its own part
/// of an index. `None`: the project's part of another index contains all meters in order of time.
async fn meters_to_read(
    client: &impl GenericClient,
    filter: &SampleFilter,
) -> Result<Option<Vec<String>>, tokio_postgres::Error> {
    let rows = match filter {
        SampleFilter { meter: Some(meter), .. } => return Ok(Some(vec![meter.clone()])),
        SampleFilter { resource_id: Some(resource_id), .. } => {
            let statement = "-- metering::meters_of
                SELECT DISTINCT unnest(meters) FROM metering.resource WHERE resource_id = $1";
            client.query(statement, &[resource_id]).await?
        }
        SampleFilter { project_id: Some(_), .. } => return Ok(None),
        _ => {
            let statement = "-- metering::all_meters
                SELECT DISTINCT counter_name FROM metering.meter WHERE samples > 0";
            client.query(statement, &[]).await?
        }
    };
    Ok(Some(rows.iter().map(|row| row.get(0)).collect()))
}

/// Returns the statement that reads a page: of the meters `$1`, each sorted by itself before they are
/// merged; or of all meters at once, in which case `$1` is null. `of_resource`: `$3` is not null.
fn page_statement(by_meter: bool, of_resource: bool) -> String {
    let meter = match (by_meter, of_resource) {
        (false, _) => "$1::text[] IS NULL",
        // The collation is that of the index of identities.
        (true, true) => "counter_name COLLATE \"POSIX\" = m.name",
        (true, false) => "counter_name = m.name",
    };
    let page = format!(
        "SELECT * FROM metering.sample
         WHERE {meter}
           AND ($2::text IS NULL OR project_id = $2)
           AND ($3::text IS NULL OR resource_id = $3)
           AND ($4::timestamptz IS NULL OR \"timestamp\" >= $4)
           AND ($5::timestamptz IS NULL OR \"timestamp\" < $5)
           AND ($6::timestamptz IS NULL OR \"timestamp\" >= $6)
           AND ($6::timestamptz IS NULL OR ({ORDER})
                > ($6, $7::text, $8::text, $9::text, coalesce($11::numeric, '-infinity')))
         ORDER BY {ORDER} LIMIT $10"
    );
    let source = if by_meter {
        format!("unnest($1::text[]) AS m (name), LATERAL ({page}) AS s")
    } else {
        format!("({page}) AS s")
    };
    format!(
        "-- metering::samples
         WITH page AS (SELECT s.* FROM {source} ORDER BY {ORDER} LIMIT $10)
         SELECT {COLUMNS}
         FROM page AS p LEFT JOIN metering.metadata AS d USING (metadata_id)
         ORDER BY p.\"timestamp\", p.counter_name, p.resource_id, coalesce(p.project_id, ''),
                  coalesce(p.increase, '-infinity')"
    )
}

/// A series of a tenant, as of a position of the log.
#[derive(Clone, Copy, Debug)]
pub struct SeriesAsOf<'a> {
    /// The tenant.
    pub tenant_id: &'a str,
    /// The resource's id, as the samples have it.
    pub resource_id: &'a str,
    /// The meter's name.
    pub meter: &'a str,
    /// Events after this position are ignored.
    pub position: i64,
}

/// The item `k` of a FROM list: the series of `$1` to `$3`. The position is `$4`.
const SERIES: &str =
    "(SELECT $1::text AS project_id, $2::text AS resource_id, $3::text AS counter_name) AS k";

/// Returns the query of the trusted samples of the series `k` as of its position: the rows of `sample`,
/// and those of `superseded` that were superseded later. `times` is the condition on their time.
fn as_of(columns: &str, times: &str) -> String {
    let condition = condition(times, Some("$4"));
    format!(
        "SELECT {columns} FROM metering.sample WHERE {condition}
         UNION ALL
         SELECT {columns} FROM metering.superseded WHERE {condition} AND superseded_at > $4"
    )
}

/// Reads the time of a series' last trusted sample before a time that is not before `floor`.
///
/// # Errors
///
/// When the database does not answer.
pub async fn last_sample_before(
    client: &impl GenericClient,
    series: SeriesAsOf<'_>,
    before: Timestamp,
    floor: Timestamp,
) -> Result<Option<Timestamp>, tokio_postgres::Error> {
    let statement = format!(
        "-- metering::last_sample_before
         SELECT max(s.\"timestamp\") FROM {SERIES}, LATERAL ({}) AS s",
        as_of("\"timestamp\"", "\"timestamp\" >= $5 AND \"timestamp\" < $6")
    );
    let SeriesAsOf { tenant_id, resource_id, meter, position } = series;
    let row = client
        .query_one(&statement, &[&tenant_id, &resource_id, &meter, &position, &floor, &before])
        .await?;
    Ok(row.get(0))
}

/// Reads a page of a series' trusted samples from one time up to another, which is not included, that come
/// after the key `after`; in order.
///
/// # Errors
///
/// When the database does not answer.
pub async fn samples_as_of(
    client: &impl GenericClient,
    series: SeriesAsOf<'_>,
    (from, to): (Timestamp, Timestamp),
    after: Option<ReadingKey>,
    limit: i64,
) -> Result<Vec<Sample>, tokio_postgres::Error> {
    let columns =
        "\"timestamp\", project_id, resource_id, counter_name, counter_type, counter_unit,
        counter_volume, user_id, source, message_id, event_id, metadata_id, increase";
    let statement = format!(
        "-- metering::samples_as_of
         SELECT {COLUMNS}
         FROM {SERIES}, LATERAL ({}) AS p LEFT JOIN metering.metadata AS d USING (metadata_id)
         WHERE $7::timestamptz IS NULL
            OR (p.\"timestamp\", coalesce(p.increase, '-infinity'))
                > ($7, coalesce($8::numeric, '-infinity'))
         ORDER BY p.\"timestamp\", coalesce(p.increase, '-infinity') LIMIT $9",
        as_of(columns, "\"timestamp\" >= $5 AND \"timestamp\" < $6")
    );
    let (after_at, increase) = after.unzip();
    let SeriesAsOf { tenant_id, resource_id, meter, position } = series;
    let rows = client
        .query(
            &statement,
            &[
                &tenant_id,
                &resource_id,
                &meter,
                &position,
                &from,
                &to,
                &after_at,
                &increase.flatten(),
                &limit,
            ],
        )
        .await?;
    Ok(rows.iter().map(Sample::read).collect())
}
