//! `POST /sales_historic` and `POST /sales_range`: orders as they were issued.

use axum::extract;
use axum::response::Response;

use super::fields::{DateAsked, Fields, RangeAsked, missing};
use super::{is_known, json};
use crate::api::State;
use crate::http::{Body, NoParameters, Problem, Query};
use crate::lifecycle;

/// What the orders of one answer may hold together, in bytes.
const RANGE_MAX: i64 = 64 << 20;

/// The sales order whose range contains a date
///
/// Ranges are half-open: the date on which one order ends and the next begins is the later one's.
#[utoipa::path(post, path = "/sales_historic", tag = "Money", operation_id = "historic_sales_order",
    request_body = DateAsked,
    responses((status = 200, description = "The order as it was issued", body = Object)))]
pub(super) async fn historic(
    extract::State(state): extract::State<State>,
    _: Query<NoParameters>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let terms = &state.file.billing.terms;
    let mut fields = Fields::read(&body)?;
    let date = fields.day("date", terms)?.ok_or_else(|| missing("date"))?;
    let tenant_id = fields.tenant()?;
    fields.finish()?;
    let client = state.pool.get().await?;
    is_known(&client, &tenant_id).await?;
    let row = client
        .query_opt(
            "-- sales::historic
             SELECT body FROM sales.sales_order
             WHERE tenant_id = $1 AND \"from\" <= $2 AND \"to\" > $2",
            &[&tenant_id, &date],
        )
        .await?;
    let row = row.ok_or_else(|| Problem {
        parameter: Some("date".to_owned()),
        ..Problem::not_found("no sales order of the tenant covers that date")
    })?;
    Ok(json(row.get::<_, String>(0)))
}

/// All sales orders that have some of their time in a range, in time order
#[utoipa::path(post, path = "/sales_range", tag = "Money", operation_id = "range_of_sales_orders",
    request_body = RangeAsked,
    responses((status = 200, description = "The orders as they were issued", body = Vec<Object>)))]
pub(super) async fn range(
    extract::State(state): extract::State<State>,
    _: Query<NoParameters>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let terms = &state.file.billing.terms;
    let mut fields = Fields::read(&body)?;
    let at = fields.at(terms, lifecycle::now())?;
    let start = fields.moment("start", terms)?.ok_or_else(|| missing("start"))?;
    let end = fields.moment("end", terms)?.unwrap_or(at);
    let tenant_id = fields.tenant()?;
    fields.finish()?;
    if end <= start {
        return Err(Problem::bad_request("end", "it has to be later than the start"));
    }
    let client = state.pool.get().await?;
    is_known(&client, &tenant_id).await?;
    let within = "FROM sales.sales_order WHERE tenant_id = $1 AND \"from\" < $3 AND \"to\" > $2";
    let size = format!(
        "-- sales::range size\nSELECT coalesce(sum(octet_length(body)), 0)::bigint {within}"
    );
    let size: i64 = client.query_one(&size, &[&tenant_id, &start, &end]).await?.get(0);
    if size > RANGE_MAX {
        let detail = format!(
            "the orders hold {size} bytes together, and {RANGE_MAX} are answered at most: a shorter \
             range, or /v1/sales-orders?tenant=… and one after the other"
        );
        return Err(Problem::bad_request("start", detail));
    }
    let statement = format!("-- sales::range\nSELECT body {within} ORDER BY \"from\"");
    let rows = client.query(&statement, &[&tenant_id, &start, &end]).await?;
    let orders: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    Ok(json(format!("[{}]", orders.join(","))))
}
