//! Routes: how events reach the other side.

mod amqp;
mod http;
mod outcome;

use anyhow::Result;

use outcome::BatchOutcome;

use super::sample::Sample;
use crate::broker::Cluster;
use crate::secret::Secret;

/// The destination of events.
#[derive(Debug)]
pub enum Route {
    /// The exchange `stackledger` on a broker, with publisher confirms.
    Amqp {
        /// The broker, or the nodes of its cluster.
        cluster: Cluster,
    },
    /// `POST /v1/events` of a server.
    Http {
        /// `http://host:port`, without a trailing slash.
        url: String,
        /// The bearer token, if the server requires one.
        token: Option<Secret>,
    },
}

/// The sender of a route.
pub(super) enum Carrier {
    Amqp(amqp::Publisher),
    Http(http::Poster),
}

impl Carrier {
    /// Prepares a route, without connecting.
    pub fn new(route: Route) -> Result<Carrier> {
        Ok(match route {
            Route::Amqp { cluster } => Carrier::Amqp(amqp::Publisher::new(cluster)),
            Route::Http { url, token } => Carrier::Http(http::Poster::new(url, token)?),
        })
    }

    /// Returns the name used in log lines.
    pub fn name(&self) -> String {
        match self {
            Carrier::Amqp(publisher) => publisher.name(),
            Carrier::Http(poster) => poster.name(),
        }
    }

    /// Sends events.
    ///
    /// # Errors
    ///
    /// If the other side is unavailable; then all events are kept.
    pub async fn carry(&mut self, samples: &[Sample]) -> Result<BatchOutcome> {
        match self {
            Carrier::Amqp(publisher) => publisher.carry(samples).await,
            Carrier::Http(poster) => poster.carry(samples).await,
        }
    }
}
