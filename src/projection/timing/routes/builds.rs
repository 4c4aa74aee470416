//! `/v1/builds/incomplete`

use axum::Json;
use axum::extract::State;
use deadpool_postgres::Pool;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::http::{CursorTime, FromParameters, Items, Paging, Parameters, Problem, Query, seconds};
use crate::lifecycle;
use crate::projection::timing::read::builds;

/// A build that has not ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct IncompleteBuild {
    instance_id: String,
    name: Option<String>,
    project_id: Option<String>,
    host: Option<String>,
    /// When it began or, if that is unknown, the time of the first event about the instance.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// The time since then.
    age_s: f64,
    /// `building` or `bootstrapping`.
    phase: String,
    /// The kind of the last event about the instance.
    last_kind: String,
    #[schema(value_type = String, format = DateTime)]
    last_at: Timestamp,
}

/// The builds to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Older than this many seconds.
    #[param(value_type = Option<f64>, minimum = 0)]
    older_than_s: Option<jiff::SignedDuration>,
    /// The time to use instead of the server's clock.
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
pub(super) async fn list_incomplete(
    State(pool): State<Pool>,
    Query((filter, paging)): Query<(Filter, Paging)>,
) -> Result<Json<Items<IncompleteBuild>>, Problem> {
    let after: Option<(CursorTime, String)> = paging.after()?;
    let after = after.map(|(CursorTime(at), id)| (at, id));
    // Nothing started before the calendar begins.
    let older = filter.older_than_s.map(|age| {
        filter.at.checked_sub(age).unwrap_or(Timestamp::UNIX_EPOCH).max(Timestamp::UNIX_EPOCH)
    });
    let client = pool.get().await?;
    let rows = builds::list_incomplete(&**client, filter.at, older, after, paging.rows()).await?;
    let items = rows
        .into_iter()
        .map(|row| IncompleteBuild {
            instance_id: row.instance_id,
            name: row.name,
            project_id: row.project_id,
            host: row.host,
            started_at: row.started_at,
            age_s: seconds(filter.at.as_microsecond() - row.started_at.as_microsecond()),
            phase: row.build_status,
            last_kind: row.last_kind,
            last_at: row.last_at,
        })
        .collect();
    Ok(Json(paging.page(items, |build: &IncompleteBuild| {
        (CursorTime(build.started_at), build.instance_id.clone())
    })))
}
