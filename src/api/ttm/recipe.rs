//! Recipes, the steps of a bootstrap: the first call starts a recipe, and a later one ends it.

use std::collections::btree_map::Entry;

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::json;
use utoipa::ToSchema;

use super::call::{self, Call};
use super::format::iso;
use super::metric::{Metric, MetricAnswer, Recipe};
use super::parameters::{CacheBuster, instance_id, only_instance_id};
use crate::api::State;
use crate::event;
use crate::http::{Body, Parameters, Problem, Query, Segments};
use crate::projection::timing::read::ttm;

/// The maximum length of a message, in bytes.
const MESSAGE_MAX: usize = 64 << 10;

/// The form that a call may contain.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the request's body")]
#[schema(as = TtmForm)]
pub(super) struct Form {
    /// Any text, for example an error.
    msg: Option<String>,
}

/// Report that a recipe starts (the first time) or ends
#[utoipa::path(post, path = "/ttm/api/v1.0/instances/{id}/recipe/{name}", tag = "TTM",
    operation_id = "ttm_post_recipe",
    params(("id" = String, Path, description = "The instance's id"),
        ("name" = String, Path, description = "The recipe's name"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same for every retry of one call")),
    request_body(content = Option<Form>, content_type = "application/x-www-form-urlencoded"),
    responses((status = 201, body = MetricAnswer)))]
pub(super) async fn post(
    extract::State(state): extract::State<State>,
    segments: Segments<2>,
    _: Query<CacheBuster>,
    call: Call,
    Body(body): Body,
) -> Result<(StatusCode, Json<MetricAnswer>), Problem> {
    let Segments([id, name]) = segments;
    let id = instance_id(&id)?;
    if name.len() > event::TEXT_MAX {
        return Err(Problem::bad_request("name", format!("at most {} bytes", event::TEXT_MAX)));
    }
    let message = read_message(&body)?;
    let data = json!({ "instance_id": id, "recipe": name, "message": message });
    let event = call.event("ttm.recipe", &data)?;
    let metric = call::append_and_read(&state, event, &id, |metric, is_new| {
        apply_call(metric, name, call.now, message, is_new);
    });
    Ok((StatusCode::CREATED, Json(MetricAnswer { metric: metric.await? })))
}

/// Report that the instance's only open recipe ends
#[utoipa::path(post, path = "/ttm/api/v1.0/instances/{id}/recipe", tag = "TTM",
    operation_id = "ttm_end_recipe",
    params(("id" = String, Path, description = "The instance's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same for every retry of one call")),
    request_body(content = Option<Form>, content_type = "application/x-www-form-urlencoded"),
    responses((status = 201, body = MetricAnswer)))]
pub(super) async fn end(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    _: Query<CacheBuster>,
    call: Call,
    Body(body): Body,
) -> Result<(StatusCode, Json<MetricAnswer>), Problem> {
    let id = only_instance_id(&segments)?;
    let message = read_message(&body)?;
    let data = json!({ "instance_id": id, "message": message });
    let event = call.event("ttm.recipe", &data)?;
    // Which recipes are open is certain only when the whole log is applied.
    if !call::wait_until_current(&state).await? {
        return Err(Problem::unavailable(
            "the read model is behind the log, so the open recipe is unknown: try again later",
        ));
    }
    let client = state.pool.get().await?;
    // The retry of a successful call finds nothing open, and that is right.
    let mut names = Vec::new();
    if !ttm::has_recipe_call(&**client, &id, event.id).await? {
        names = ttm::list_open_recipes(&**client, &id).await?;
        match names.len() {
            0 => return Err(Problem::not_found("the instance has no open recipe")),
            1 => {}
            several => {
                let detail =
                    format!("the instance has {several} open recipes: name the one that ends");
                return Err(Problem::conflict(detail));
            }
        }
    }
    // Given back before waiting: the requests that are waited for may need it.
    drop(client);
    let metric = call::append_and_read(&state, event, &id, |metric, is_new| {
        if let Some(name) = names.pop() {
            apply_call(metric, name, call.now, message, is_new);
        }
    });
    Ok((StatusCode::CREATED, Json(MetricAnswer { metric: metric.await? })))
}

/// Applies a call to the metric of a read model that has not applied it yet.
fn apply_call(
    metric: &mut Metric,
    name: String,
    now: Timestamp,
    message: Option<String>,
    is_new: bool,
) {
    let message = message.unwrap_or_default();
    match metric.recipes.entry(name) {
        Entry::Vacant(entry) => {
            entry.insert(Recipe {
                recipe_start_time: iso(now),
                start_msg: message,
                ..Recipe::default()
            });
        }
        // A retry reports nothing new.
        Entry::Occupied(_) if !is_new => {}
        Entry::Occupied(mut entry) => {
            let recipe = entry.get_mut();
            (recipe.recipe_end_time, recipe.end_msg) = (iso(now), message);
        }
    }
}

/// Reads the form's `msg`. Everything else is ignored, as TTM does.
fn read_message(body: &[u8]) -> Result<Option<String>, Problem> {
    let text =
        std::str::from_utf8(body).map_err(|_| Problem::malformed("the form is not UTF-8"))?;
    let mut messages =
        text.split('&').filter(|pair| pair.split_once('=').is_some_and(|(name, _)| name == "msg"));
    match messages.next() {
        None => Ok(None),
        Some(pair) => Ok(Parameters::parse_up_to(pair, MESSAGE_MAX)?.optional("msg")),
    }
}
