//! Nova's legacy format: `compute.instance.*` with a flat payload.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{InstanceMessage, notification::NovaEvent};
use crate::simulate::{
    scenario::{Detail, Fact, FactKind, Fault, Phase},
    time::Micros,
    wire::python,
};

/// The payload of a notification. Its fields keep their order.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Payload {
    Instance(Box<InstancePayload>),
    ComputeTask(Value),
}

/// The fields of every `compute.instance.*`, in Nova's order. Without a value Nova sends `""`.
#[derive(Serialize)]
pub(super) struct InstancePayload {
    tenant_id: String,
    user_id: String,
    instance_id: String,
    display_name: String,
    reservation_id: String,
    hostname: String,
    instance_type: &'static str,
    instance_type_id: u32,
    instance_flavor_id: String,
    architecture: Option<&'static str>,
    memory_mb: u32,
    disk_gb: u32,
    vcpus: u32,
    root_gb: u32,
    ephemeral_gb: u32,
    host: Option<String>,
    node: Option<String>,
    availability_zone: &'static str,
    cell_name: &'static str,
    created_at: String,
    terminated_at: String,
    deleted_at: String,
    launched_at: String,
    image_ref_url: String,
    os_type: Option<&'static str>,
    kernel_id: &'static str,
    ramdisk_id: &'static str,
    state: &'static str,
    state_description: &'static str,
    progress: &'static str,
    access_ip_v4: Option<&'static str>,
    access_ip_v6: Option<&'static str>,
    image_meta: Value,
    metadata: Value,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// Returns the fact as an event of the legacy format.
pub(super) fn event(parts: &InstanceMessage, fact: &Fact) -> NovaEvent<Payload> {
    let (event_type, priority) = match &fact.kind {
        FactKind::Operation { name, phase, .. } => {
            let (phase, priority) = match phase {
                Phase::Start => ("start", "INFO"),
                Phase::End => ("end", "INFO"),
                Phase::Error => ("error", "ERROR"),
            };
            (format!("compute.instance.{}.{phase}", legacy_name(name)), priority)
        }
        FactKind::Exists => ("compute.instance.exists".to_owned(), "INFO"),
        FactKind::NoValidHost(_) => ("compute_task.build_instances".to_owned(), "ERROR"),
        FactKind::Update { .. } | FactKind::Report(_) => {
            ("compute.instance.update".to_owned(), "INFO")
        }
    };
    let payload = match &fact.kind {
        FactKind::NoValidHost(fault) => Payload::ComputeTask(no_valid_host(parts, fault)),
        _ => Payload::Instance(Box::new(instance(parts, fact))),
    };
    NovaEvent {
        publisher_id: format!("{}.{}", fact.service, fact.publisher),
        event_type,
        priority,
        payload,
    }
}

/// Returns the legacy name of an operation. The versioned format renamed some.
fn legacy_name(operation: &str) -> &str {
    match operation {
        "resize_prep" => "resize.prep",
        "resize_finish" => "finish_resize",
        "resize_confirm" => "resize.confirm",
        same => same,
    }
}

fn instance(parts: &InstanceMessage, fact: &Fact) -> InstancePayload {
    let (cloud, instance, row) = (parts.cloud, parts.instance, &fact.row);
    let (flavor, image) = (&cloud.flavors[row.flavor], &cloud.images[instance.image]);
    let project = &cloud.projects[instance.project];
    let host = row.host.map(|host| cloud.hosts[host].clone());
    let date =
        |at: Option<Micros>| at.map(|at| python::iso_seconds(parts.at(at))).unwrap_or_default();
    InstancePayload {
        tenant_id: project.id.clone(),
        user_id: project.user_id.clone(),
        instance_id: instance.id.to_string(),
        display_name: instance.name.clone(),
        reservation_id: instance.reservation_id.clone(),
        hostname: instance.hostname.clone(),
        instance_type: flavor.name,
        instance_type_id: flavor.row,
        instance_flavor_id: flavor.id.clone(),
        architecture: None,
        memory_mb: flavor.memory_mb,
        disk_gb: flavor.root_gb + flavor.ephemeral_gb,
        vcpus: flavor.vcpus,
        root_gb: flavor.root_gb,
        ephemeral_gb: flavor.ephemeral_gb,
        node: host.clone(),
        host,
        availability_zone: "nova",
        cell_name: "",
        created_at: python::str_aware(parts.at(instance.created_at)),
        terminated_at: date(row.deleted_at),
        deleted_at: date(row.deleted_at),
        launched_at: date(row.launched_at),
        image_ref_url: format!("http://10.0.0.4:9292/images/{}", image.id),
        os_type: None,
        kernel_id: "",
        ramdisk_id: "",
        state: row.state,
        state_description: row.task,
        progress: "",
        access_ip_v4: None,
        access_ip_v6: None,
        image_meta: json!({
            "base_image_ref": image.id,
            "min_ram": "0",
            "min_disk": flavor.root_gb.to_string(),
            "container_format": "bare",
            "disk_format": "qcow2",
            "os_distro": image.os,
        }),
        metadata: parts.user_metadata(),
        extra: extra(parts, fact),
    }
}

/// Returns the fields that only some event types have.
fn extra(parts: &InstanceMessage, fact: &Fact) -> Map<String, Value> {
    let (cloud, instance) = (parts.cloud, parts.instance);
    let image_name = cloud.images[instance.image].name;
    let extra = match &fact.kind {
        FactKind::Operation { name: "create", phase: Phase::Start, .. } => {
            json!({"image_name": image_name})
        }
        // Havana's form of a failure: the end's message is the reason.
        FactKind::Operation { name: "create", phase: Phase::End, detail: Detail::Fault(fault) } => {
            json!({"fixed_ips": [], "message": fault.message})
        }
        FactKind::Operation { name: "create", phase: Phase::End, .. } => {
            json!({"fixed_ips": fixed_ips(parts), "message": "Success"})
        }
        FactKind::Operation { detail: Detail::Fault(fault), .. } => json!({
            "exception": repr(fault),
            "message": fault.message,
            "code": fault.code,
        }),
        FactKind::Operation { name: "resize_prep", phase, detail: Detail::NewFlavor(new) }
            if *phase == Phase::End =>
        {
            let new = &cloud.flavors[*new];
            json!({"new_instance_type": new.name, "new_instance_type_id": new.row})
        }
        FactKind::Operation { name: "resize" | "resize_finish" | "resize_confirm", .. } => {
            json!({"fixed_ips": fixed_ips(parts)})
        }
        FactKind::Update { old_state, old_task } => {
            let (begin, end) = parts.audit_period(fact);
            json!({
                "old_state": old_state,
                "old_task_state": none_if_empty(old_task),
                "new_task_state": none_if_empty(fact.row.task),
                "audit_period_beginning": python::iso_micros(begin),
                "audit_period_ending": python::iso_micros(end),
            })
        }
        FactKind::Exists => {
            let (begin, end) = parts.audit_period(fact);
            json!({
                "audit_period_beginning": python::str_datetime(begin),
                "audit_period_ending": python::str_datetime(end),
            })
        }
        _ => json!({}),
    };
    match extra {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn fixed_ips(parts: &InstanceMessage) -> Value {
    json!([{
        "address": parts.instance.address,
        "type": "fixed",
        "version": 4,
        "meta": {},
        "floating_ips": [],
        "label": "private",
        "vif_mac": parts.instance.mac,
    }])
}

/// Returns an exception as present releases of Nova send it: Python's `repr` of a dictionary.
fn repr(fault: &Fault) -> String {
    let Fault { class, message, code } = fault;
    format!("{{'kwargs': {{'code': {code}}}, 'message': '{message}', 'class': '{class}'}}")
}

fn none_if_empty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// Returns the payload of `compute_task.*`, which has none of the fields of an instance.
fn no_valid_host(parts: &InstanceMessage, fault: &Fault) -> Value {
    let (cloud, instance) = (parts.cloud, parts.instance);
    let project = &cloud.projects[instance.project];
    json!({
        "request_spec": {
            "num_instances": 1,
            "image": {"id": cloud.images[instance.image].id, "name": cloud.images[instance.image].name},
            "instance_properties": {"uuid": instance.id, "project_id": project.id, "user_id": project.user_id},
        },
        "instance_properties": {
            "uuid": instance.id,
            "project_id": project.id,
            "user_id": project.user_id,
            "display_name": instance.name,
            "hostname": instance.hostname,
        },
        "instance_id": instance.id,
        "state": "error",
        "method": "build_instances",
        "reason": fault.message,
    })
}
