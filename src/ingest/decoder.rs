//! Decoding a delivery into an event, in the same way for every source.

use crate::config::Config;
use crate::event::{self, Compression, Event, Family, meter, ours};
use crate::log::SOURCE;
use crate::secret::Secret;

/// The message for senders of events about money: orders are issued here, not reported by others.
const BILLING_IS_OURS: &str = "only stackledger creates events of the types billing.*";

/// The message for senders of horizons, before which events are dropped, and of skips, which say who ordered them.
const TYPE_IS_OURS: &str = "only stackledger creates events of the types stackledger.*";

/// The message for senders who use our source: with it and the right id, an event of any type would take the
/// identity of the one that is to move a horizon, which would then be a duplicate.
const SOURCE_IS_OURS: &str = "only stackledger creates events of the source stackledger";

/// If only Stackledger may create this event, returns the attribute that shows it and the message for the
/// sender.
pub fn find_reserved_attribute(event: &Event) -> Option<(&'static str, &'static str)> {
    match event.family {
        Family::Billing => Some(("type", BILLING_IS_OURS)),
        _ if event.kind.starts_with(ours::TYPES) => Some(("type", TYPE_IS_OURS)),
        _ if event.source == SOURCE => Some(("source", SOURCE_IS_OURS)),
        _ => None,
    }
}

/// Decodes deliveries into events.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// The secret that samples are signed with; `None` if signatures are not checked.
    metering_secret: Option<Secret>,
}

impl Decoder {
    /// Creates a decoder that checks signatures if the configuration contains the secret.
    pub fn new(config: &Config) -> Self {
        Decoder { metering_secret: config.metering_secret.clone() }
    }

    /// Decodes one delivery. `compression` is the name that the transport gives.
    ///
    /// # Errors
    ///
    /// The reason for the dead letter.
    pub fn decode(&self, body: Vec<u8>, compression: Option<&str>) -> Result<Event, String> {
        let compression = match compression {
            None => None,
            Some(name) => Some(Compression::from_header(name).ok_or_else(|| {
                format!("the body is compressed with {name:?}, which is not supported")
            })?),
        };
        let mut event = event::decode(body, compression).map_err(|error| error.to_string())?;
        if let Some((_, reason)) = find_reserved_attribute(&event) {
            return Err(reason.to_owned());
        }
        self.check_signatures(&mut event);
        Ok(event)
    }

    /// Records in the event which of its samples have no valid signature.
    pub fn check_signatures(&self, event: &mut Event) {
        if let (Family::Meter, Some(secret)) = (event.family, &self.metering_secret) {
            let bad = meter::bad_signatures(&event.body, secret.expose());
            metrics::counter!("stackledger_bad_signatures_total").increment(bad.len() as u64);
            event.bad_signatures = Some(bad);
        }
    }
}
