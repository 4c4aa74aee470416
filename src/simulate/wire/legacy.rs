//! Nova's legacy format: `compute.instance.*` with a flat payload.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Fact, Telling, What,
    notification::{NovaEvent, Payload},
    python,
};
use crate::simulate::scenario::{Detail, Fault, Micros, Phase};

/// The fields of every `compute.instance.*`, in Nova's order. `""` where Nova has nothing to say.
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

/// The fact as the legacy format tells it.
pub(super) fn event(telling: &Telling, fact: &Fact) -> NovaEvent {
    let (event_type, priority) = match &fact.what {
        What::Operation { name, phase, .. } => {
            let (phase, priority) = match phase {
                Phase::Start => ("start", "INFO"),
                Phase::End => ("end", "INFO"),
                Phase::Error => ("error", "ERROR"),
            };
            (format!("compute.instance.{}.{phase}", legacy_name(name)), priority)
        }
        What::Exists => ("compute.instance.exists".to_owned(), "INFO"),
        What::NoValidHost(_) => ("compute_task.build_instances".to_owned(), "ERROR"),
        What::Update { .. } | What::Reported(_) => ("compute.instance.update".to_owned(), "INFO"),
    };
    let payload = match &fact.what {
        What::NoValidHost(fault) => Payload::Other(no_valid_host(telling, fault)),
        _ => Payload::Instance(Box::new(instance(telling, fact))),
    };
    NovaEvent {
        publisher_id: format!("{}.{}", fact.service, fact.publisher),
        event_type,
        priority,
        payload,
    }
}

/// The legacy name of an operation that the versioned format renamed.
fn legacy_name(operation: &str) -> &str {
    match operation {
        "resize_prep" => "resize.prep",
        "resize_finish" => "finish_resize",
        "resize_confirm" => "resize.confirm",
        same => same,
    }
}

fn instance(telling: &Telling, fact: &Fact) -> InstancePayload {
    let (cloud, it, is) = (telling.cloud, telling.instance, &fact.snapshot);
    let (flavor, image) = (&cloud.flavors[is.flavor], &cloud.images[it.image]);
    let project = &cloud.projects[it.project];
    let host = is.host.map(|host| cloud.hosts[host].clone());
    let date =
        |at: Option<Micros>| at.map(|at| python::iso_seconds(telling.at(at))).unwrap_or_default();
    InstancePayload {
        tenant_id: project.id.clone(),
        user_id: project.user_id.clone(),
        instance_id: it.id.to_string(),
        display_name: it.name.clone(),
        reservation_id: it.reservation_id.clone(),
        hostname: it.hostname.clone(),
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
        created_at: python::str_aware(telling.at(it.created_at)),
        terminated_at: date(is.deleted_at),
        deleted_at: date(is.deleted_at),
        launched_at: date(is.launched_at),
        image_ref_url: format!("http://10.0.0.4:9292/images/{}", image.id),
        os_type: None,
        kernel_id: "",
        ramdisk_id: "",
        state: is.state,
        state_description: is.task,
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
        metadata: metadata(telling),
        extra: extra(telling, fact),
    }
}

/// What users attach to their instances.
pub(super) fn metadata(telling: &Telling) -> Value {
    match telling.place.0 % 3 {
        0 => json!({}),
        n => json!({"metering.billing": format!("dept-{n}"), "note": "poznámka"}),
    }
}

/// The fields of one event type only.
fn extra(telling: &Telling, fact: &Fact) -> Map<String, Value> {
    let (cloud, it) = (telling.cloud, telling.instance);
    let image_name = cloud.images[it.image].name;
    let extra = match &fact.what {
        What::Operation { name: "create", phase: Phase::Start, .. } => {
            json!({"image_name": image_name})
        }
        // Havana's way to tell a failure: the end's message is the reason.
        What::Operation { name: "create", phase: Phase::End, detail: Detail::Fault(fault) } => {
            json!({"fixed_ips": [], "message": fault.message})
        }
        What::Operation { name: "create", phase: Phase::End, .. } => {
            json!({"fixed_ips": fixed_ips(telling), "message": "Success"})
        }
        What::Operation { detail: Detail::Fault(fault), .. } => json!({
            "exception": repr(fault),
            "message": fault.message,
            "code": fault.code,
        }),
        What::Operation { name: "resize_prep", phase, detail: Detail::NewFlavor(new) }
            if *phase == Phase::End =>
        {
            let new = &cloud.flavors[*new];
            json!({"new_instance_type": new.name, "new_instance_type_id": new.row})
        }
        What::Operation { name: "resize" | "resize_finish" | "resize_confirm", .. } => {
            json!({"fixed_ips": fixed_ips(telling)})
        }
        What::Update { old_state, old_task } => {
            let (begin, end) = audit_period(telling, fact);
            json!({
                "old_state": old_state,
                "old_task_state": task(old_task),
                "new_task_state": task(fact.snapshot.task),
                "audit_period_beginning": python::iso_micros(begin),
                "audit_period_ending": python::iso_micros(end),
            })
        }
        What::Exists => {
            let (begin, end) = audit_period(telling, fact);
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

fn fixed_ips(telling: &Telling) -> Value {
    json!([{
        "address": telling.instance.address,
        "type": "fixed",
        "version": 4,
        "meta": {},
        "floating_ips": [],
        "label": "private",
        "vif_mac": telling.instance.mac,
    }])
}

/// An exception as today's Nova sends it: Python's `repr` of a dictionary.
fn repr(fault: &Fault) -> String {
    let Fault { class, message, code } = fault;
    format!("{{'kwargs': {{'code': {code}}}, 'message': '{message}', 'class': '{class}'}}")
}

fn task(name: &str) -> Option<&str> {
    Some(name).filter(|name| !name.is_empty())
}

/// From the beginning of the month until now (`instance_usage_audit_period = month`).
pub(super) fn audit_period(telling: &Telling, fact: &Fact) -> (jiff::Timestamp, jiff::Timestamp) {
    let now = telling.at(fact.at);
    let utc = now.to_zoned(jiff::tz::TimeZone::UTC);
    let begin = utc.first_of_month().and_then(|day| day.start_of_day());
    (begin.map_or(now, |begin| begin.timestamp()), now)
}

/// `compute_task.*` has a payload of its own, without the fields of an instance.
fn no_valid_host(telling: &Telling, fault: &Fault) -> Value {
    let (cloud, it) = (telling.cloud, telling.instance);
    let project = &cloud.projects[it.project];
    json!({
        "request_spec": {
            "num_instances": 1,
            "image": {"id": cloud.images[it.image].id, "name": cloud.images[it.image].name},
            "instance_properties": {"uuid": it.id, "project_id": project.id, "user_id": project.user_id},
        },
        "instance_properties": {
            "uuid": it.id,
            "project_id": project.id,
            "user_id": project.user_id,
            "display_name": it.name,
            "hostname": it.hostname,
        },
        "instance_id": it.id,
        "state": "error",
        "method": "build_instances",
        "reason": fault.message,
    })
}
