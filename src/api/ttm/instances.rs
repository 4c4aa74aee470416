//! The instances that TTM knows.

use axum::Json;
use axum::extract;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::base::BaseUri;
use super::metric;
use super::parameters::{CacheBuster, only_instance_id};
use crate::api::State;
use crate::http::{FromParameters, Parameters, Problem, Query, Segments};
use crate::projection::timing::read::ttm;

/// An instance, and the address of its metrics.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmInstance)]
struct Instance {
    instance_id: String,
    uri: String,
}

/// A list of instances.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = TtmInstances)]
pub(super) struct Instances {
    instances: Vec<Instance>,
}

/// Instances that a build or recipe was reported for, the newest first; at most 100000
#[utoipa::path(get, path = "/ttm/api/v1.0/instances", tag = "TTM", operation_id = "ttm_instances",
    responses((status = 200, body = Instances)))]
pub(super) async fn list(
    extract::State(state): extract::State<State>,
    _: Query<CacheBuster>,
    base: BaseUri,
) -> Result<Json<Instances>, Problem> {
    let client = state.pool.get().await?;
    let ids = ttm::list_instance_ids(&**client).await?;
    let instances = ids
        .into_iter()
        .map(|instance_id| Instance { uri: base.instance_metrics(&instance_id), instance_id });
    Ok(Json(Instances { instances: instances.collect() }))
}

/// Whether TTM knows an instance. Unknown values are `""`.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = TtmExistence)]
pub(super) struct Existence {
    exists: bool,
    start_time: String,
    end_time: String,
    instance_start_time: String,
}

/// The function call to wrap the answer in (JSONP).
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Jsonp {
    /// The JavaScript function that is called with the answer (JSONP).
    #[param(
        required = false,
        pattern = r"^[A-Za-z_$][A-Za-z0-9_$]*(\.[A-Za-z_$][A-Za-z0-9_$]*)*$",
        max_length = 128
    )]
    callback: Option<String>,
}

impl FromParameters for Jsonp {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        let callback = parameters.read("callback", "a JavaScript name is expected", |text| {
            is_name(text).then(|| text.to_owned())
        })?;
        Ok(Jsonp { callback })
    }
}

/// Returns whether a text is a name in JavaScript, possibly of a member; anything else would be code that the
/// client's page runs.
fn is_name(text: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_alphabetic() || b"_$".contains(&byte);
    let is_word = |word: &str| {
        word.bytes().next().is_some_and(is_first)
            && word.bytes().all(|byte| is_first(byte) || byte.is_ascii_digit())
    };
    text.len() <= 128 && text.split('.').all(is_word)
}

/// Whether TTM knows an instance, and whether its build has ended
#[utoipa::path(get, path = "/ttm/api/v1.0/instances/{id}", tag = "TTM", operation_id = "ttm_exists",
    params(("id" = String, Path, description = "The instance's id"), Jsonp),
    responses((status = 200, content((Existence = "application/json"), (String = "application/javascript")))))]
pub(super) async fn exists(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    Query((jsonp, CacheBuster)): Query<(Jsonp, CacheBuster)>,
) -> Result<Response, Problem> {
    let id = only_instance_id(&segments)?;
    let client = state.pool.get().await?;
    let existence = match metric::find_of_instance(&client, &id).await? {
        None => Existence::default(),
        Some(metric) => Existence {
            exists: true,
            start_time: metric.start_time,
            end_time: metric.end_time,
            instance_start_time: metric.instance_start_time,
        },
    };
    let Some(callback) = jsonp.callback else { return Ok(Json(existence).into_response()) };
    let json = serde_json::to_string(&existence).map_err(|_| Problem::internal())?;
    let headers = [
        (header::CONTENT_TYPE, "application/javascript"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, format!("{callback}({json});")).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_called_back() {
        for name in ["f", "$", "_a1", "angular.callbacks._0", "jQuery17_123"] {
            assert!(is_name(name), "{name}");
        }
        for text in ["", "1a", "a-b", "a()", "a;b", ".", "a.", "a..b", "é", &"a".repeat(129)] {
            assert!(!is_name(text), "{text}");
        }
    }
}
