//! Recipes, the steps of a bootstrap: the first call starts one, the second ends it.

use std::collections::btree_map::Entry;

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::json;
use tokio_postgres::Client;
use utoipa::ToSchema;
use uuid::Uuid;

use super::call::{self, Call};
use super::metric::{Metric, Recipe};
use super::metrics::One;
use super::{Unheeded, instance_id, iso};
use crate::api::State;
use crate::event;
use crate::http::{Body, Parameters, Problem, Query, Segments};

/// The longest message, in bytes.
const MESSAGE_MAX: usize = 64 << 10;

/// The form that may come with a call.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what is sent")]
#[schema(as = TtmForm)]
pub(super) struct Form {
    /// Any text, an error for example.
    msg: Option<String>,
}

/// Report that a recipe starts (the first time) or ends
#[utoipa::path(post, path = "/ttm/api/v1.0/instances/{id}/recipe/{name}", tag = "TTM",
    operation_id = "ttm_post_recipe",
    params(("id" = String, Path, description = "The instance's id"),
        ("name" = String, Path, description = "The recipe's name"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same for every retry of one call")),
    request_body(content = Option<Form>, content_type = "application/x-www-form-urlencoded"),
    responses((status = 201, body = One)))]
pub(super) async fn post(
    extract::State(state): extract::State<State>,
    segments: Segments<2>,
    _: Query<Unheeded>,
    call: Call,
    Body(body): Body,
) -> Result<(StatusCode, Json<One>), Problem> {
    let Segments([id, name]) = segments;
    let id = instance_id(&id)?;
    if name.len() > event::TEXT_MAX {
        return Err(Problem::bad_request("name", format!("at most {} bytes", event::TEXT_MAX)));
    }
    let message = message(&body)?;
    let data = json!({ "instance_id": id, "recipe": name, "message": message });
    let event = call.event("ttm.recipe", &data)?;
    let metric = call::append_and_see(&state, event, &id, |metric, is_new| {
        called(metric, name, call.now, message, is_new);
    });
    Ok((StatusCode::CREATED, Json(One { metric: metric.await? })))
}

/// Report that the instance's one open recipe ends
#[utoipa::path(post, path = "/ttm/api/v1.0/instances/{id}/recipe", tag = "TTM",
    operation_id = "ttm_end_recipe",
    params(("id" = String, Path, description = "The instance's id"),
        ("Idempotency-Key" = Option<String>, Header, description = "The same for every retry of one call")),
    request_body(content = Option<Form>, content_type = "application/x-www-form-urlencoded"),
    responses((status = 201, body = One)))]
pub(super) async fn end(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    _: Query<Unheeded>,
    call: Call,
    Body(body): Body,
) -> Result<(StatusCode, Json<One>), Problem> {
    let Segments([id]) = segments;
    let id = instance_id(&id)?;
    let message = message(&body)?;
    let data = json!({ "instance_id": id, "message": message });
    let event = call.event("ttm.recipe", &data)?;
    // Which recipes are open is only known when all that was recorded is.
    if !call::is_current(&state).await? {
        return Err(Problem::unavailable("which recipes are open is not known yet"));
    }
    let client = state.pool.get().await?;
    // A retry of a call that did its work finds nothing open, rightly.
    let mut names = Vec::new();
    if !is_known(&client, &id, event.id).await? {
        names = open(&client, &id).await?;
        match names.len() {
            0 => return Err(Problem::not_found("the instance has no open recipe")),
            1 => {}
            several => {
                let detail = format!("the instance has {several} open recipes: name the one");
                return Err(Problem::conflict(detail));
            }
        }
    }
    // Given back before waiting: whoever waits may need it.
    drop(client);
    let metric = call::append_and_see(&state, event, &id, |metric, is_new| {
        if let Some(name) = names.pop() {
            called(metric, name, call.now, message, is_new);
        }
    });
    Ok((StatusCode::CREATED, Json(One { metric: metric.await? })))
}

/// What a call that the read model has not seen does to a recipe.
fn called(
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
        // A retry says nothing that the call did not.
        Entry::Occupied(_) if !is_new => {}
        Entry::Occupied(mut entry) => {
            let recipe = entry.get_mut();
            (recipe.recipe_end_time, recipe.end_msg) = (iso(now), message);
        }
    }
}

/// The form's `msg`. Whatever else is sent is not looked at, as TTM does.
fn message(body: &[u8]) -> Result<Option<String>, Problem> {
    let text =
        std::str::from_utf8(body).map_err(|_| Problem::malformed("the form is not UTF-8"))?;
    let mut messages =
        text.split('&').filter(|pair| pair.split_once('=').is_some_and(|(name, _)| name == "msg"));
    match messages.next() {
        None => Ok(None),
        Some(pair) => Ok(Parameters::parse_up_to(pair, MESSAGE_MAX)?.optional("msg")),
    }
}

/// The recipes that were started by this route and have not ended.
async fn open(client: &Client, id: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let rows = client
        .query(
            "-- ttm::open
             SELECT recipe FROM timing.recipe
             WHERE instance_id = $1 AND is_ttm AND started_at IS NOT NULL AND ended_at IS NULL",
            &[&id],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Whether the read model knows the call.
async fn is_known(client: &Client, id: &str, event: Uuid) -> Result<bool, tokio_postgres::Error> {
    let row = client
        .query_one(
            "-- ttm::is_known
             SELECT EXISTS (SELECT FROM timing.ttm_recipe_call WHERE instance_id = $1 AND event_id = $2)",
            &[&id, &event],
        )
        .await?;
    Ok(row.get(0))
}
