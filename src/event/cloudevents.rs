//! The header of CloudEvents 1.0 in structured JSON: our own events.

use std::borrow::Cow;

use super::header::{Draft, Fields, Identity};
use super::payload::Payload;
use super::{DecodeError, Family, redact};

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
    let family = family(&kind);
    let data: Payload = fields.data.object()?;
    let project = data.tenant_id.id().or_else(|| data.project_id.id());
    let stream = match family {
        Family::Perf => data.host.id(),
        Family::Recipe => data.instance_id.id(),
        Family::Deployment => data.deployment_id.id().or_else(|| data.instance_id.id()),
        Family::Billing => project.clone(),
        Family::Instance | Family::Meter | Family::Other => data.thing(),
    };
    let source = fields.source.id().unwrap_or_default();
    let occurred_at = fields.time.time();
    Ok(Draft {
        identity: match fields.id.id() {
            Some(id) => Identity::of_pair(&source, &id),
            None => Identity::Content(None),
        },
        family,
        kind,
        stream,
        project_id: project,
        occurred_at,
        key_at: occurred_at.filter(|_| family == Family::Perf),
        source,
        secrets: redact::secrets(text, fields, None),
    })
}

/// The family of a CloudEvent's type.
fn family(kind: &str) -> Family {
    match kind.split_once('.') {
        Some(("recipe" | "build" | "bootstrap" | "ttm", _)) => Family::Recipe,
        Some(("perf", _)) => Family::Perf,
        Some(("deployment" | "instance" | "service", _)) => Family::Deployment,
        Some(("billing", _)) => Family::Billing,
        _ => Family::Other,
    }
}
