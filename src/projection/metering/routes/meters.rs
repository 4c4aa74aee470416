//! `/v1/meters`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;

use crate::http::{Items, Paging, Problem, Query};
use crate::projection::metering::read::{self, Meter};

/// Meters, by name, type and unit
#[utoipa::path(get, path = "/v1/meters", tag = "Meters", operation_id = "meters", params(Paging),
    responses((status = 200, body = Items<Meter>)))]
pub(super) async fn list(
    State(pool): State<Pool>,
    Query(paging): Query<Paging>,
) -> Result<Json<Items<Meter>>, Problem> {
    let after: Option<read::MeterKey> = paging.after()?;
    let client = pool.get().await?;
    let meters = read::meters(&**client, after, paging.rows()).await?;
    Ok(Json(paging.page(meters, Meter::key)))
}
