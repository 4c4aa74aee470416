//! Deliveries that could not be decoded, for operators.

use axum::Json;
use axum::extract;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::State;
use crate::http::{
    FromParameters, Items, NoParameters, Paging, Parameters, Problem, Query, Segments,
};
use crate::log::{self, DeadLetterStatus, StoredDeadLetter};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// A delivery that could not be decoded into an event.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct DeadLetter {
    /// Its number.
    id: i64,
    /// `open`, `redriven` or `discarded`.
    status: &'static str,
    /// Why it could not be decoded.
    reason: String,
    /// Its queue, exchange and routing key, or its file and line.
    origin: String,
    /// The time of its first arrival.
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
    /// Its size in bytes.
    size: i64,
}

/// A dead letter with its body.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct DeadLetterWithBody {
    #[serde(flatten)]
    letter: DeadLetter,
    /// Its compression, as the transport declared it.
    compression: Option<String>,
    /// The body as text; absent if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// The body in base64, if it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

impl From<StoredDeadLetter> for DeadLetter {
    fn from(stored: StoredDeadLetter) -> Self {
        DeadLetter {
            id: stored.id,
            status: stored.status.as_str(),
            reason: stored.letter.reason,
            origin: stored.letter.origin,
            received_at: stored.received_at,
            size: stored.size,
        }
    }
}

/// The filter of the list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// `open`, `redriven` or `discarded`.
    #[param(value_type = Option<String>, pattern = "^(open|redriven|discarded)$")]
    status: Option<DeadLetterStatus>,
}

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        let expected = "open, redriven or discarded is expected";
        Ok(Filter { status: parameters.read("status", expected, DeadLetterStatus::parse)? })
    }
}

/// Dead letters in the order of their arrival, without bodies
#[utoipa::path(get, path = "/v1/dead-letters", tag = "Operate", operation_id = "dead_letters", params(Filter, Paging),
    responses((status = 200, body = Items<DeadLetter>)))]
async fn list(
    extract::State(state): extract::State<State>,
    Query((filter, paging)): Query<(Filter, Paging)>,
) -> Result<Json<Items<DeadLetter>>, Problem> {
    let after: i64 = paging.after()?.unwrap_or(0);
    let client = state.pool.get().await?;
    let letters = log::list_dead_letters(&client, filter.status, after, paging.rows()).await?;
    let items = letters.into_iter().map(DeadLetter::from).collect();
    Ok(Json(paging.page(items, |letter: &DeadLetter| letter.id)))
}

/// One dead letter with its body
#[utoipa::path(get, path = "/v1/dead-letters/{id}", tag = "Operate", operation_id = "dead_letter",
    params(("id" = i64, Path, description = "Its number")),
    responses((status = 200, body = DeadLetterWithBody)))]
async fn show(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    _: Query<NoParameters>,
) -> Result<Json<DeadLetterWithBody>, Problem> {
    let Segments([id]) = segments;
    let id: i64 =
        id.parse().map_err(|_| Problem::bad_request("id", "a whole number is expected"))?;
    let client = state.pool.get().await?;
    let mut stored = log::show_dead_letter(&client, id)
        .await?
        .ok_or_else(|| Problem::not_found("there is no such dead letter"))?;
    let compression = stored.letter.compression.take();
    let (body, body_base64) = match String::from_utf8(std::mem::take(&mut stored.letter.body)) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(STANDARD.encode(error.as_bytes()))),
    };
    Ok(Json(DeadLetterWithBody { letter: stored.into(), compression, body, body_base64 }))
}
