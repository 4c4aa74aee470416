//! The header of CloudEvents 1.0 in structured JSON: our own events.

use std::borrow::Cow;

use jiff::Timestamp;

use super::header::{Draft, Fields, Identity};
use super::payload::Payload;
use super::{DecodeError, Family, perf, redact};

/// Reads the header of a CloudEvent of type `kind`. Without `specversion` it is taken for 1.0.
///
/// # Errors
///
/// [`DecodeError::Version`] for a version other than 1.
pub(super) fn draft<'a>(
    text: &str,
    fields: &Fields<'a>,
    kind: Cow<'a, str>,
) -> Result<Draft<'a>, DecodeError> {
    if let Some(version) = fields.specversion.id()
        && !version.starts_with("1.")
    {
        return Err(DecodeError::Version("CloudEvents", version.chars().take(40).collect()));
    }
    let family = Family::of_cloud_event(&kind);
    let time = fields.time.time();
    let about = if kind == perf::SAMPLED { samples(fields, time)? } else { about(family, fields)? };
    let source = fields.source.id().unwrap_or_default();
    Ok(Draft {
        identity: match fields.id.id() {
            Some(id) => Identity::of_pair(&source, &id),
            None => Identity::Content(None),
        },
        family,
        kind,
        stream: about.stream,
        project_id: about.project_id,
        occurred_at: time.or(about.latest),
        key_at: about.latest.or(time).filter(|_| family == Family::Perf),
        source,
        secrets: redact::secrets(text, fields, None),
    })
}

/// What `data` says of whom.
struct About<'a> {
    stream: Option<Cow<'a, str>>,
    project_id: Option<Cow<'a, str>>,
    /// The latest time of a sample.
    latest: Option<Timestamp>,
}

fn about<'a>(family: Family, fields: &Fields<'a>) -> Result<About<'a>, DecodeError> {
    let data: Payload = fields.data.object()?;
    let project_id = data.tenant_id.id().or_else(|| data.project_id.id());
    let stream = match family {
        Family::Perf => data.host.id(),
        Family::Recipe => data.instance_id.id(),
        Family::Deployment => data.deployment_id.id().or_else(|| data.instance_id.id()),
        Family::Billing => project_id.clone(),
        Family::Instance | Family::Meter | Family::Other => data.thing(),
    };
    Ok(About { stream, project_id, latest: None })
}

/// The day of the latest sample is the event's: a day of the log then holds no sample of a later
/// one.
fn samples<'a>(fields: &Fields<'a>, time: Option<Timestamp>) -> Result<About<'a>, DecodeError> {
    let data: perf::Data = fields.data.object()?;
    let stream = data.host.id();
    let said = perf::Said::of(&data, time)?.ok().filter(|_| stream.is_some());
    let project_id = data.tenant_id.id().or_else(|| data.project_id.id());
    Ok(About { stream, project_id, latest: said.and_then(|said| said.latest()) })
}
