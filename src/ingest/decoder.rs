//! From a delivery to an event, by every way in alike.

use crate::config::Config;
use crate::event::{self, Compression, Event, Family, meter};
use crate::log::{HORIZON_MOVED, SOURCE};
use crate::secret::Secret;

/// Why an event about money is taken from nobody: orders are issued, not told.
const BILLING_IS_OURS: &str = "events of the types billing.* are made by stackledger alone";

/// Why a horizon is moved by nobody: what lies before it is dropped.
const HORIZONS_ARE_OURS: &str =
    "events of the type stackledger.horizon.moved are made by stackledger alone";

/// Why nobody speaks in our name: with our source and the right id, an event of any type would stand
/// where the one that moves a horizon is to come.
const SOURCE_IS_OURS: &str = "events of the source stackledger are made by stackledger alone";

/// Why an event is taken from nobody, if it is one of those that we alone make: the attribute that says
/// so, and a sentence.
pub fn ours_alone(event: &Event) -> Option<(&'static str, &'static str)> {
    match event.family {
        Family::Billing => Some(("type", BILLING_IS_OURS)),
        _ if event.kind == HORIZON_MOVED => Some(("type", HORIZONS_ARE_OURS)),
        _ if event.source == SOURCE => Some(("source", SOURCE_IS_OURS)),
        _ => None,
    }
}

/// Makes events of what is delivered.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// What samples are signed with; `None`: signatures are not checked.
    metering_secret: Option<Secret>,
}

impl Decoder {
    /// Checks signatures if the configuration has the secret for it.
    pub fn new(config: &Config) -> Self {
        Decoder { metering_secret: config.metering_secret.clone() }
    }

    /// Decodes one delivery, whose transport says how it is compressed.
    ///
    /// # Errors
    ///
    /// The dead letter's reason.
    pub fn decode(&self, body: Vec<u8>, compression: Option<&str>) -> Result<Event, String> {
        let compression = match compression {
            None => None,
            Some(name) => Some(Compression::from_header(name).ok_or_else(|| {
                format!("the body is compressed with {name:?}, which is not known")
            })?),
        };
        let mut event = event::decode(body, compression).map_err(|error| error.to_string())?;
        if let Some((_, reason)) = ours_alone(&event) {
            return Err(reason.to_owned());
        }
        self.check(&mut event);
        Ok(event)
    }

    /// Notes which of the event's samples have no right signature.
    pub fn check(&self, event: &mut Event) {
        if let (Family::Meter, Some(secret)) = (event.family, &self.metering_secret) {
            let bad = meter::bad_signatures(&event.body, secret.expose());
            metrics::counter!("stackledger_bad_signatures_total").increment(bad.len() as u64);
            event.bad_signatures = Some(bad);
        }
    }
}
