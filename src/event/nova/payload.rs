//! Payloads of both formats, and how they become one [`Notification`].

use std::borrow::Cow;

use jiff::Timestamp;

use super::super::fields::{Nested, Value, raw_object};
use super::super::payload as places;
use super::fault::number;
use super::{Fault, Format, Notification, Phase, Subject, names};

// Nested objects are read in the same pass as the message, each to a depth of its own type: however
// deep they are, reading does not recurse.
type NestedPayload<'a> = Nested<Payload<'a>>;
type NestedData<'a> = Nested<Data<'a>>;
type NestedFlavor<'a> = Nested<Flavor<'a>>;
type NestedName<'a> = Nested<Name<'a>>;

raw_object! {
    /// What is wanted of a notification.
    Message {
        publisher_id: Value = "publisher_id",
        priority: Value = "priority",
        payload: NestedPayload = "payload",
        request_id: Value = "_context_request_id",
        project_id: Value = "_context_project_id",
        tenant: Value = "_context_tenant",
    }
}

/// Defines both places where Nova puts what it says.
macro_rules! payload {
    ($($field:ident: $slot:ident = $key:tt,)*) => {
        raw_object! {
            /// What a notification says.
            Data { $($field: $slot = $key,)* }
        }

        raw_object! {
            /// A payload: of a legacy notification the data itself, of a versioned one an object
            /// that holds them.
            Payload {
                versioned: NestedData = "nova_object.data",
                $($field: $slot = $key,)*
            }
        }

        impl<'a> Payload<'a> {
            /// What it says, and in which format.
            fn data(self) -> (Format, Data<'a>) {
                if self.versioned.is_there() {
                    return (Format::Versioned, self.versioned.object());
                }
                (Format::Legacy, Data { $($field: self.$field,)* len: self.len })
            }
        }
    };
}

payload! {
    instance_id: Value = "instance_id",
    uuid: Value = "uuid",
    request_id: Value = "request_id",
    display_name: Value = "display_name",
    tenant_id: Value = "tenant_id",
    project_id: Value = "project_id",
    host: Value = "host",
    instance_type: Value = "instance_type",
    flavor: NestedFlavor = "flavor",
    image_ref_url: Value = "image_ref_url",
    image_uuid: Value = "image_uuid",
    state: Value = "state",
    state_description: Value = "state_description",
    task_state: Value = "task_state",
    new_task_state: Value = "new_task_state",
    created_at: Value = "created_at",
    launched_at: Value = "launched_at",
    deleted_at: Value = "deleted_at",
    terminated_at: Value = "terminated_at",
    exception: Value = "exception",
    fault: Value = "fault",
    reason: Value = "reason",
    message: Value = "message",
    code: Value = "code",
}

raw_object! {
    /// A flavor within a versioned payload.
    Flavor {
        data: NestedName = "nova_object.data",
        name: Value = "name",
    }
}

raw_object! {
    /// What is wanted of a flavor.
    Name { name: Value = "name", }
}

raw_object! {
    /// The payload as it stands, for what is not in its usual place.
    Unread { payload: Value = "payload", }
}

/// Reads one notification from the text of its body. `None` when it names no instance.
///
/// # Errors
///
/// When the text cannot be read strictly.
pub(super) fn notification(
    kind: &str,
    text: &str,
) -> Result<Option<Notification>, serde_json::Error> {
    let mut message: Message = serde_json::from_str(text)?;
    let (format, data) = std::mem::take(&mut message.payload).object().data();
    let Some(instance_id) = instance_id(format, &data, text)? else { return Ok(None) };
    let priority = message.priority.text();
    let failed = priority.is_none_or(|priority| priority.eq_ignore_ascii_case("error"));
    let mut subject = names::subject(kind, failed);
    if format == Format::Legacy {
        correct(&mut subject, &data);
    }
    let (publisher_service, publisher_host) = publisher(message.publisher_id);
    let deleted_at = data.deleted_at.time().or_else(|| data.terminated_at.time());
    Ok(Some(Notification {
        format,
        instance_id,
        request_id: owned([message.request_id, data.request_id]),
        publisher_service,
        publisher_host,
        name: owned([data.display_name]),
        project_id: project(&subject, &data, &message, text)?,
        host: owned([data.host]),
        flavor: flavor(&data),
        image: image(&data),
        state: owned([data.state]),
        task_state: owned([data.task_state, data.state_description, data.new_task_state]),
        created_at: data.created_at.time().map(whole_second),
        launched_at: data.launched_at.time(),
        deleted_at,
        tells_deletion: deleted_at.is_some()
            || (data.state.get().is_some() && data.deleted_at.is_there()),
        fault: fault(format, &subject, &data)?,
        subject,
    }))
}

/// The instance's id; where it stands in the usual place, nothing else is looked at.
fn instance_id(
    format: Format,
    data: &Data<'_>,
    text: &str,
) -> Result<Option<String>, serde_json::Error> {
    let usual = match format {
        Format::Legacy => data.instance_id,
        Format::Versioned => data.uuid,
    };
    let id = match usual.id() {
        Some(id) => Some(id),
        None => unread(text)?.instance()?,
    };
    Ok(id.map(Cow::into_owned))
}

/// Havana told of an aborted creation as of its end, and gave the reason for its message, or none:
/// then the state says that nothing was created.
fn correct(subject: &mut Subject, data: &Data<'_>) {
    let Subject::Operation { operation, phase: phase @ Phase::End } = subject else { return };
    let failed = match data.message.text() {
        Some(message) => !message.eq_ignore_ascii_case("success"),
        None => data.state.text().is_some_and(|state| matches!(&*state, "building" | "error")),
    };
    if operation == "create" && failed {
        *phase = Phase::Error;
    }
}

/// What went wrong, if the notification reports that something did.
fn fault(
    format: Format,
    subject: &Subject,
    data: &Data<'_>,
) -> Result<Option<Fault>, serde_json::Error> {
    let cause = match format {
        Format::Versioned => [data.fault, data.reason],
        Format::Legacy => [data.exception, data.reason],
    };
    let cause = cause.into_iter().find_map(Value::get).map(Fault::read).transpose()?;
    let is_error =
        matches!(subject, Subject::BuildFailed | Subject::Operation { phase: Phase::Error, .. });
    if !is_error && cause.is_none() {
        return Ok(None);
    }
    let said = Fault { class: None, message: owned([data.message]), code: number(data.code) };
    Ok(Some(said.or(cause.unwrap_or_default())))
}

/// The instance's project. What a failed call or a task of the conductor was about may be another's
/// than the caller's (an administrator's), whose project the context names.
fn project(
    subject: &Subject,
    data: &Data<'_>,
    message: &Message<'_>,
    text: &str,
) -> Result<Option<String>, serde_json::Error> {
    if let Some(id) = owned([data.tenant_id, data.project_id]) {
        return Ok(Some(id));
    }
    if *subject != Subject::Other {
        return Ok(owned([message.project_id, message.tenant]));
    }
    Ok(unread(text)?.instances_project()?.map(Cow::into_owned))
}

/// The payload of the message, read for whatever names an instance.
fn unread(text: &str) -> Result<places::Payload<'_>, serde_json::Error> {
    serde_json::from_str::<Unread>(text)?.payload.object()
}

/// Service and host of a publisher: `compute.host.example`, `nova-compute:host`, or a service only.
fn publisher(id: Value<'_>) -> (Option<String>, Option<String>) {
    let Some(id) = id.id() else { return (None, None) };
    let (service, host) = id.split_once(['.', ':']).unwrap_or((&id, ""));
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (some(service), some(host))
}

/// The flavor's name.
fn flavor(data: &Data<'_>) -> Option<String> {
    let flavor = data.flavor.get();
    let inner = flavor.and_then(|flavor| flavor.data.get());
    let names = [inner.map(|inner| inner.name), flavor.map(|flavor| flavor.name)];
    owned([data.instance_type]).or_else(|| owned(names.map(Option::unwrap_or_default)))
}

/// The image's id; of an URL its last segment.
fn image(data: &Data<'_>) -> Option<String> {
    if let Some(id) = owned([data.image_uuid]) {
        return Some(id);
    }
    let url = data.image_ref_url.text()?;
    let segment = url.rsplit('/').next()?;
    (!segment.is_empty()).then(|| segment.to_owned())
}

/// The first text among the values. Ids may be written as numbers.
fn owned<const N: usize>(values: [Value<'_>; N]) -> Option<String> {
    values.into_iter().find_map(Value::id).map(Cow::into_owned)
}

/// The time without the fraction that a legacy `created_at` has until the database has rounded it.
fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The notification that this payload makes, sent by `compute.host-1` as an error.
    fn read(kind: &str, payload: &str) -> Notification {
        let body = format!(
            r#"{{"publisher_id": "compute.host-1", "priority": "ERROR", "payload": {payload}}}"#
        );
        notification(kind, &body).unwrap().unwrap()
    }

    #[test]
    fn both_formats_tell_one_fact_alike() {
        let legacy = read(
            "compute.instance.finish_resize.end",
            r#"{"instance_id": "i", "tenant_id": "p", "display_name": "n", "host": "h",
                "instance_type": "m1", "image_ref_url": "http://glance/images/g", "state": "resized",
                "state_description": "", "created_at": "2026-11-19 10:43:14.2+00:00",
                "launched_at": "2026-11-19T10:43:42.000000", "deleted_at": "", "terminated_at": ""}"#,
        );
        let versioned = read(
            "instance.resize_finish.end",
            r#"{"nova_object.data": {"uuid": "i", "tenant_id": "p", "display_name": "n", "host": "h",
                "flavor": {"nova_object.data": {"name": "m1"}}, "image_uuid": "g",
                "state": "resized", "task_state": null, "created_at": "2026-11-19T10:43:14Z",
                "launched_at": "2026-11-19T10:43:42Z", "deleted_at": null, "fault": null}}"#,
        );
        assert_eq!(legacy, Notification { format: Format::Legacy, ..versioned });
        assert_eq!(legacy.flavor.as_deref(), Some("m1"));
        assert_eq!(legacy.fault, None);
    }

    #[test]
    fn a_creation_that_ends_with_a_reason_has_failed() {
        for (message, state, phase) in [
            (r#""Success""#, "active", Phase::End),
            (r#""Success""#, "", Phase::End),
            (r#""""#, "active", Phase::End),
            (r#""""#, "building", Phase::Error),
            (r#""""#, "error", Phase::Error),
            ("null", "", Phase::End),
            ("null", "building", Phase::Error),
            (r#""No space left""#, "building", Phase::Error),
            (r#""No space left""#, "active", Phase::Error),
        ] {
            let payload =
                format!(r#"{{"instance_id": "i", "message": {message}, "state": "{state}"}}"#);
            let said = read("compute.instance.create.end", &payload);
            let failed = phase == Phase::Error;
            assert_eq!(said.subject, Subject::Operation { operation: "create".into(), phase });
            assert_eq!(said.fault.is_some(), failed, "{message} {state}");
            let text = said.fault.and_then(|fault| fault.message);
            assert_eq!(text.is_some(), message.contains("space"), "{message} {state}");
        }
        let said = read("compute.instance.reboot.end", r#"{"instance_id": "i", "message": "m"}"#);
        assert_eq!(
            said.subject,
            Subject::Operation { operation: "reboot".into(), phase: Phase::End }
        );
    }

    #[test]
    fn a_project_is_the_instances_and_not_the_callers() {
        let project = |kind: &str, payload: &str| {
            let body = format!(
                r#"{{"_context_project_id": "caller", "priority": "ERROR", "payload": {payload}}}"#
            );
            notification(kind, &body).unwrap().unwrap().project_id
        };
        for (kind, payload, expected) in [
            ("compute.instance.reboot.end", r#"{"instance_id": "i"}"#, Some("caller")),
            ("compute_task.build_instances", r#"{"instance_id": "i"}"#, Some("caller")),
            ("compute_task.migrate_server", r#"{"instance_id": "i"}"#, None),
            (
                "compute_task.migrate_server",
                r#"{"instance_id": "i", "instance_properties": {"project_id": "p"}}"#,
                Some("p"),
            ),
            (
                "compute_task.migrate_server",
                r#"{"instance_id": "i", "request_spec": {"instance_properties": {"project_id": "p"}}}"#,
                Some("p"),
            ),
            (
                "compute_task.migrate_server.error",
                r#"{"nova_object.data": {"instance_uuid": "i", "request_spec": {"nova_object.data": {"project_id": "p"}}}}"#,
                Some("p"),
            ),
            (
                "terminate_instance",
                r#"{"exception": "x", "args": {"instance": {"uuid": "i", "project_id": "p"}}}"#,
                Some("p"),
            ),
            (
                "terminate_instance",
                r#"{"exception": "x", "args": {"instance": {"uuid": "i"}}}"#,
                None,
            ),
        ] {
            assert_eq!(project(kind, payload).as_deref(), expected, "{kind} {payload}");
        }
    }

    #[test]
    fn an_empty_time_of_deletion_tells_something_beside_a_state() {
        for (payload, tells) in [
            (r#"{"instance_id": "i", "deleted_at": "", "state": "active"}"#, true),
            (r#"{"instance_id": "i", "deleted_at": null, "state": "active"}"#, true),
            (r#"{"instance_id": "i", "deleted_at": "2026-11-19 10:00:00"}"#, true),
            (r#"{"instance_id": "i", "terminated_at": "2026-11-19 10:00:00"}"#, true),
            (r#"{"instance_id": "i", "deleted_at": ""}"#, false),
            (r#"{"instance_id": "i", "state": "error"}"#, false),
        ] {
            let said = read("compute.instance.update", payload);
            assert_eq!(said.tells_deletion, tells, "{payload}");
        }
    }

    #[test]
    fn publishers_are_a_service_and_perhaps_a_host() {
        for (id, service, host) in [
            ("compute.c-1.example.org", Some("compute"), Some("c-1.example.org")),
            ("nova-compute:c-1.example.org", Some("nova-compute"), Some("c-1.example.org")),
            ("compute", Some("compute"), None),
            ("", None, None),
        ] {
            let body = format!(r#"{{"publisher_id": "{id}", "payload": {{"instance_id": "i"}}}}"#);
            let said = notification("compute.instance.update", &body).unwrap().unwrap();
            assert_eq!(said.publisher_service.as_deref(), service, "{id}");
            assert_eq!(said.publisher_host.as_deref(), host, "{id}");
        }
    }

    #[test]
    fn an_image_is_an_id_however_it_is_referred_to() {
        for (reference, id) in [
            (r#""http://10.0.0.4:9292/images/g""#, Some("g")),
            (r#""g""#, Some("g")),
            (r#""http://10.0.0.4:9292/images/""#, None),
            ("null", None),
            ("5", None),
        ] {
            let payload = format!(r#"{{"instance_id": "i", "image_ref_url": {reference}}}"#);
            let said = read("compute.instance.update", &payload);
            assert_eq!(said.image.as_deref(), id, "{reference}");
        }
    }
}
