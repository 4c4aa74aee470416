//! The bytes of a request.

use std::ops::Deref;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, StatusCode, header};
use futures_util::TryStreamExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Problem;

/// The largest body that is taken, in bytes.
pub const BODY_MAX: usize = 16 << 20;

/// How much of a body that is not taken is still read and forgotten: a client that is cut off while
/// it sends does not read why.
const DRAIN_MAX: usize = 4 * BODY_MAX;

/// How long a client may take to send a body.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the bodies of all requests in hand may hold together, in KiB.
const ROOM_KIB: usize = 64 << 10;

/// The part of it that is free. The process's memory is one, so this is, too.
static ROOM: Semaphore = Semaphore::const_new(ROOM_KIB);

/// Extracts the whole body: 413 when it is too large, 408 when it comes too slowly, 503 when other
/// requests' bodies leave no room for it.
#[derive(Debug)]
pub struct Body(pub Bytes);

/// A body, and the room that it takes until it is dropped.
#[derive(Debug)]
pub struct Bytes {
    bytes: Vec<u8>,
    _room: Option<SemaphorePermit<'static>>,
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl<S: Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let length = request.headers().get(header::CONTENT_LENGTH);
        let length = length.map(HeaderValue::to_str).and_then(Result::ok);
        // One of unknown length may become as large as any.
        let size = length.and_then(|length| length.parse().ok()).unwrap_or(BODY_MAX);
        let room = match size {
            0..=BODY_MAX => ROOM.try_acquire_many((size / 1024 + 1) as u32).ok(),
            _ => None,
        };
        let kept_max = if room.is_some() { BODY_MAX } else { 0 };
        let reading = read(request.into_body(), kept_max);
        let (bytes, read) = match tokio::time::timeout(PATIENCE, reading).await {
            Ok(read) => read?,
            Err(_) => {
                let slow = "the body came too slowly";
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, slow));
            }
        };
        if size.max(read) > BODY_MAX {
            return Err(Problem::too_large(format!("at most {} MiB are taken", BODY_MAX >> 20)));
        }
        if room.is_none() {
            return Err(Problem::unavailable("other requests' bodies leave no room for this one"));
        }
        Ok(Body(Bytes { bytes, _room: room }))
    }
}

/// The body, where it has at most `kept_max` bytes, and how many it has.
async fn read(body: axum::body::Body, kept_max: usize) -> Result<(Vec<u8>, usize), Problem> {
    let mut stream = body.into_data_stream();
    let mut kept = Vec::new();
    let mut size = 0;
    let broken = |_| Problem::malformed("the body ended early");
    while let Some(chunk) = stream.try_next().await.map_err(broken)? {
        size += chunk.len();
        if size <= kept_max {
            kept.extend_from_slice(&chunk);
        } else if size > DRAIN_MAX {
            break;
        } else {
            kept = Vec::new();
        }
    }
    Ok((kept, size))
}
