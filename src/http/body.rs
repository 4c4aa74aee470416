//! The bytes of a request.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use futures_util::TryStreamExt;

use super::Problem;

/// The largest body that is taken, in bytes.
pub const BODY_MAX: usize = 16 << 20;

/// How much of a body that is too large is still read and forgotten: a client that is cut off while
/// it sends does not read why.
const DRAIN_MAX: usize = 4 * BODY_MAX;

/// How long a client may take to send a body.
const PATIENCE: Duration = Duration::from_secs(20);

/// Extracts the whole body: 413 when it is too large, 408 when it comes too slowly.
#[derive(Clone, Debug)]
pub struct Body(pub Vec<u8>);

impl<S: Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        match tokio::time::timeout(PATIENCE, read(request.into_body())).await {
            Ok(read) => read.map(Body),
            Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly")),
        }
    }
}

async fn read(body: axum::body::Body) -> Result<Vec<u8>, Problem> {
    let mut stream = body.into_data_stream();
    let mut kept = Vec::new();
    let mut size = 0;
    let broken = |_| Problem::malformed("the body ended early");
    while let Some(chunk) = stream.try_next().await.map_err(broken)? {
        size += chunk.len();
        if size <= BODY_MAX {
            kept.extend_from_slice(&chunk);
        } else if size > DRAIN_MAX {
            break;
        } else {
            kept = Vec::new();
        }
    }
    if size > BODY_MAX {
        return Err(Problem::too_large(format!("at most {} MiB are taken", BODY_MAX >> 20)));
    }
    Ok(kept)
}
