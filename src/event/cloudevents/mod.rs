//! CloudEvents 1.0: the header of one in structured JSON, the form of our own events, and the other forms, which
//! become that one.

mod binary;
mod data;

use std::borrow::Cow;

use jiff::Timestamp;

use super::header::{Fields, Header, Identity};
use super::payload::Payload;
use super::{DecodeError, Family, perf, redact};
pub use binary::{Attributes, is_structured};
pub(super) use data::open as open_data;

/// Reads the header of a CloudEvent of type `kind`, and of this version of the specification.
///
/// # Errors
///
/// [`DecodeError::Version`] for a version other than 1.
pub(super) fn read_header<'a>(
    text: &str,
    fields: &Fields<'a>,
    kind: Cow<'a, str>,
    version: &str,
) -> Result<Header<'a>, DecodeError> {
    if !version.starts_with("1.") {
        return Err(DecodeError::Version("CloudEvents", version.chars().take(40).collect()));
    }
    let family = Family::of_cloud_event(&kind);
    let time = fields.time.time();
    let data = if kind == perf::SAMPLED {
        read_samples(fields, time)?
    } else {
        read_data(family, fields)?
    };
    let source = fields.source.id().unwrap_or_default();
    Ok(Header {
        identity: match fields.id.id() {
            Some(id) => Identity::of_pair(&source, &id),
            None => Identity::Content(None),
        },
        family,
        kind,
        stream: data.stream,
        project_id: data.project_id,
        occurred_at: time.or(data.latest),
        key_at: data.latest.or(time).filter(|_| family == Family::Perf),
        source,
        secrets: redact::find_secrets(text, fields, None),
    })
}

/// The parts of a header that come from `data`.
struct DataHeader<'a> {
    stream: Option<Cow<'a, str>>,
    project_id: Option<Cow<'a, str>>,
    /// The time of the latest sample that counts.
    latest: Option<Timestamp>,
}

/// Reads the `data` of an event of this family.
fn read_data<'a>(family: Family, fields: &Fields<'a>) -> Result<DataHeader<'a>, DecodeError> {
    let data: Payload = fields.data.object()?;
    let project_id = data.tenant_id.id().or_else(|| data.project_id.id());
    let stream = match family {
        Family::Perf => data.host.id(),
        Family::Recipe => data.instance_id.id(),
        Family::Deployment => data.deployment_id.id().or_else(|| data.instance_id.id()),
        Family::Billing => project_id.clone(),
        Family::Instance | Family::Meter | Family::Other => data.entity_id(),
    };
    Ok(DataHeader { stream, project_id, latest: None })
}

/// Reads the `data` of a `perf.sampled`. The day of its latest sample is the event's, so that a day of
/// the log contains no sample of a later one.
fn read_samples<'a>(
    fields: &Fields<'a>,
    time: Option<Timestamp>,
) -> Result<DataHeader<'a>, DecodeError> {
    let data: perf::Data = fields.data.object()?;
    let stream = data.host.id();
    let samples = perf::SampleSet::read(&data, time)?.ok().filter(|_| stream.is_some());
    let project_id = data.tenant_id.id().or_else(|| data.project_id.id());
    Ok(DataHeader { stream, project_id, latest: samples.and_then(|samples| samples.latest()) })
}
