//! The headers of the lines that Ceilometer's `file://` publisher writes, and of the bodies of its `http://`
//! publisher: samples and events without a message around them.

use std::borrow::Cow;

use super::Family;
use super::header::{Fields, Header, Identity};
use super::meter::BareSamples;

/// The type of an event that is samples without a message, which would name one.
const SAMPLE: &str = "ceilometer.sample";

/// Reads the header of a body that is a sample or a list of them; `None` if it is anything else. The time of
/// the latest sample is the event's, so that a day of the log contains no sample of a later one.
///
/// # Errors
///
/// When the text is not JSON, or the list has too many elements.
pub(super) fn read_samples(text: &str) -> Result<Option<Header<'_>>, serde_json::Error> {
    let Some(samples) = BareSamples::read(text)? else { return Ok(None) };
    let (project_id, latest) = (samples.project_id()?, samples.latest()?);
    Ok(Some(Header {
        identity: Identity::Content(None),
        family: Family::Meter,
        kind: SAMPLE.into(),
        stream: project_id.clone(),
        project_id,
        occurred_at: latest,
        key_at: latest,
        source: Cow::default(),
        secrets: Vec::new(),
    }))
}

/// Whether a body with an `event_type` is one of Ceilometer's own events rather than a notification.
pub(super) fn is_event(fields: &Fields<'_>) -> bool {
    fields.generated.is_present() && fields.traits.is_present()
}

/// Reads the header of one of Ceilometer's events. Its `event_type` and `message_id` are those of the
/// notification that it was made of: under that id it would keep the notification itself out of the log, and
/// in that family a projection would look for a payload.
pub(super) fn read_event<'a>(fields: &Fields<'a>, kind: Cow<'a, str>) -> Header<'a> {
    Header {
        identity: Identity::Content(None),
        family: Family::Other,
        kind,
        stream: None,
        project_id: None,
        occurred_at: fields.generated.time(),
        key_at: None,
        source: Cow::default(),
        secrets: Vec::new(),
    }
}
