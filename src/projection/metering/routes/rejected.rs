//! `/v1/samples/rejected`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;

use crate::http::{Items, Paging, Problem, Query};
use crate::projection::metering::read::{self, RejectedSample};

/// Samples that do not count, those of the newest events first
#[utoipa::path(get, path = "/v1/samples/rejected", tag = "Meters", operation_id = "rejected_samples",
    params(Paging), responses((status = 200, body = Items<RejectedSample>)))]
pub(super) async fn list(
    State(pool): State<Pool>,
    Query(paging): Query<Paging>,
) -> Result<Json<Items<RejectedSample>>, Problem> {
    let before: Option<(i64, i32)> = paging.after()?;
    let client = pool.get().await?;
    let samples = read::rejected_samples(&**client, before, paging.rows()).await?;
    Ok(Json(paging.page(samples, |sample: &RejectedSample| (sample.position, sample.index))))
}
