//! From a delivery to an event, by every way in alike.

use crate::config::{Config, Hidden};
use crate::event::{self, Compression, Event, Family, meter};

/// Why an event about money is taken from nobody: orders are issued, not told.
pub const BILLING_IS_OURS: &str = "events of the types billing.* are made by stackledger alone";

/// Makes events of what is delivered.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// What samples are signed with; `None`: signatures are not checked.
    metering_secret: Option<Hidden>,
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
        if event.family == Family::Billing {
            return Err(BILLING_IS_OURS.to_owned());
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
