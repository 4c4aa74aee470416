//! `POST /sales_historic` and `POST /sales_range`: orders as they were issued.

use axum::extract;
use axum::response::Response;

use serde::Serialize;
use utoipa::ToSchema;

use super::fields::{Fields, missing_field};
use super::{json, require_known};
use crate::api::State;
use crate::billing::Span;
use crate::http::{Body, NoParameters, Problem, Query};
use crate::lifecycle;
use crate::projection::sales::read;

/// Bytes of the orders of one answer, at most.
const RANGE_MAX: i64 = 64 << 20;

/// A request for the issued order of a date.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DateBody {
    /// The tenant's id.
    tenant: String,
    /// A day whose beginning the order covers.
    #[schema(value_type = String, format = Date)]
    date: String,
}

/// A request for the issued orders of a range.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RangeBody {
    /// The tenant's id.
    tenant: String,
    /// The start of the range: a date, or a date and time.
    start: String,
    /// The end of the range, not included; now unless given.
    end: Option<String>,
    /// The time of the request; now unless given.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<String>,
}

/// The sales order that covers a date
///
/// An order does not cover its end: the date on which one order ends and the next begins is the later
/// one's.
#[utoipa::path(post, path = "/sales_historic", tag = "Money", operation_id = "historic_sales_order",
    request_body = DateBody,
    responses((status = 200, description = "The order as it was issued", body = Object)))]
pub(super) async fn historic(
    extract::State(state): extract::State<State>,
    _: Query<NoParameters>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let terms = &state.file.billing.terms;
    let mut fields = Fields::read(&body)?;
    let date = fields.day("date", terms)?.ok_or_else(|| missing_field("date"))?;
    let tenant_id = fields.tenant()?;
    fields.finish()?;
    let client = state.pool.get().await?;
    require_known(&client, &tenant_id).await?;
    let order = read::order_text_at(&**client, &tenant_id, date).await?;
    let order = order.ok_or_else(|| Problem {
        parameter: Some("date".to_owned()),
        ..Problem::not_found("no sales order of the tenant covers that date")
    })?;
    Ok(json(order))
}

/// All sales orders that cover some time of a range, in time order
#[utoipa::path(post, path = "/sales_range", tag = "Money", operation_id = "range_of_sales_orders",
    request_body = RangeBody,
    responses((status = 200, description = "The orders as they were issued", body = Vec<Object>)))]
pub(super) async fn range(
    extract::State(state): extract::State<State>,
    _: Query<NoParameters>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let terms = &state.file.billing.terms;
    let mut fields = Fields::read(&body)?;
    let at = fields.at(terms, lifecycle::now())?;
    let start = fields.moment("start", terms)?.ok_or_else(|| missing_field("start"))?;
    let end = fields.moment("end", terms)?.unwrap_or(at);
    let tenant_id = fields.tenant()?;
    fields.finish()?;
    let span = Span::new(start, end)
        .ok_or_else(|| Problem::bad_request("end", "it has to be later than the start"))?;
    let client = state.pool.get().await?;
    require_known(&client, &tenant_id).await?;
    let size = read::size_of_orders_in(&**client, &tenant_id, span).await?;
    if size > RANGE_MAX {
        let detail = format!(
            "the orders are {size} bytes long together, and an answer has at most {RANGE_MAX}: request a \
             shorter range, or one order after the other, as /v1/sales-orders?tenant=… lists them"
        );
        return Err(Problem::bad_request("start", detail));
    }
    let orders = read::order_texts_in(&**client, &tenant_id, span).await?;
    Ok(json(format!("[{}]", orders.join(","))))
}
