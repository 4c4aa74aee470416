//! The parts of a notification that do not depend on its payload: header, request context, envelope.

use serde::Serialize;

use super::InstanceMessage;
use crate::simulate::{
    scenario::Fact,
    wire::{oslo, python},
};

/// The parts of a notification that Nova sets itself.
pub(super) struct NovaEvent<P> {
    pub(super) publisher_id: String,
    pub(super) event_type: String,
    pub(super) priority: &'static str,
    pub(super) payload: P,
}

#[derive(Serialize)]
struct Notification<'a, P> {
    message_id: &'a str,
    publisher_id: &'a str,
    event_type: &'a str,
    priority: &'a str,
    payload: &'a P,
    timestamp: String,
    #[serde(rename = "_unique_id")]
    unique_id: String,
    #[serde(flatten)]
    context: Context<'a>,
}

/// The request context as present releases of oslo.messaging send it, without tokens and addresses.
#[derive(Serialize)]
struct Context<'a> {
    #[serde(rename = "_context_user")]
    user: &'a str,
    #[serde(rename = "_context_project_id")]
    project_id: &'a str,
    #[serde(rename = "_context_system_scope")]
    system_scope: Option<&'a str>,
    #[serde(rename = "_context_project")]
    project: &'a str,
    #[serde(rename = "_context_domain")]
    domain: Option<&'a str>,
    #[serde(rename = "_context_user_domain")]
    user_domain: Option<&'a str>,
    #[serde(rename = "_context_project_domain")]
    project_domain: Option<&'a str>,
    #[serde(rename = "_context_is_admin")]
    is_admin: bool,
    #[serde(rename = "_context_read_only")]
    read_only: bool,
    #[serde(rename = "_context_show_deleted")]
    show_deleted: bool,
    #[serde(rename = "_context_auth_token")]
    auth_token: Option<&'a str>,
    #[serde(rename = "_context_request_id")]
    request_id: String,
    #[serde(rename = "_context_global_request_id")]
    global_request_id: Option<&'a str>,
    #[serde(rename = "_context_resource_uuid")]
    resource_uuid: Option<&'a str>,
    #[serde(rename = "_context_roles")]
    roles: [&'a str; 2],
    #[serde(rename = "_context_user_identity")]
    user_identity: String,
    #[serde(rename = "_context_is_admin_project")]
    is_admin_project: bool,
    #[serde(rename = "_context_user_id")]
    user_id: &'a str,
    #[serde(rename = "_context_read_deleted")]
    read_deleted: &'a str,
    #[serde(rename = "_context_remote_address")]
    remote_address: Option<&'a str>,
    #[serde(rename = "_context_timestamp")]
    timestamp: String,
    #[serde(rename = "_context_quota_class")]
    quota_class: Option<&'a str>,
    #[serde(rename = "_context_user_name")]
    user_name: &'a str,
    #[serde(rename = "_context_service_catalog")]
    service_catalog: [&'a str; 0],
    #[serde(rename = "_context_project_name")]
    project_name: &'a str,
}

/// Returns the body of a notification, in an envelope unless the instance's messages have none.
pub(super) fn body<P: Serialize>(
    parts: &InstanceMessage,
    fact: &Fact,
    event: &NovaEvent<P>,
    message_id: &str,
) -> String {
    let sent_at = parts.sent_at(fact);
    let project = &parts.cloud.projects[parts.instance.project];
    let message = python::dumps(&Notification {
        message_id,
        publisher_id: &event.publisher_id,
        event_type: &event.event_type,
        priority: event.priority,
        payload: &event.payload,
        timestamp: python::str_datetime(sent_at),
        unique_id: parts.unique_id(),
        context: Context {
            user: &project.user_id,
            project_id: &project.id,
            system_scope: None,
            project: &project.id,
            domain: None,
            user_domain: None,
            project_domain: None,
            is_admin: false,
            read_only: false,
            show_deleted: false,
            auth_token: None,
            request_id: request_id(fact),
            global_request_id: None,
            resource_uuid: None,
            roles: ["member", "reader"],
            user_identity: format!("{} {} - - -", project.user_id, project.id),
            is_admin_project: true,
            user_id: &project.user_id,
            read_deleted: "no",
            remote_address: None,
            timestamp: python::iso_micros(sent_at),
            quota_class: None,
            user_name: &project.user_name,
            service_catalog: [],
            project_name: &project.name,
        },
    });
    if parts.instance.bare {
        return message;
    }
    oslo::envelope(&message)
}

/// Returns the id of the API request that caused a fact, as Nova writes it.
pub(super) fn request_id(fact: &Fact) -> String {
    format!("req-{}", fact.request)
}
