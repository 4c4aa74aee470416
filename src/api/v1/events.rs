//! The log's events.

use axum::Json;
use axum::extract;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::intake;
use crate::api::State;
use crate::event::{Family, Recorded};
use crate::http::{
    Cursor, FromParameters, Items, NoParameters, Paging, Parameters, Problem, Query, Segments,
};
use crate::log;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(list, intake::append)).routes(routes!(show))
}

/// An event's header.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Event {
    /// Its position in the log.
    position: i64,
    /// Its id: two events of one id are the same.
    id: String,
    /// Its family, a part of the log.
    family: &'static str,
    /// Its type as on the wire, e.g. `compute.instance.create.end`.
    kind: String,
    /// The entity it is about, e.g. an instance.
    stream: Option<String>,
    /// The tenant.
    project_id: Option<String>,
    /// The time of the event, by the sender's clock.
    #[schema(value_type = Option<String>, format = DateTime)]
    occurred_at: Option<Timestamp>,
    /// The time when it was appended.
    #[schema(value_type = String, format = DateTime)]
    recorded_at: Timestamp,
    /// The sender.
    source: String,
    /// Whether secrets were removed from the body.
    redacted: bool,
    /// Indexes, from 0, of the body's samples with a missing or wrong signature; null if no signature was
    /// checked.
    bad_signatures: Option<Vec<i32>>,
}

/// An event with its body.
#[derive(Debug, Serialize, ToSchema)]
struct EventWithBody {
    #[serde(flatten)]
    event: Event,
    /// The body, with every digit of its numbers; absent if it is not JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    body: Option<Box<RawValue>>,
    /// The body in base64, if it is not JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
}

impl From<Recorded> for Event {
    fn from(Recorded { position, recorded_at, event }: Recorded) -> Self {
        Event {
            position,
            id: event.id.to_string(),
            family: event.family.as_str(),
            kind: event.kind,
            stream: event.stream,
            project_id: event.project_id,
            occurred_at: event.occurred_at,
            recorded_at,
            source: event.source,
            redacted: event.redacted,
            bad_signatures: event.bad_signatures,
        }
    }
}

/// The filter of the list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// Of one entity: an instance id, a host, a deployment id or a project.
    #[param(required = false)]
    stream: Option<String>,
    /// Of one kind, e.g. `compute.instance.create.end`.
    #[param(required = false)]
    kind: Option<String>,
    /// Of one family, a part of the log.
    #[param(required = false, schema_with = family_schema)]
    family: Option<Family>,
    /// After this position.
    #[param(value_type = Option<i64>, minimum = 0)]
    after: i64,
}

/// Describes the parameter `family`, from the list of all families.
fn family_schema() -> Object {
    let names = Family::ALL.map(Family::as_str);
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .pattern(Some(format!("^({})$", names.join("|"))))
        .description(Some(format!("One of {}.", names.join(", "))))
        .build()
}

impl FromParameters for Filter {
    fn from_parameters(parameters: &mut Parameters) -> Result<Self, Problem> {
        let families = Family::ALL.map(Family::as_str).join(", ");
        Ok(Filter {
            stream: parameters.text("stream")?,
            kind: parameters.text("kind")?,
            family: parameters.read(
                "family",
                &format!("one of {families} is expected"),
                Family::parse,
            )?,
            after: parameters.integer("after", 0..=i64::MAX)?.unwrap_or(0),
        })
    }
}

/// Events in the order of the log, without bodies
///
/// A page may be empty and still have a next one: each page searches a limited stretch of the log for a rare
/// kind or a stream. For a stream, give its family as well: an index then leads to its events however long
/// the log is (except for perf and meter, which are split by day).
#[utoipa::path(get, path = "/v1/events", tag = "Operate", operation_id = "events", params(Filter, Paging),
    responses((status = 200, body = Items<Event>)))]
async fn list(
    extract::State(state): extract::State<State>,
    Query((filter, paging)): Query<(Filter, Paging)>,
) -> Result<Json<Items<Event>>, Problem> {
    let after = paging.after::<i64>()?.map_or(filter.after, |cursor| cursor.max(filter.after));
    let filter = log::Filter { stream: filter.stream, kind: filter.kind, family: filter.family };
    let client = state.pool.get().await?;
    let page = log::read_page(&client, &filter, after, paging.limit).await?;
    let next = page.next.map(|position| Cursor::new(&position).to_string());
    Ok(Json(Items { items: page.events.into_iter().map(Event::from).collect(), next }))
}

/// One event with its body
#[utoipa::path(get, path = "/v1/events/{position}", tag = "Operate", operation_id = "event",
    params(("position" = i64, Path, description = "Its position in the log")),
    responses((status = 200, body = EventWithBody)))]
async fn show(
    extract::State(state): extract::State<State>,
    segments: Segments<1>,
    _: Query<NoParameters>,
) -> Result<Json<EventWithBody>, Problem> {
    let Segments([position]) = segments;
    let position: i64 = position
        .parse()
        .map_err(|_| Problem::bad_request("position", "a whole number is expected"))?;
    let client = state.pool.get().await?;
    let mut recorded = log::read_at(&client, position)
        .await?
        .ok_or_else(|| Problem::not_found("the log has no event at this position"))?;
    let bytes = std::mem::take(&mut recorded.event.body);
    let body = serde_json::from_slice(&bytes).ok();
    let body_base64 = body.is_none().then(|| STANDARD.encode(&bytes));
    Ok(Json(EventWithBody { event: recorded.into(), body, body_base64 }))
}
