//! Health, readiness and metrics.

use std::fmt::Write;
use std::time::Duration;

use axum::Json;
use axum::extract;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use tokio_postgres::Client;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use crate::export::Progress;
use crate::http::{NoParameters, Problem, Query};
use crate::projection::{self, Status};
use crate::{export, lifecycle, log, telemetry};

/// How long the database may take to answer before a process is not ready.
const DATABASE_TIMEOUT: Duration = Duration::from_secs(2);

/// The sentence of a database that is away.
const NO_DATABASE: &str = "the database does not answer";

pub(super) fn routes() -> OpenApiRouter<State> {
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
    extract::State(state): extract::State<State>,
    _: Query<NoParameters>,
) -> Result<Json<Condition>, Problem> {
    let mut reasons: Vec<String> = state
        .health
        .faults()
        .into_iter()
        .map(|(part, reason)| format!("{part}: {reason}"))
        .collect();
    match tokio::time::timeout(DATABASE_TIMEOUT, database_faults(&state)).await {
        Ok(faults) => reasons.extend(faults?),
        Err(_) => reasons.push(NO_DATABASE.to_owned()),
    }
    if reasons.is_empty() {
        Ok(Json(Condition { status: "ready" }))
    } else {
        Err(Problem::unavailable(reasons.join("; ")))
    }
}

/// Returns a sentence for each fault of the database.
async fn database_faults(state: &State) -> Result<Vec<String>, Problem> {
    let Ok(client) = state.pool.get().await else { return Ok(vec![NO_DATABASE.to_owned()]) };
    match state.database.check_schema(&client).await {
        Err(error) => Ok(vec![format!("{error:#}")]),
        Ok(()) => stalled_projections(&client).await,
    }
}

/// Returns a sentence for each projection that does not follow the log.
async fn stalled_projections(client: &Client) -> Result<Vec<String>, Problem> {
    let statuses = projection::statuses(client, lifecycle::now()).await?;
    let live = |name| statuses.iter().find(|status| status.is_live && status.name == name);
    let reason = |name| match live(name) {
        None => Some(format!("projection {name} has not started")),
        Some(Status { error: Some(error), .. }) => {
            Some(format!("projection {name} is stopped by an error: {error}"))
        }
        Some(status) => status.is_abandoned.then(|| format!("nobody runs projection {name}")),
    };
    Ok(projection::ALL.iter().filter_map(|projection| reason(projection.name)).collect())
}

/// Metrics in the text format of Prometheus
#[utoipa::path(get, path = "/metrics", tag = "Operate",
    responses((status = 200, body = String, content_type = "text/plain")))]
async fn metrics(
    extract::State(state): extract::State<State>,
    _: Query<NoParameters>,
) -> impl IntoResponse {
    let mut text = telemetry::render_metrics();
    // Without the database, the process's own metrics are still served.
    if let Ok(client) = state.pool.get().await
        && let Ok(gauges) = read_gauges(&client).await
    {
        text.push_str(&gauges);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

/// Reads the metrics of the database, which are not of this process, at each scrape.
async fn read_gauges(client: &Client) -> Result<String, tokio_postgres::Error> {
    let (head, _) = log::read_head(client).await?;
    let dead_letters = log::count_open(client).await?;
    let statuses = projection::statuses(client, lifecycle::now()).await?;
    let mut text = String::new();
    write_gauge(&mut text, "stackledger_log_head", [("", head.to_string())]);
    write_gauge(&mut text, "stackledger_dead_letters_open", [("", dead_letters.to_string())]);
    let each = |value: fn(&Status) -> String| {
        let live = statuses.iter().filter(|status| status.is_live);
        live.map(move |status| (status.name.as_str(), value(status))).collect::<Vec<_>>()
    };
    write_gauge(
        &mut text,
        "stackledger_projection_checkpoint",
        each(|status| status.checkpoint.to_string()),
    );
    write_gauge(
        &mut text,
        "stackledger_projection_lag_events",
        each(|status| status.lag_events.to_string()),
    );
    write_gauge(
        &mut text,
        "stackledger_projection_lag_seconds",
        each(|status| status.lag_s.to_string()),
    );
    write_exports(&mut text, &export::progress(client).await?);
    Ok(text)
}

/// Writes the progress of each exported table; nothing if there are none.
fn write_exports(text: &mut String, exports: &[Progress]) {
    let quoted =
        |label: &str| label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let mut each = |name: &str, value: fn(&Progress) -> i64| {
        let _ = writeln!(text, "# TYPE {name} gauge");
        for export in exports {
            let (target, table) = (quoted(&export.target), quoted(&export.table));
            let value = value(export);
            let _ = writeln!(text, "{name}{{target=\"{target}\",table=\"{table}\"}} {value}");
        }
    };
    if !exports.is_empty() {
        each("stackledger_export_position", |export| export.position);
        each("stackledger_export_lag_events", |export| export.lag_events);
        each("stackledger_export_failing", |export| export.error.is_some().into());
    }
}

/// Writes a gauge: a value per projection, or one without a label, under the name `""`.
fn write_gauge<'a>(
    text: &mut String,
    name: &str,
    values: impl IntoIterator<Item = (&'a str, String)>,
) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "# TYPE {name} gauge");
    for (projection, value) in values {
        let _ = match projection {
            "" => writeln!(text, "{name} {value}"),
            _ => writeln!(text, "{name}{{projection=\"{projection}\"}} {value}"),
        };
    }
}
