//! Recipes, the steps of a bootstrap: the first call starts one, the second ends it.

use axum::Json;
use axum::extract;
use axum::http::StatusCode;
use serde_json::json;
use tokio_postgres::Client;
use utoipa::ToSchema;
use uuid::Uuid;

use super::call::{self, Call};
use super::metrics::{One, seen};
use super::{Unheeded, instance_id, metric};
use crate::api::State;
use crate::event::Event;
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
    let data = json!({ "instance_id": id, "recipe": name, "message": message(&body)? });
    let event = call.event("ttm.recipe", &data)?;
    append(&state, event, &id).await
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
    let data = json!({ "instance_id": id, "message": message(&body)? });
    let event = call.event("ttm.recipe", &data)?;
    let client = state.pool.get().await?;
    // A retry of a call that did its work finds nothing open, rightly.
    if !is_known(&client, &id, event.id).await? {
        match open(&client, &id).await? {
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
    append(&state, event, &id).await
}

async fn append(state: &State, event: Event, id: &str) -> Result<(StatusCode, Json<One>), Problem> {
    call::append_and_see(state, event).await?;
    let client = state.pool.get().await?;
    Ok((StatusCode::CREATED, seen(metric::read(&client, Some(id)).await?)?))
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

/// How many recipes that were started by this route have not ended.
async fn open(client: &Client, id: &str) -> Result<i64, tokio_postgres::Error> {
    let row = client
        .query_one(
            "-- ttm::open
             SELECT count(*) FROM timing.recipe
             WHERE instance_id = $1 AND is_ttm AND started_at IS NOT NULL AND ended_at IS NULL",
            &[&id],
        )
        .await?;
    Ok(row.get(0))
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
