//! `POST /sales_order` and `POST /sales_draft`.

use std::time::Duration;

use axum::extract;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::fields::Fields;
use super::json;
use crate::api::State;
use crate::billing::terms::Zone;
use crate::http::{Body, NoParameters, Problem, Query};
use crate::lifecycle;
use crate::projection::sales::PROJECTION;
use crate::projection::{live_position, wait_until_applied};
use crate::sales::OrderRequest;

/// How long an answer waits for the read model to list the order.
const APPLY_TIMEOUT: Duration = Duration::from_secs(3);

/// A request for a sales order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OrderBody {
    /// The tenant's id.
    tenant: String,
    /// The first day that the order does not cover; today unless given.
    #[schema(value_type = Option<String>, format = Date)]
    end: Option<String>,
    /// Whether to issue the order although samples may still be on their way.
    force: Option<bool>,
    /// The time of the request; now unless given, and not later than that.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<String>,
}

/// A request for a draft.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DraftBody {
    /// The tenant's id.
    tenant: String,
    /// The end of the draft's time, not included: a date, or a date and time; now unless given.
    end: Option<String>,
    /// The time of the request; now unless given.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<String>,
}

/// Issue a sales order
///
/// The order covers the time from the end of the tenant's last order, or its first usage, to `end`. 409
/// names the obstacle: an order that covers the time already (`order_id`), samples that may still be on
/// their way, usage without a rate.
#[utoipa::path(post, path = "/sales_order", tag = "Money", operation_id = "issue_sales_order",
    request_body = OrderBody,
    responses((status = 200, description = "The order", body = Object)))]
pub(super) async fn issue(
    extract::State(state): extract::State<State>,
    _: Query<NoParameters>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let now = lifecycle::now();
    let terms = &state.file.billing.terms;
    let mut fields = Fields::read(&body)?.lenient("end");
    let at = fields.at(terms, now)?;
    if at > now {
        return Err(Problem::bad_request("at", "an order is not issued in the future"));
    }
    let end = fields.day("end", terms)?.unwrap_or_else(|| today(at, &terms.zone));
    let is_forced = fields.flag("force")?;
    let tenant_id = fields.tenant()?;
    fields.finish()?;
    refuse_future(end, at)?;
    let request = OrderRequest { tenant_id, end, at, is_forced };
    let issued = state.sales_orders.issue(request).await?;
    wait_until_listed(&state.pool, issued.position).await;
    let location = [(header::LOCATION, format!("/v1/sales-orders/{}", issued.order_id))];
    Ok((location, json(issued.text)).into_response())
}

/// Compute a sales order without issuing it
///
/// The same computation as for an order up to `end`. Nothing is stored.
#[utoipa::path(post, path = "/sales_draft", tag = "Money", operation_id = "draft_sales_order",
    request_body = DraftBody,
    responses((status = 200, description = "The order, without an id", body = Object)))]
pub(super) async fn draft(
    extract::State(state): extract::State<State>,
    _: Query<NoParameters>,
    Body(body): Body,
) -> Result<Response, Problem> {
    let terms = &state.file.billing.terms;
    let mut fields = Fields::read(&body)?.lenient("end");
    let at = fields.at(terms, lifecycle::now())?;
    let end = fields.moment("end", terms)?.unwrap_or(at);
    let tenant_id = fields.tenant()?;
    fields.finish()?;
    refuse_future(end, at)?;
    let order = state.sales_orders.draft(&tenant_id, end).await?;
    match order.to_bytes() {
        Ok(bytes) => Ok(json(bytes)),
        Err(error) => {
            tracing::error!(error = %error, "a draft cannot be written as JSON");
            Err(Problem::internal())
        }
    }
}

/// Refuses an end later than the time of the request.
fn refuse_future(end: Timestamp, at: Timestamp) -> Result<(), Problem> {
    if end > at {
        let detail = format!("{end} lies in the future: it is {at}");
        return Err(Problem::bad_request("end", detail));
    }
    Ok(())
}

/// Returns the start of the day.
fn today(at: Timestamp, zone: &Zone) -> Timestamp {
    let date = at.to_zoned(zone.time_zone().clone()).date();
    zone.midnight(date).unwrap_or(at)
}

/// Waits until the read model lists the order, so that the client can request it at once. The order is
/// issued in any case.
async fn wait_until_listed(pool: &Pool, position: i64) {
    let look = || async {
        let client = pool.get().await?;
        Ok::<_, Problem>(live_position(&**client, &PROJECTION).await?)
    };
    // An order that is not listed yet is no reason to fail.
    let _ = wait_until_applied(position, None, APPLY_TIMEOUT, look).await;
}
