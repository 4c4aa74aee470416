//! `/v1/builds/incomplete`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::time_of;
use crate::http::{FromParameters, Items, Paging, Parameters, Problem, Query, seconds};
use crate::lifecycle;

/// A build that has not come to its end.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct IncompleteBuild {
    instance_id: String,
    name: Option<String>,
    project_id: Option<String>,
    host: Option<String>,
    /// When it began; where that was not heard, the first thing heard of the instance.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// How long ago that was.
    age_s: f64,
    /// `building` or `bootstrapping`.
    phase: String,
    /// The last thing heard of the instance.
    last_kind: String,
    #[schema(value_type = String, format = DateTime)]
    last_at: Timestamp,
}

/// Which builds are listed.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Older than this many seconds.
    #[param(value_type = Option<f64>, minimum = 0)]
    older_than_s: Option<jiff::SignedDuration>,
    /// Takes the place of the clock.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Timestamp,
}

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        Ok(Filter {
            older_than_s: parameters.seconds("older_than_s")?,
            at: parameters.time("at")?.unwrap_or_else(lifecycle::now),
        })
    }
}

/// Builds that have not ended, the oldest first
#[utoipa::path(get, path = "/v1/builds/incomplete", tag = "Timing", operation_id = "incomplete",
    params(Filter, Paging), responses((status = 200, body = Items<IncompleteBuild>)))]
pub(super) async fn incomplete(
    State(pool): State<Pool>,
    Query((filter, paging)): Query<(Filter, Paging)>,
) -> Result<Json<Items<IncompleteBuild>>, Problem> {
    let after: Option<(i64, String)> = paging.after()?;
    let after_at = after.as_ref().map(|(at, _)| time_of(*at)).transpose()?;
    let after_id = after.map(|(_, id)| id);
    // Before the calendar's beginning nothing has started.
    let older = filter.older_than_s.map(|age| {
        filter.at.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH).max(Timestamp::UNIX_EPOCH)
    });
    let client = pool.get().await?;
    let rows = client
        .query(
            "-- timing::incomplete
             SELECT instance_id, name, project_id, host, coalesce(build_started_at, first_at) AS started_at,
                    build_status, last_kind, last_at
             FROM timing.instance
             WHERE build_status IN ('building', 'bootstrapping')
               AND coalesce(build_started_at, first_at) <= $1
               AND ($2::timestamptz IS NULL OR coalesce(build_started_at, first_at) < $2)
               AND ($3::timestamptz IS NULL OR (coalesce(build_started_at, first_at), instance_id) > ($3, $4::text))
             ORDER BY coalesce(build_started_at, first_at), instance_id LIMIT $5",
            &[&filter.at, &older, &after_at, &after_id, &paging.rows()],
        )
        .await?;
    let items = rows
        .iter()
        .map(|row| {
            let started_at: Timestamp = row.get("started_at");
            IncompleteBuild {
                instance_id: row.get("instance_id"),
                name: row.get("name"),
                project_id: row.get("project_id"),
                host: row.get("host"),
                started_at,
                age_s: seconds(filter.at.as_microsecond() - started_at.as_microsecond()),
                phase: row.get("build_status"),
                last_kind: row.get("last_kind"),
                last_at: row.get("last_at"),
            }
        })
        .collect();
    Ok(Json(paging.page(items, |build: &IncompleteBuild| {
        (build.started_at.as_microsecond(), build.instance_id.clone())
    })))
}
