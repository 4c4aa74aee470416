//! Where the projections stand.

use axum::Json;
use axum::extract;
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Client;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use crate::http::{FromParameters, Items, Parameters, Problem, Query, seconds};
use crate::lifecycle;
use crate::projection;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list))
}

/// What a projection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Activity {
    /// It follows the log.
    Running,
    /// It stands still at an event that it cannot apply.
    Failed,
    /// Nobody projects it.
    Stopped,
    /// Its rows are being made anew; the old ones go on answering.
    Replaying,
}

/// Where a projection stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Projection)]
pub(super) struct Progress {
    /// Its name.
    pub name: String,
    /// The last position it has applied.
    pub checkpoint: i64,
    /// The log's last position.
    pub head: i64,
    /// Events it has not seen yet.
    pub lag_events: i64,
    /// Age of the oldest batch it has not seen; 0 when there is none.
    pub lag_s: f64,
    /// What it is doing.
    pub state: Activity,
    /// Version of its code that the rows were made by; null before the first.
    pub version: Option<i32>,
    /// Why it stands still; null while it does not.
    pub error: Option<String>,
    /// The position after which it stands still.
    pub error_at: Option<i64>,
    /// Events that it could not use.
    pub skipped: i64,
    /// Whether its holder has not been heard of for long.
    #[serde(skip)]
    pub is_abandoned: bool,
    /// Whether its rows are those that answer.
    #[serde(skip)]
    pub is_live: bool,
}

/// All projections, those that nobody has started yet included.
pub(super) async fn progress(
    client: &Client,
    at: Timestamp,
) -> Result<Vec<Progress>, tokio_postgres::Error> {
    let rows = client
        .query(
            "-- api::progress
             SELECT n.name, c.slot, c.version, coalesce(c.position, 0) AS position, h.position AS head,
                    coalesce(c.skipped, 0) AS skipped, c.error, c.error_at,
                    coalesce(c.lease_until < now(), true) AS is_stopped,
                    coalesce(c.lease_until < now() - interval '30 s', true) AS is_abandoned,
                    (SELECT b.recorded_at FROM log.batch b WHERE b.last_position > coalesce(c.position, 0)
                     ORDER BY b.last_position LIMIT 1) AS oldest
             FROM log.head h CROSS JOIN unnest($1::text[]) AS n (name)
             LEFT JOIN projection.checkpoint c USING (name)
             ORDER BY n.name, c.slot",
            &[&projection::ALL.iter().map(|projection| projection.name).collect::<Vec<_>>()],
        )
        .await?;
    Ok(rows.iter().map(|row| read(row, at)).collect())
}

fn read(row: &tokio_postgres::Row, at: Timestamp) -> Progress {
    let (checkpoint, head): (i64, i64) = (row.get("position"), row.get("head"));
    let error: Option<String> = row.get("error");
    let oldest: Option<Timestamp> = row.get("oldest");
    let is_live = row.get::<_, Option<&str>>("slot") != Some("next");
    Progress {
        name: row.get("name"),
        checkpoint,
        head,
        lag_events: (head - checkpoint).max(0),
        lag_s: oldest
            .map_or(0.0, |oldest| seconds((at.as_microsecond() - oldest.as_microsecond()).max(0))),
        state: if error.is_some() {
            Activity::Failed
        } else if !is_live {
            Activity::Replaying
        } else if row.get("is_stopped") {
            Activity::Stopped
        } else {
            Activity::Running
        },
        version: row.get("version"),
        error,
        error_at: row.get("error_at"),
        skipped: row.get("skipped"),
        is_abandoned: row.get("is_abandoned"),
        is_live,
    }
}

/// The clock of an answer.
#[derive(Clone, Copy, Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Clock {
    /// Takes the place of the clock.
    #[param(value_type = Option<String>, format = DateTime)]
    pub at: Timestamp,
}

impl FromParameters for Clock {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(Clock { at: parameters.time("at")?.unwrap_or_else(lifecycle::now) })
    }
}

/// Projections with their checkpoints and lags
#[utoipa::path(get, path = "/v1/projections", tag = "Operate", params(Clock),
    responses((status = 200, body = Items<Progress>)))]
async fn list(
    extract::State(state): extract::State<State>,
    Query(clock): Query<Clock>,
) -> Result<Json<Items<Progress>>, Problem> {
    let client = state.pool.get().await?;
    Ok(Json(Items { items: progress(&client, clock.at).await?, next: None }))
}
