//! How events reach the other side.

mod amqp;
mod http;

use anyhow::Result;

use super::buffer::Fate;
use super::sample::Sample;
use crate::secret::{ConnectionString, Secret};

/// Where events go.
#[derive(Debug)]
pub enum Route {
    /// Our exchange on a broker, with publisher confirms.
    Amqp {
        /// The broker's URL.
        url: ConnectionString,
    },
    /// `POST /v1/events` of a server.
    Http {
        /// `http://host:port`, without a slash at its end.
        url: String,
        /// The bearer token it wants.
        token: Option<Secret>,
    },
}

/// A route that is travelled.
pub(super) enum Carrier {
    Amqp(amqp::Publisher),
    Http(http::Poster),
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// One for each event, in their order.
    pub fates: Vec<Fate>,
    /// Why some were kept or refused.
    pub reason: Option<String>,
}

impl Carrier {
    pub fn new(route: Route) -> Result<Carrier> {
        Ok(match route {
            Route::Amqp { url } => Carrier::Amqp(amqp::Publisher::new(url)),
            Route::Http { url, token } => Carrier::Http(http::Poster::new(url, token)?),
        })
    }

    /// What log lines call it.
    pub fn name(&self) -> String {
        match self {
            Carrier::Amqp(publisher) => publisher.name(),
            Carrier::Http(poster) => poster.name(),
        }
    }

    /// Carries events over.
    ///
    /// # Errors
    ///
    /// When the other side is away: then all of them are kept.
    pub async fn carry(&mut self, samples: &[Sample]) -> Result<Carried> {
        match self {
            Carrier::Amqp(publisher) => publisher.carry(samples).await,
            Carrier::Http(poster) => poster.carry(samples).await,
        }
    }
}
