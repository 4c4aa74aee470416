//! `POST /sales_order` and `POST /sales_draft`

use std::time::Duration;

use axum::extract;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use deadpool_postgres::Pool;
use jiff::Timestamp;

use super::fields::{DraftAsked, Fields, OrderAsked};
use super::json;
use crate::api::State;
use crate::billing::terms::Zone;
use crate::http::{Body, NoParameters, Problem, Query};
use crate::lifecycle;
use crate::projection::sales::PROJECTION;
use crate::sales::Ask;

/// How long an answer waits for the read model to know the order.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it looks.
const POLL: Duration = Duration::from_millis(10);

/// Issue a sales order
///
/// From the end of the tenant's last order, or its first usage, to `end`. 409 says what is in the way:
/// an order that covers the time already (`order_id`), samples that may still be on their way, usage
/// without a rate.
#[utoipa::path(post, path = "/sales_order", tag = "Money", operation_id = "issue_sales_order",
    request_body = OrderAsked,
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
    not_in_the_future(end, at)?;
    let written = state.desk.issue(Ask { tenant_id, end, at, is_forced }).await?;
    see(&state.pool, written.position).await;
    let location = [(header::LOCATION, format!("/v1/sales-orders/{}", written.order_id))];
    Ok((location, json(written.text)).into_response())
}

/// What a sales order would be
///
/// The same computation up to `end`, and nothing is stored.
#[utoipa::path(post, path = "/sales_draft", tag = "Money", operation_id = "draft_sales_order",
    request_body = DraftAsked,
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
    not_in_the_future(end, at)?;
    let order = state.desk.draft(&tenant_id, end).await?;
    match order.to_bytes() {
        Ok(bytes) => Ok(json(bytes)),
        Err(error) => {
            tracing::error!(error = %error, "a draft cannot be shown");
            Err(Problem::internal())
        }
    }
}

fn not_in_the_future(end: Timestamp, at: Timestamp) -> Result<(), Problem> {
    if end > at {
        let detail = format!("{end} lies in the future: it is {at}");
        return Err(Problem::bad_request("end", detail));
    }
    Ok(())
}

/// When the day began.
fn today(at: Timestamp, zone: &Zone) -> Timestamp {
    let date = at.to_zoned(zone.time_zone().clone()).date();
    zone.midnight(date).unwrap_or(at)
}

/// Waits until the read model knows the order, so that it can be asked for at once. The order is issued
/// whether it does or not.
async fn see(pool: &Pool, position: i64) {
    let give_up = tokio::time::Instant::now() + PATIENCE;
    while !is_seen(pool, position).await.unwrap_or(true) && tokio::time::Instant::now() < give_up {
        tokio::time::sleep(POLL).await;
    }
}

async fn is_seen(pool: &Pool, position: i64) -> Result<bool, Problem> {
    let row = pool
        .get()
        .await?
        .query_opt(
            "-- sales::is_seen
             SELECT position >= $2 OR error IS NOT NULL FROM projection.checkpoint
             WHERE name = $1 AND slot = 'live'",
            &[&PROJECTION.name, &position],
        )
        .await?;
    Ok(row.is_none_or(|row| row.get(0)))
}
