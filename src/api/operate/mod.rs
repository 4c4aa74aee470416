//! Health, readiness and metrics.

mod gauges;
mod readiness;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract;
use axum::http::header;
use axum::response::IntoResponse;
use deadpool_postgres::Pool;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::gauges::DatabaseGauges;
use crate::db::Database;
use crate::health::Health;
use crate::http::{NoParameters, Problem, Query};
use crate::projection::Projection;
use crate::telemetry;

/// How long the database may take to answer before a process is not ready.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// What health, readiness and metrics are read from.
#[derive(Clone)]
pub struct Monitor {
    pool: Pool,
    database: Database,
    health: Arc<Health>,
    /// The projections without which the process is not ready.
    needed: &'static [&'static Projection],
    gauges: Arc<DatabaseGauges>,
}

impl Monitor {
    /// Creates the monitor of a process. `pool` is for queries, from [`Database::query_pool`]; `needed` are the
    /// projections without which the process is not ready.
    pub fn new(
        pool: Pool,
        database: Database,
        health: Arc<Health>,
        needed: &'static [&'static Projection],
    ) -> Monitor {
        Monitor { pool, database, health, needed, gauges: Arc::default() }
    }
}

pub(super) fn routes() -> OpenApiRouter<Monitor> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz)).routes(routes!(metrics))
}

/// The answer of a process that is well.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Condition {
    /// `ok` or `ready`.
    status: &'static str,
}

/// Whether the process lives
#[utoipa::path(get, path = "/healthz", tag = "Operate", responses((status = 200, body = Condition)))]
async fn healthz(_: Query<NoParameters>) -> Json<Condition> {
    Json(Condition { status: "ok" })
}

/// Whether the process can do its work; 503 with the reasons if not
#[utoipa::path(get, path = "/readyz", tag = "Operate", responses((status = 200, body = Condition)))]
async fn readyz(
    extract::State(monitor): extract::State<Monitor>,
    _: Query<NoParameters>,
) -> Result<Json<Condition>, Problem> {
    let reasons = monitor.find_faults().await;
    if reasons.is_empty() {
        Ok(Json(Condition { status: "ready" }))
    } else {
        Err(Problem::unavailable(reasons.join("; ")))
    }
}

/// Metrics in the text format of Prometheus
#[utoipa::path(get, path = "/metrics", tag = "Operate",
    responses((status = 200, body = String, content_type = "text/plain")))]
async fn metrics(
    extract::State(monitor): extract::State<Monitor>,
    _: Query<NoParameters>,
) -> impl IntoResponse {
    let text = telemetry::render_metrics() + &monitor.render_gauges().await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
