//! A call that reports something: one neutral event, however often it is retried.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::metric::{self, Metric};
use crate::api::State;
use crate::api::v1::intake;
use crate::event::{self, Event};
use crate::http::Problem;
use crate::ingest::intake::Appended;
use crate::{lifecycle, log, projection};

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

/// Appends a call's event and waits until it is durable.
pub(super) async fn append(state: &State, event: Event) -> Result<Appended, Problem> {
    intake::take(&state.intake, vec![event]).await
}

/// Appends a call's event and waits until the read model knows it; answers with the instance's
/// metric. When that takes too long, or nobody projects, the answer is what was known before with
/// what the call says (`say`, which is told whether the call is new) put over it: once the event is
/// durable, the call has succeeded, whatever happens then.
pub(super) async fn append_and_see(
    state: &State,
    event: Event,
    instance_id: &str,
    say: impl FnOnce(&mut Metric, bool),
) -> Result<Metric, Problem> {
    let client = state.pool.get().await?;
    let mut known = metric::known(&client, instance_id).await?;
    // Given back before waiting: whoever waits may need it.
    drop(client);
    let appended = append(state, event).await?;
    let is_seen = see(state, appended.head).await.unwrap_or(false);
    if let Ok(now) = read(state, instance_id).await {
        known = now;
        if is_seen {
            return Ok(known);
        }
    }
    say(&mut known, appended.is_new.first().copied().unwrap_or(true));
    Ok(known)
}

async fn read(state: &State, instance_id: &str) -> Result<Metric, Problem> {
    let client = state.pool.get().await?;
    Ok(metric::known(&client, instance_id).await?)
}

/// Waits until the read model knows all that is recorded; `false` when that takes too long.
pub(super) async fn is_current(state: &State) -> Result<bool, Problem> {
    let head = log::head(&*state.pool.get().await?).await?.0;
    see(state, head).await
}

/// Waits until the read model has seen the position; `false` when that takes too long, or will not
/// be.
async fn see(state: &State, position: i64) -> Result<bool, Problem> {
    let give_up = tokio::time::Instant::now() + PATIENCE;
    loop {
        // A connection is taken for each look: those who wait must not keep others from theirs.
        match seen(state, position).await? {
            Some(true) => return Ok(true),
            Some(false) if tokio::time::Instant::now() < give_up => {}
            _ => return Ok(false),
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Whether the read model has seen the position; `None` when it will not.
async fn seen(state: &State, position: i64) -> Result<Option<bool>, Problem> {
    let client = state.pool.get().await?;
    let row = client
        .query_opt(
            "-- ttm::seen
             SELECT CASE WHEN position >= $2 THEN true WHEN error IS NULL THEN false END
             FROM projection.checkpoint WHERE name = $1 AND slot = 'live'",
            &[&projection::timing::PROJECTION.name, &position],
        )
        .await?;
    Ok(row.and_then(|row| row.get(0)))
}
