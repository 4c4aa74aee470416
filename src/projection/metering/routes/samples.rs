//! `/v1/samples`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use rust_decimal::Decimal;

use crate::http::{CursorTime, FromParameters, Items, Paging, Parameters, Problem, Query};
use crate::projection::metering::read::{self, Sample, SampleFilter, SampleKey};

impl FromParameters for SampleFilter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        let filter = SampleFilter {
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
    params(SampleFilter, Paging), responses((status = 200, body = Items<Sample>)))]
pub(super) async fn list(
    State(pool): State<Pool>,
    Query((filter, paging)): Query<(SampleFilter, Paging)>,
) -> Result<Json<Items<Sample>>, Problem> {
    let after: Option<(CursorTime, [String; 3], Option<Decimal>)> = paging.after()?;
    let after = after.map(|(CursorTime(at), rest, increase)| SampleKey { at, rest, increase });
    let client = pool.get().await?;
    let samples = read::samples(&**client, &filter, after, paging.rows()).await?;
    Ok(Json(paging.page(samples, |sample: &Sample| {
        let SampleKey { at, rest, increase } = sample.key();
        (CursorTime(at), rest, increase)
    })))
}
