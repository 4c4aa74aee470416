//! The bytes of a request.

use std::ops::Deref;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderValue, StatusCode, header};
use futures_util::TryStreamExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Problem;

/// The largest body that is accepted, in bytes.
pub const BODY_MAX: usize = 16 << 20;

/// How much of a refused body is still read and discarded, in bytes: a client whose connection is closed
/// while it sends does not read the answer, and so not the reason.
const DRAIN_MAX: usize = 4 * BODY_MAX;

/// Time for a client to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(20);

/// Memory for the bodies of all requests in hand, in KiB.
const MEMORY_KIB: usize = 64 << 10;

/// The part of that memory that is free. A process has one memory, hence a static.
static FREE_KIB: Semaphore = Semaphore::const_new(MEMORY_KIB);

/// Extracts the whole body. Answers 413 if it is too large, 408 if it is sent too slowly, and 503 if the
/// bodies of other requests leave no memory for it.
#[derive(Debug)]
pub struct Body(pub Bytes);

/// A body, and its share of the memory for bodies, which is given back on drop.
#[derive(Debug)]
pub struct Bytes {
    bytes: Vec<u8>,
    _memory: Option<SemaphorePermit<'static>>,
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
        // A body of unknown length counts as the largest.
        let size = length.and_then(|length| length.parse().ok()).unwrap_or(BODY_MAX);
        let memory = match size {
            0..=BODY_MAX => FREE_KIB.try_acquire_many((size / 1024 + 1) as u32).ok(),
            _ => None,
        };
        let kept_max = if memory.is_some() { BODY_MAX } else { 0 };
        let reading = read(request.into_body(), kept_max);
        let (bytes, read) = match tokio::time::timeout(BODY_TIMEOUT, reading).await {
            Ok(read) => read?,
            Err(_) => {
                let slow = format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs());
                return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, slow));
            }
        };
        if size.max(read) > BODY_MAX {
            let max = format!("a body may have at most {} MiB", BODY_MAX >> 20);
            return Err(Problem::too_large(max));
        }
        if memory.is_none() {
            return Err(Problem::unavailable("other requests' bodies leave no room for this one"));
        }
        Ok(Body(Bytes { bytes, _memory: memory }))
    }
}

/// Reads a body and returns it with its size. A body of more than `kept_max` bytes is discarded.
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
