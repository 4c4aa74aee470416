//! `/v1/deployments`

use axum::Json;
use axum::extract;
use jiff::Timestamp;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::load::silence_limit;
use crate::api::State;
use crate::http::{CursorTime, FromParameters, Items, Paging, Parameters, Problem, Query};
use crate::lifecycle;
use crate::projection::deployment::{
    self, DeploymentFilter, DeploymentSummary, State as Stage, Status,
};

/// Which deployments are listed.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Only deployments of this status (`error`, `incomplete`, `success`) or in this state.
    #[param(value_type = Option<Progress>, inline)]
    status: Option<Progress>,
    /// Takes the place of the clock.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Timestamp,
}

/// A status or a state; no word is both.
#[derive(Clone, Copy, Debug)]
enum Progress {
    Status(Status),
    State(Stage),
}

impl Progress {
    fn all() -> impl Iterator<Item = Progress> {
        let statuses = Status::ALL.iter().copied().map(Progress::Status);
        statuses.chain(Stage::ALL.iter().copied().map(Progress::State))
    }

    fn as_str(self) -> &'static str {
        match self {
            Progress::Status(status) => status.as_str(),
            Progress::State(state) => state.as_str(),
        }
    }

    fn parse(text: &str) -> Option<Progress> {
        Progress::all().find(|word| word.as_str() == text)
    }
}

impl PartialSchema for Progress {
    fn schema() -> RefOr<Schema> {
        let words = Progress::all().map(Progress::as_str);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
    }
}

impl ToSchema for Progress {}

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        let words: Vec<&str> = Progress::all().map(Progress::as_str).collect();
        let expected = format!("one of {} is expected", words.join(", "));
        Ok(Filter {
            status: parameters.read("status", &expected, Progress::parse)?,
            at: parameters.time("at")?.unwrap_or_else(lifecycle::now),
        })
    }
}

/// Deployments, the newest first event first
#[utoipa::path(get, path = "/v1/deployments", tag = "Reports", operation_id = "deployments",
    params(Filter, Paging), responses((status = 200, body = Items<DeploymentSummary>)))]
pub(super) async fn list(
    extract::State(state): extract::State<State>,
    Query((filter, paging)): Query<(Filter, Paging)>,
) -> Result<Json<Items<DeploymentSummary>>, Problem> {
    let after: Option<(CursorTime, String)> = paging.after()?;
    let (status, stage) = match filter.status {
        None => (None, None),
        Some(Progress::Status(status)) => (Some(status), None),
        Some(Progress::State(stage)) => (None, Some(stage)),
    };
    let limit = silence_limit(&state, filter.at);
    let filter = DeploymentFilter { limit, status, state: stage };
    let client = state.read_pool.get().await?;
    let after = after.as_ref().map(|(CursorTime(at), id)| (*at, id.as_str()));
    let items = deployment::list_deployments(&**client, filter, after, paging.rows()).await?;
    Ok(Json(paging.page(items, |deployment: &DeploymentSummary| {
        (CursorTime(deployment.first_at), deployment.deployment_id.clone())
    })))
}
