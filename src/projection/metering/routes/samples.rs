//! `/v1/samples`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio_postgres::{Client, Row};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::json;
use crate::http::{CursorTime, FromParameters, Items, Paging, Parameters, Problem, Query};

/// A sample.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sample {
    /// The meter.
    counter_name: String,
    /// `gauge`, `delta` or `cumulative`.
    counter_type: Option<String>,
    counter_unit: Option<String>,
    /// The value, a decimal number without exponent.
    counter_volume: String,
    /// The sender's id of it; where it gave none, the event's and the place in its body.
    message_id: String,
    /// The tenant; null where it is of none.
    project_id: Option<String>,
    resource_id: String,
    source: Option<String>,
    /// When it was measured.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    user_id: Option<String>,
    /// What the sender said of the resource: JSON, or a text where it is none.
    #[schema(value_type = Option<Object>)]
    metadata: Option<Box<RawValue>>,
    /// The event of the log that told it.
    event_id: Uuid,
}

impl From<&Row> for Sample {
    fn from(row: &Row) -> Self {
        Sample {
            counter_name: row.get("counter_name"),
            counter_type: row.get("counter_type"),
            counter_unit: row.get("counter_unit"),
            counter_volume: row.get("counter_volume"),
            message_id: row.get("message_id"),
            project_id: row.get("project_id"),
            resource_id: row.get("resource_id"),
            source: row.get("source"),
            timestamp: row.get("timestamp"),
            user_id: row.get("user_id"),
            metadata: row.get::<_, Option<&str>>("body").and_then(json),
            event_id: row.get("event_id"),
        }
    }
}

/// Which samples are listed.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Of one meter, e.g. `cpu`.
    #[param(required = false)]
    meter: Option<String>,
    /// Of one tenant.
    #[param(required = false)]
    project_id: Option<String>,
    /// Of one resource.
    #[param(required = false)]
    resource_id: Option<String>,
    /// Measured then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Measured earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Timestamp>,
}

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        let filter = Filter {
            meter: parameters.text("meter")?,
            project_id: parameters.text("project_id")?,
            resource_id: parameters.text("resource_id")?,
            from: parameters.time("from")?,
            to: parameters.time("to")?,
        };
        if let (Some(from), Some(to)) = (filter.from, filter.to)
            && from > to
        {
            return Err(Problem::bad_request("to", "it lies before from"));
        }
        Ok(filter)
    }
}

/// Samples that count, in time order
#[utoipa::path(get, path = "/v1/samples", tag = "Meters", operation_id = "samples",
    params(Filter, Paging), responses((status = 200, body = Items<Sample>)))]
pub(super) async fn list(
    State(pool): State<Pool>,
    Query((filter, paging)): Query<(Filter, Paging)>,
) -> Result<Json<Items<Sample>>, Problem> {
    let after: Option<(CursorTime, [String; 3])> = paging.after()?;
    let after_at = after.as_ref().map(|(CursorTime(at), _)| *at);
    let [after_meter, after_resource, after_project] = match after {
        None => [const { None }; 3],
        Some((_, rest)) => rest.map(Some),
    };
    let client = pool.get().await?;
    let meters = meters(&client, &filter).await?;
    let sql = statement(meters.is_some());
    let rows = client
        .query(
            &sql,
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
                &paging.rows(),
            ],
        )
        .await?;
    let items = rows.iter().map(Sample::from).collect();
    Ok(Json(paging.page(items, |sample: &Sample| {
        let project = sample.project_id.clone().unwrap_or_default();
        let rest = [sample.counter_name.clone(), sample.resource_id.clone(), project];
        (CursorTime(sample.timestamp), rest)
    })))
}

/// The meters whose samples are listed, so that each can be read in time order from its own part of
/// an index; `None` where the project's part of another one does.
async fn meters(client: &Client, filter: &Filter) -> Result<Option<Vec<String>>, Problem> {
    let rows = match filter {
        Filter { meter: Some(meter), .. } => return Ok(Some(vec![meter.clone()])),
        Filter { resource_id: Some(resource_id), .. } => {
            let sql = "-- metering::meters_of
                SELECT DISTINCT unnest(meters) FROM metering.resource WHERE resource_id = $1";
            client.query(sql, &[resource_id]).await?
        }
        Filter { project_id: Some(_), .. } => return Ok(None),
        _ => {
            let sql = "-- metering::all_meters
                SELECT DISTINCT counter_name FROM metering.meter WHERE samples > 0";
            client.query(sql, &[]).await?
        }
    };
    Ok(Some(rows.iter().map(|row| row.get(0)).collect()))
}

/// The order of the list, in which every sample has its own place.
const ORDER: &str = "\"timestamp\", counter_name, resource_id, coalesce(project_id, '')";

/// A page of samples: of the meters `$1`, each by itself before they are put together, or of all at
/// once, where `$1` is null.
fn statement(by_meter: bool) -> String {
    let page = format!(
        "SELECT * FROM metering.sample
         WHERE {}
           AND ($2::text IS NULL OR project_id = $2)
           AND ($3::text IS NULL OR resource_id = $3)
           AND ($4::timestamptz IS NULL OR \"timestamp\" >= $4)
           AND ($5::timestamptz IS NULL OR \"timestamp\" < $5)
           AND ($6::timestamptz IS NULL OR \"timestamp\" >= $6)
           AND ($6::timestamptz IS NULL OR ({ORDER}) > ($6, $7::text, $8::text, $9::text))
         ORDER BY {ORDER} LIMIT $10",
        if by_meter { "counter_name = m.name" } else { "$1::text[] IS NULL" },
    );
    let source = if by_meter {
        format!("unnest($1::text[]) AS m (name), LATERAL ({page}) AS s")
    } else {
        format!("({page}) AS s")
    };
    format!(
        "-- metering::samples
         WITH page AS (SELECT s.* FROM {source} ORDER BY {ORDER} LIMIT $10)
         SELECT p.\"timestamp\", p.project_id, p.resource_id, p.counter_name, p.counter_type,
                p.counter_unit, p.counter_volume::text AS counter_volume, p.user_id, p.source,
                p.message_id, p.event_id, d.body
         FROM page AS p LEFT JOIN metering.metadata AS d USING (metadata_id)
         ORDER BY p.\"timestamp\", p.counter_name, p.resource_id, coalesce(p.project_id, '')"
    )
}
