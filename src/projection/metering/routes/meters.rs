//! `/v1/meters`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Row;
use utoipa::ToSchema;

use crate::http::{Items, Paging, Problem, Query};

/// A meter, in one unit.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Meter {
    /// Its name.
    meter: String,
    /// `gauge`, `delta` or `cumulative`.
    r#type: Option<String>,
    unit: Option<String>,
    /// How many samples of it count.
    samples: i64,
    /// The earliest time of a sample of it.
    #[schema(value_type = String, format = DateTime)]
    first_at: Timestamp,
    /// The latest.
    #[schema(value_type = String, format = DateTime)]
    last_at: Timestamp,
}

impl From<&Row> for Meter {
    fn from(row: &Row) -> Self {
        Meter {
            meter: row.get("counter_name"),
            r#type: row.get("counter_type"),
            unit: row.get("counter_unit"),
            samples: row.get("samples"),
            first_at: row.get("first_at"),
            last_at: row.get("last_at"),
        }
    }
}

/// Meters, by name, type and unit
#[utoipa::path(get, path = "/v1/meters", tag = "Meters", operation_id = "meters", params(Paging),
    responses((status = 200, body = Items<Meter>)))]
pub(super) async fn list(
    State(pool): State<Pool>,
    Query(paging): Query<Paging>,
) -> Result<Json<Items<Meter>>, Problem> {
    let [name, kind, unit] = match paging.after::<[String; 3]>()? {
        None => [const { None }; 3],
        Some(key) => key.map(Some),
    };
    let client = pool.get().await?;
    let rows = client
        .query(
            "-- metering::meters
             SELECT * FROM metering.meter
             WHERE $1::text IS NULL
                OR (counter_name, coalesce(counter_type, ''), coalesce(counter_unit, '')) > ($1, $2::text, $3::text)
             ORDER BY counter_name, coalesce(counter_type, ''), coalesce(counter_unit, '') LIMIT $4",
            &[&name, &kind, &unit, &paging.rows()],
        )
        .await?;
    let items = rows.iter().map(Meter::from).collect();
    Ok(Json(paging.page(items, |meter: &Meter| {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        [meter.meter.clone(), text(&meter.r#type), text(&meter.unit)]
    })))
}
