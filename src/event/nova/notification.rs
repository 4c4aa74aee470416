//! A notification in either payload format, read into one [`Notification`].

use std::borrow::Cow;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::super::fields::Value;
use super::super::payload::Payload as HeaderPayload;
use super::fault::read_code;
use super::shape::{Data, Message, WholePayload};
use super::{Fault, Format, Notification, Phase, Subject, names};

/// Reads a notification from the text of its body. `None` when it names no instance.
///
/// # Errors
///
/// When the text cannot be read strictly.
pub(super) fn read(kind: &str, text: &str) -> Result<Option<Notification>, serde_json::Error> {
    let mut message: Message = serde_json::from_str(text)?;
    let (format, data) = std::mem::take(&mut message.payload).into_object().into_data();
    let Some(instance_id) = find_instance_id(format, &data, text)? else { return Ok(None) };
    let priority = message.priority.text();
    let is_error = priority.as_ref().is_some_and(|text| text.eq_ignore_ascii_case("error"));
    let mut subject = names::subject_of(kind, is_error || priority.is_none());
    correct_failed_create(&mut subject, &data, is_error);
    if subject == Subject::Exists && !is_of_a_whole_period(&data) {
        subject = Subject::InterimExists;
    }
    let (publisher_service, publisher_host) = split_publisher(message.publisher_id);
    let terminated_at = data.terminated_at.time();
    let deleted_at = data.deleted_at.time().or(terminated_at);
    let (host, state) = (first_text([data.host]), first_text([data.state]));
    Ok(Some(Notification {
        format,
        instance_id,
        request_id: first_text([message.request_id, data.request_id]),
        publisher_service,
        publisher_host,
        name: first_text([data.display_name]),
        project_id: find_project(&subject, &data, &message, text)?,
        reports_host: host.is_some() || data.host.is_present() && data.host.get().is_none(),
        host,
        flavor: flavor_name(&data),
        image: image_id(&data),
        changes_state: changes_state(&data, state.as_deref()),
        state,
        task_state: first_text([data.task_state, data.state_description, data.new_task_state]),
        created_at: data.created_at.time().map(whole_second),
        launched_at: data.launched_at.time(),
        deleted_at,
        terminated_at,
        reports_deletion: deleted_at.is_some()
            || (data.state.get().is_some() && data.deleted_at.is_present()),
        fault: read_fault(format, &subject, &data)?,
        subject,
    }))
}

/// The instance's id. The rest of the payload is searched only if it is not in its usual place.
fn find_instance_id(
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
        None => read_whole_payload(text)?.find_instance_id()?,
    };
    Ok(id.map(Cow::into_owned))
}

/// Turns the end of a creation into its error if nothing was created. Havana sends `create.end` when a
/// creation is aborted, too, with the reason as its message. That message decides nothing: it is a text for
/// people, and Nova translates it.
fn correct_failed_create(subject: &mut Subject, data: &Data<'_>, is_error: bool) {
    let Subject::Operation { operation, phase: phase @ Phase::End } = subject else { return };
    if operation == "create" && (is_error || !was_created(data)) {
        *phase = Phase::Error;
    }
}

/// Whether the instance of a creation's end exists. Nova sets the state and the time of the launch together;
/// without a state, an empty time of the launch means that there was none.
fn was_created(data: &Data<'_>) -> bool {
    let is_launched = data.launched_at.time().is_some();
    match data.state.text().as_deref() {
        Some("error") => false,
        Some("building" | "deleted") => is_launched,
        Some(_) => true,
        None => is_launched || !data.launched_at.is_present(),
    }
}

/// The fault, if the notification reports a failure.
fn read_fault(
    format: Format,
    subject: &Subject,
    data: &Data<'_>,
) -> Result<Option<Fault>, serde_json::Error> {
    let cause = match format {
        Format::Versioned => [data.fault, data.reason],
        Format::Legacy => [data.exception, data.reason],
    };
    let cause = cause.into_iter().find_map(Value::get).map(Fault::read).transpose()?;
    let is_error = matches!(
        subject,
        Subject::BuildFailed
            | Subject::CallFailed { .. }
            | Subject::Operation { phase: Phase::Error, .. }
    );
    if !is_error && cause.is_none() {
        return Ok(None);
    }
    let outer =
        Fault { class: None, message: first_text([data.message]), code: read_code(data.code) };
    Ok(Some(outer.or(cause.unwrap_or_default())))
}

/// The instance's project. The context names the caller's project; for failed calls and tasks of the
/// conductor and the scheduler that may be an administrator's, so there it is not used: the request that
/// they were about names the instance's.
fn find_project(
    subject: &Subject,
    data: &Data<'_>,
    message: &Message<'_>,
    text: &str,
) -> Result<Option<String>, serde_json::Error> {
    let first_of =
        |ids: [Value<'_>; 2]| ids.into_iter().find_map(Value::owner_id).map(Cow::into_owned);
    if let Some(id) = first_of([data.tenant_id, data.project_id]) {
        return Ok(Some(id));
    }
    if !matches!(subject, Subject::Other | Subject::BuildFailed | Subject::CallFailed { .. }) {
        return Ok(first_of([message.project_id, message.tenant]));
    }
    Ok(read_whole_payload(text)?.find_instance_project_id()?.map(Cow::into_owned))
}

/// Reads the payload once more, for every member that may name an instance.
fn read_whole_payload(text: &str) -> Result<HeaderPayload<'_>, serde_json::Error> {
    serde_json::from_str::<WholePayload>(text)?.payload.object()
}

/// Service and host of a publisher: `compute.host.example`, `nova-compute:host`, or a service only.
fn split_publisher(id: Value<'_>) -> (Option<String>, Option<String>) {
    let Some(id) = id.id() else { return (None, None) };
    let (service, host) = id.split_once(['.', ':']).unwrap_or((&id, ""));
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    (some(service), some(host))
}

/// The flavor's name.
fn flavor_name(data: &Data<'_>) -> Option<String> {
    let flavor = data.flavor.get();
    let inner = flavor.and_then(|flavor| flavor.data.get());
    let names = [inner.map(|inner| inner.name), flavor.map(|flavor| flavor.name)];
    first_text([data.instance_type]).or_else(|| first_text(names.map(Option::unwrap_or_default)))
}

/// Whether the audited period is a whole hour, day, month or year, as in Nova's periodic audit. Before an
/// operation changes an instance, Nova reports it for the period that has begun, which ends then.
fn is_of_a_whole_period(data: &Data<'_>) -> bool {
    let bounds = data.audit_period.get().and_then(|period| period.data.get());
    let beginning = bounds.map_or(data.audit_period_beginning, |bounds| bounds.beginning);
    let ending = bounds.map_or(data.audit_period_ending, |bounds| bounds.ending);
    let (Some(beginning), Some(ending)) = (beginning.time(), ending.time()) else { return true };
    if matches!(ending.as_second() - beginning.as_second(), 3_600 | 86_400) {
        return beginning.subsec_nanosecond() == ending.subsec_nanosecond();
    }
    let (from, to) = (beginning.to_zoned(TimeZone::UTC), ending.to_zoned(TimeZone::UTC));
    let months = |at: &Zoned| i32::from(at.year()) * 12 + i32::from(at.month());
    let in_month = |at: &Zoned| (at.day(), at.time());
    in_month(&from) == in_month(&to) && matches!(months(&to) - months(&from), 1 | 12)
}

/// Whether the older state, if there is one, differs from the new one.
fn changes_state(data: &Data<'_>, state: Option<&str>) -> bool {
    let states = data.state_update.get().and_then(|update| update.data.get());
    let old = states.and_then(|states| states.old_state.text()).or_else(|| data.old_state.text());
    old.is_some_and(|old| state.is_some_and(|state| old != state))
}

/// The image's id, or the last segment of its URL.
fn image_id(data: &Data<'_>) -> Option<String> {
    if let Some(id) = first_text([data.image_uuid]) {
        return Some(id);
    }
    let url = data.image_ref_url.text()?;
    let segment = url.rsplit('/').next()?;
    (!segment.is_empty()).then(|| segment.to_owned())
}

/// The first string or number among the values.
fn first_text<const N: usize>(values: [Value<'_>; N]) -> Option<String> {
    values.into_iter().find_map(Value::id).map(Cow::into_owned)
}

/// Cuts the fraction off, which a legacy `created_at` has until Nova's database rounds it.
fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a notification with this payload, sent by `compute.host-1` as an error.
    fn read_payload(kind: &str, payload: &str) -> Notification {
        let body = format!(
            r#"{{"publisher_id": "compute.host-1", "priority": "ERROR", "payload": {payload}}}"#
        );
        read(kind, &body).unwrap().unwrap()
    }

    #[test]
    fn both_formats_give_the_same_fact() {
        let legacy = read_payload(
            "compute.instance.finish_resize.end",
            r#"{"instance_id": "i", "tenant_id": "p", "display_name": "n", "host": "h",
                "instance_type": "m1", "image_ref_url": "http://glance/images/g", "state": "resized",
                "state_description": "", "created_at": "2026-11-19 10:43:14.2+00:00",
                "launched_at": "2026-11-19T10:43:42.000000", "deleted_at": "", "terminated_at": ""}"#,
        );
        let versioned = read_payload(
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

    /// Reads the end of a creation with this priority and payload.
    fn read_create_end(priority: &str, payload: &str) -> Notification {
        let body = format!(r#"{{"priority": "{priority}", "payload": {payload}}}"#);
        read("compute.instance.create.end", &body).unwrap().unwrap()
    }

    #[test]
    fn state_and_launch_decide_whether_a_creation_ended_well() {
        const LAUNCHED: &str = r#""launched_at": "2026-11-19T10:43:42.000000", "#;
        const NOT_LAUNCHED: &str = r#""launched_at": "", "#;
        for (launch, state, phase) in [
            (LAUNCHED, "active", Phase::End),
            (LAUNCHED, "building", Phase::End),
            (LAUNCHED, "deleted", Phase::End),
            (LAUNCHED, "error", Phase::Error),
            (LAUNCHED, "", Phase::End),
            (NOT_LAUNCHED, "active", Phase::End),
            (NOT_LAUNCHED, "building", Phase::Error),
            (NOT_LAUNCHED, "deleted", Phase::Error),
            (NOT_LAUNCHED, "error", Phase::Error),
            (NOT_LAUNCHED, "", Phase::Error),
            ("", "active", Phase::End),
            ("", "building", Phase::Error),
            ("", "error", Phase::Error),
            ("", "", Phase::End),
        ] {
            // Nova's own translations, a reason, and none.
            for message in ["Success", "成功", "Erfolg", "No space left", ""] {
                let payload = format!(
                    r#"{{"instance_id": "i", {launch}"message": "{message}", "state": "{state}"}}"#
                );
                let notification = read_create_end("INFO", &payload);
                let expected = Subject::Operation { operation: "create".into(), phase };
                assert_eq!(notification.subject, expected, "{payload}");
                let failed = phase == Phase::Error;
                assert_eq!(notification.fault.is_some(), failed, "{payload}");
                let text = notification.fault.and_then(|fault| fault.message);
                assert_eq!(text.is_some(), failed && !message.is_empty(), "{payload}");
            }
        }
    }

    #[test]
    fn an_end_with_the_priority_of_an_error_is_an_error() {
        for (priority, phase) in [("ERROR", Phase::Error), ("INFO", Phase::End), ("", Phase::End)] {
            let notification =
                read_create_end(priority, r#"{"instance_id": "i", "state": "active"}"#);
            let expected = Subject::Operation { operation: "create".into(), phase };
            assert_eq!(notification.subject, expected, "{priority}");
        }
        let notification =
            read_payload("compute.instance.reboot.end", r#"{"instance_id": "i", "message": "m"}"#);
        assert_eq!(
            notification.subject,
            Subject::Operation { operation: "reboot".into(), phase: Phase::End }
        );
    }

    #[test]
    fn a_project_is_the_instances_and_not_the_callers() {
        let project = |kind: &str, payload: &str| {
            let body = format!(
                r#"{{"_context_project_id": "caller", "priority": "ERROR", "payload": {payload}}}"#
            );
            read(kind, &body).unwrap().unwrap().project_id
        };
        for (kind, payload, expected) in [
            ("compute.instance.reboot.end", r#"{"instance_id": "i"}"#, Some("caller")),
            ("compute_task.build_instances", r#"{"instance_id": "i"}"#, None),
            (
                "compute_task.build_instances",
                r#"{"instance_id": "i", "request_spec": {"instance_properties": {"project_id": "p"}}}"#,
                Some("p"),
            ),
            (
                "scheduler.run_instance",
                r#"{"instance_id": "i", "instance_properties": {"project_id": "p"}}"#,
                Some("p"),
            ),
            (
                "compute_task.build_instances.error",
                r#"{"nova_object.data": {"instance_uuid": "i", "request_spec": {"nova_object.data": {"project_id": "p"}}}}"#,
                Some("p"),
            ),
            (
                "compute_task.build_instances.error",
                r#"{"nova_object.data": {"instance_uuid": "i", "request_spec": null}}"#,
                None,
            ),
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
    fn an_empty_time_of_deletion_counts_only_beside_a_state() {
        for (payload, reports) in [
            (r#"{"instance_id": "i", "deleted_at": "", "state": "active"}"#, true),
            (r#"{"instance_id": "i", "deleted_at": null, "state": "active"}"#, true),
            (r#"{"instance_id": "i", "deleted_at": "2026-11-19 10:00:00"}"#, true),
            (r#"{"instance_id": "i", "terminated_at": "2026-11-19 10:00:00"}"#, true),
            (r#"{"instance_id": "i", "deleted_at": ""}"#, false),
            (r#"{"instance_id": "i", "state": "error"}"#, false),
        ] {
            let notification = read_payload("compute.instance.update", payload);
            assert_eq!(notification.reports_deletion, reports, "{payload}");
        }
    }

    #[test]
    fn an_audit_is_of_a_whole_period() {
        for (beginning, ending, subject) in [
            ("2026-11-20 10:00:00", "2026-11-20 11:00:00", Subject::Exists),
            ("2026-11-19 18:00:00", "2026-11-20 18:00:00", Subject::Exists),
            ("2026-02-15 00:00:00", "2026-03-15 00:00:00", Subject::Exists),
            ("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", Subject::Exists),
            ("2025-03-01 00:00:00", "2026-03-01 00:00:00", Subject::Exists),
            ("2026-11-01 00:00:00", "2026-11-19 10:54:09.705663", Subject::InterimExists),
            ("2026-11-01 00:00:00", "2026-11-19T00:00:00Z", Subject::InterimExists),
            ("2026-11-20 10:00:00", "2026-11-20 11:00:00.000001", Subject::InterimExists),
            ("2026-11-20 10:00:00", "", Subject::Exists),
        ] {
            let period = format!(
                r#""audit_period_beginning": "{beginning}", "audit_period_ending": "{ending}""#
            );
            let legacy = format!(r#"{{"instance_id": "i", {period}}}"#);
            let versioned = format!(
                r#"{{"nova_object.data": {{"uuid": "i",
                    "audit_period": {{"nova_object.data": {{{period}}}}}}}}}"#
            );
            let read = |kind: &str, payload: &str| read_payload(kind, payload).subject;
            assert_eq!(read("compute.instance.exists", &legacy), subject, "{period}");
            assert_eq!(read("instance.exists", &versioned), subject, "{period}");
        }
    }

    #[test]
    fn a_call_that_failed_has_a_reason() {
        let notification = read_payload(
            "rescue_instance",
            r#"{"exception": "{'kwargs': {'code': 400}, 'message': 'Driver Error: x', 'class': 'InstanceNotRescuable'}",
                "args": {"instance": {"nova_object.data": {"uuid": "i"}}}}"#,
        );
        assert_eq!(notification.subject, Subject::CallFailed { operations: &["rescue"] });
        let fault = notification.fault.unwrap();
        assert_eq!(fault.class.as_deref(), Some("InstanceNotRescuable"));
        assert_eq!(fault.message.as_deref(), Some("Driver Error: x"));
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
            let notification = read("compute.instance.update", &body).unwrap().unwrap();
            assert_eq!(notification.publisher_service.as_deref(), service, "{id}");
            assert_eq!(notification.publisher_host.as_deref(), host, "{id}");
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
            let notification = read_payload("compute.instance.update", &payload);
            assert_eq!(notification.image.as_deref(), id, "{reference}");
        }
    }
}
