//! Calls that report something: each appends one neutral event, however often it is retried.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::metric::{self, Metric};
use crate::api::State;
use crate::api::v1::intake;
use crate::event::Event;
use crate::event::ours::{Layout, OwnEvent};
use crate::http::Problem;
use crate::ingest::intake::IntakeReceipt;
use crate::projection::{self, Wait, timing};
use crate::{lifecycle, log};

/// The source of events that TTM's routes append.
const SOURCE: &str = "stackledger/ttm";

/// The namespace of the ids of calls with a key. It must never change, because the log keeps the ids.
const NAMESPACE: Uuid = Uuid::from_u128(0x5d0c_9a51_37f7_4c0e_9d0a_64b1_f0b7_c2de);

/// The longest time that an answer waits for the read model to apply the call.
const APPLY_TIMEOUT: Duration = Duration::from_secs(3);

/// The identity of a call: its time and the id of its event. A retry with the same key has the same id.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// When the call arrived.
    pub now: Timestamp,
    id: String,
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let key = match parts.headers.get("idempotency-key") {
            None => None,
            Some(key) => {
                Some(key.to_str().ok().filter(|key| (1..=255).contains(&key.len())).ok_or_else(
                    || {
                        Problem::bad_request(
                            "Idempotency-Key",
                            "up to 255 ASCII characters are expected",
                        )
                    },
                )?)
            }
        };
        let id = match key {
            // The path distinguishes calls about different instances that use the same key.
            Some(key) => {
                let name = format!("{} {}\n{key}", parts.method, parts.uri.path());
                Uuid::new_v5(&NAMESPACE, name.as_bytes())
            }
            None => lifecycle::random_id(),
        };
        Ok(Call { now: lifecycle::now(), id: id.to_string() })
    }
}

impl Call {
    /// Creates the call's event.
    pub fn event(&self, kind: &str, data: &Value) -> Result<Event, Problem> {
        let data = data.to_string();
        let event = OwnEvent {
            layout: Layout::Sorted,
            id: &self.id,
            source: SOURCE,
            kind,
            time: &self.now.to_string(),
            data: data.as_bytes(),
        };
        event.to_event().map_err(|error| {
            tracing::error!(error = %error, "an event of our own cannot be decoded");
            Problem::internal()
        })
    }
}

/// Appends a call's event and waits until it is durable.
pub(super) async fn append(state: &State, event: Event) -> Result<IntakeReceipt, Problem> {
    intake::append_events(&state.intake, vec![event]).await
}

/// Appends a call's event, waits until the read model has applied it, and returns the instance's metric. If
/// that takes too long, or nobody projects, `overlay` lays the call over the metric as it is known; its second
/// argument is whether the call is new. Once the event is durable the call has succeeded, so nothing that
/// fails afterwards fails the call.
pub(super) async fn append_and_read(
    state: &State,
    event: Event,
    instance_id: &str,
    overlay: impl FnOnce(&mut Metric, bool),
) -> Result<Metric, Problem> {
    let mut metric = read_metric(state, instance_id).await?;
    let appended = append(state, event).await?;
    let is_applied = wait_until_applied(state, appended.head).await.unwrap_or(false);
    if let Ok(newer) = read_metric(state, instance_id).await {
        metric = newer;
        if is_applied {
            return Ok(metric);
        }
    }
    overlay(&mut metric, appended.is_new.first().copied().unwrap_or(true));
    Ok(metric)
}

/// Reads an instance's metric over a connection that is given back at once: the requests that are waited
/// for may need it.
async fn read_metric(state: &State, instance_id: &str) -> Result<Metric, Problem> {
    let client = state.pool.get().await?;
    Ok(metric::derive_of_instance(&client, instance_id).await?)
}

/// Waits until the read model has applied the whole log as it is now. Returns `false` if that takes too long,
/// or an error stops the read model, or nobody projects it.
pub(super) async fn wait_until_current(state: &State) -> Result<bool, Problem> {
    let head = log::read_head(&*state.pool.get().await?).await?.0;
    wait_until_applied(state, head).await
}

/// Waits until the read model has applied the position. Returns `false` under the same conditions as
/// [`wait_until_current`].
async fn wait_until_applied(state: &State, position: i64) -> Result<bool, Problem> {
    let outcome = projection::wait_until_applied(position, None, APPLY_TIMEOUT, || async {
        // A connection is taken for each look: waiting requests must not keep others from theirs.
        let client = state.pool.get().await?;
        Ok::<_, Problem>(projection::live_position(&**client, &timing::PROJECTION).await?)
    });
    Ok(outcome.await? == Wait::Applied)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_bytes_of_the_body_never_change() {
        let now = "2026-11-20T03:05:54.000125Z".parse().unwrap();
        let call = Call { now, id: "4dc98bc5-6a8c-5d4c-9c8e-4f1d1c4b1b0e".to_owned() };
        let data = json!({"instance_id": "i\"1", "end_time": null, "n": 1.10});
        let expected = r#"{"data":{"end_time":null,"instance_id":"i\"1","n":1.1},"id":"4dc98bc5-6a8c-5d4c-9c8e-4f1d1c4b1b0e","source":"stackledger/ttm","specversion":"1.0","time":"2026-11-20T03:05:54.000125Z","type":"ttm.metrics"}"#;
        let body = call.event("ttm.metrics", &data).unwrap().body;
        assert_eq!(String::from_utf8(body).unwrap(), expected);
    }
}
