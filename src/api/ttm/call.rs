//! A call that reports something: one neutral event, however often it is retried.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{State, intake};
use crate::event::{self, Event};
use crate::http::Problem;
use crate::{lifecycle, projection};

/// The source of events that TTM's routes append.
const SOURCE: &str = "stackledger/ttm";

/// The namespace of the ids of calls with a key. It must never change: ids are kept for ever.
const NAMESPACE: Uuid = Uuid::from_u128(0x5d0c_9a51_37f7_4c0e_9d0a_64b1_f0b7_c2de);

/// How long an answer waits for the read model to know the call.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often it looks.
const POLL: Duration = Duration::from_millis(10);

/// What makes a call one: when it came, and the id of its event.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// When the call came.
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
            // The path tells calls about different instances apart that use the same key.
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
    /// The call's event.
    pub fn event(&self, kind: &str, data: &Value) -> Result<Event, Problem> {
        let body = json!({
            "specversion": "1.0",
            "id": self.id,
            "source": SOURCE,
            "type": kind,
            "time": self.now.to_string(),
            "data": data,
        });
        event::decode(body.to_string().into_bytes(), None).map_err(|error| {
            tracing::error!(error = %error, "an event of our own cannot be decoded");
            Problem::internal()
        })
    }
}

/// Appends a call's event and waits until it is durable; returns the log's position then.
pub(super) async fn append(state: &State, event: Event) -> Result<i64, Problem> {
    Ok(intake::store(&state.intake, vec![event]).await?.head)
}

/// Appends a call's event and waits until the read model knows it, so that the answer shows what
/// the call did. When that takes too long, or nobody projects, the answer shows what is known.
pub(super) async fn append_and_see(state: &State, event: Event) -> Result<(), Problem> {
    let head = append(state, event).await?;
    let give_up = tokio::time::Instant::now() + PATIENCE;
    // A connection is taken for each look: those who wait must not keep others from theirs.
    while may_come(state, head).await? && tokio::time::Instant::now() < give_up {
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Whether the read model has not seen the position yet, but will.
async fn may_come(state: &State, position: i64) -> Result<bool, Problem> {
    let client = state.pool.get().await?;
    let row = client
        .query_opt(
            "-- ttm::may_come
             SELECT position < $2 AND error IS NULL FROM projection.checkpoint
             WHERE name = $1 AND slot = 'live'",
            &[&projection::timing::PROJECTION.name, &position],
        )
        .await?;
    Ok(row.is_some_and(|row| row.get(0)))
}
