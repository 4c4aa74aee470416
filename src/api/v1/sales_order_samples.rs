//! `/v1/sales-orders/{id}/lines/{n}/samples`

use axum::Json;
use axum::extract;
use jiff::Timestamp;
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::api::State;
use crate::http::{CursorTime, Items, Paging, Problem, Query, Segments};
use crate::projection::metering::read::{self, Sample, SeriesAsOf};
use crate::sales::{Source, find_source};

/// The samples that a line of a sales order was computed from
///
/// Lines are counted from 0. The samples are those of the line's resource and meter in its time, and the
/// last one before it if that can count; as the order knew them.
#[utoipa::path(get, path = "/v1/sales-orders/{id}/lines/{n}/samples", tag = "Money",
    operation_id = "samples_of_sales_order",
    params(("id" = Uuid, Path, description = "The order's id"),
        ("n" = i64, Path, description = "The line's index, from 0"), Paging),
    responses((status = 200, body = Items<Sample>)))]
pub(super) async fn list(
    extract::State(state): extract::State<State>,
    segments: Segments<2>,
    Query(paging): Query<Paging>,
) -> Result<Json<Items<Sample>>, Problem> {
    let Segments([id, line]) = segments;
    let after: Option<(CursorTime, Option<Decimal>)> = paging.after()?;
    let after = after.map(|(CursorTime(at), increase)| (at, increase));
    let unknown = || Problem::not_found("there is no such line of a sales order");
    let id = Uuid::try_parse(&id).map_err(|_| unknown())?;
    let line: usize = line.parse().map_err(|_| unknown())?;
    let client = state.pool.get().await?;
    let source = find_source(&client, id, line).await?.ok_or_else(unknown)?;
    let Source { tenant_id, resource_id, meter, span, reaches_back_to, position } = &source;
    let series = SeriesAsOf { tenant_id, resource_id, meter, position: *position };
    let from = match after {
        Some((at, _)) => at,
        None => {
            let floor = reaches_back_to.unwrap_or(Timestamp::UNIX_EPOCH);
            let last = read::last_sample_before(&**client, series, span.from, floor).await?;
            last.unwrap_or(span.from)
        }
    };
    let samples =
        read::samples_as_of(&**client, series, (from, span.to), after, paging.rows()).await?;
    Ok(Json(paging.page(samples, |sample: &Sample| {
        let (at, increase) = sample.reading_key();
        (CursorTime(at), increase)
    })))
}
