//! Nova's versioned format: `instance.*` with nested `nova_object`s.

use serde_json::{Value, json};

use super::{
    InstanceMessage,
    notification::{NovaEvent, request_id},
};
use crate::simulate::{
    cloud::Flavor,
    scenario::{Detail, Fact, FactKind, Fault, InstanceRow, Phase},
    time::Micros,
    wire::python,
};

/// Returns the fact as an event of the versioned format.
pub(super) fn event(parts: &InstanceMessage, fact: &Fact) -> NovaEvent<Value> {
    let (event_type, priority, object, version, data) = match &fact.kind {
        FactKind::Operation { name, phase, detail } => {
            let (phase, priority) = match phase {
                Phase::Start => ("start", "INFO"),
                Phase::End => ("end", "INFO"),
                Phase::Error => ("error", "ERROR"),
            };
            let (object, version) = match *name {
                "create" => ("InstanceCreatePayload", "1.13"),
                "resize_prep" => ("InstanceActionResizePrepPayload", "1.4"),
                "snapshot" => ("InstanceActionSnapshotPayload", "1.10"),
                _ => ("InstanceActionPayload", "1.9"),
            };
            let mut data = instance(parts, fact);
            data["fault"] = detail.fault().map_or(Value::Null, exception);
            if let Detail::NewFlavor(new) = detail {
                data["new_flavor"] = flavor(&parts.cloud.flavors[*new]);
            }
            (format!("instance.{name}.{phase}"), priority, object, version, data)
        }
        FactKind::NoValidHost(fault) => {
            let kind = "compute_task.build_instances.error".to_owned();
            (kind, "ERROR", "ComputeTaskPayload", "1.0", no_valid_host(parts, fault))
        }
        FactKind::Exists => {
            let mut data = instance(parts, fact);
            data["audit_period"] = audit_period(parts, fact);
            data["bandwidth"] = json!([]);
            // Periodic tasks serve no request.
            data["request_id"] = Value::Null;
            ("instance.exists".to_owned(), "INFO", "InstanceExistsPayload", "2.1", data)
        }
        FactKind::Update { .. } | FactKind::Report(_) => {
            let mut data = instance(parts, fact);
            data["audit_period"] = audit_period(parts, fact);
            data["old_display_name"] = Value::Null;
            if let FactKind::Update { old_state, old_task } = &fact.kind {
                data["state_update"] = object(
                    "InstanceStateUpdatePayload",
                    "1.0",
                    json!({
                        "old_state": old_state,
                        "state": fact.row.state,
                        "old_task_state": none_if_empty(old_task),
                        "new_task_state": none_if_empty(fact.row.task),
                    }),
                );
            }
            ("instance.update".to_owned(), "INFO", "InstanceUpdatePayload", "2.1", data)
        }
    };
    let service = if fact.service == "compute" { "nova-compute" } else { "nova-conductor" };
    NovaEvent {
        publisher_id: format!("{service}:{}", fact.publisher),
        event_type,
        priority,
        payload: self::object(object, version, data),
    }
}

/// Returns an object of Nova's with its name and version.
fn object(name: &str, version: &str, data: Value) -> Value {
    json!({
        "nova_object.name": name,
        "nova_object.namespace": "nova",
        "nova_object.version": version,
        "nova_object.data": data,
    })
}

/// Returns the fields of every `instance.*`. Without a value Nova sends null.
fn instance(parts: &InstanceMessage, fact: &Fact) -> Value {
    let (cloud, instance, row) = (parts.cloud, parts.instance, &fact.row);
    let project = &cloud.projects[instance.project];
    let host = row.host.map(|host| &cloud.hosts[host]);
    let date = |at: Option<Micros>| at.map(|at| python::iso_zulu(parts.at(at)));
    let launched = row.launched_at.is_some();
    json!({
        "request_id": request_id(fact),
        "uuid": instance.id,
        "user_id": project.user_id,
        "tenant_id": project.id,
        "reservation_id": instance.reservation_id,
        "display_name": instance.name,
        "display_description": instance.name,
        "host_name": instance.hostname,
        "host": host,
        "node": host,
        "os_type": null,
        "architecture": null,
        "availability_zone": "nova",
        "flavor": flavor(&cloud.flavors[row.flavor]),
        "image_uuid": cloud.images[instance.image].id,
        "key_name": "key",
        "kernel_id": "",
        "ramdisk_id": "",
        "created_at": date(Some(instance.created_at)),
        "launched_at": date(row.launched_at),
        "terminated_at": date(row.deleted_at),
        "deleted_at": date(row.deleted_at),
        "updated_at": date(Some(fact.at)),
        "state": row.state,
        "power_state": power_state(row),
        "task_state": none_if_empty(row.task),
        "progress": 0,
        "ip_addresses": if launched { json!([ip_address(parts)]) } else { json!([]) },
        "block_devices": null,
        "metadata": parts.user_metadata(),
        "locked": false,
        "auto_disk_config": "MANUAL",
        "action_initiator_user": project.user_id,
        "action_initiator_project": project.id,
        "locked_reason": null,
        "shares": null,
    })
}

/// Returns the hypervisor's state of the instance, as far as it follows from Nova's.
fn power_state(row: &InstanceRow) -> &'static str {
    match (row.launched_at, row.state) {
        (None, _) => "pending",
        (Some(_), "stopped" | "deleted") => "shutdown",
        _ => "running",
    }
}

fn flavor(flavor: &Flavor) -> Value {
    let data = json!({
        "flavorid": flavor.id,
        "memory_mb": flavor.memory_mb,
        "vcpus": flavor.vcpus,
        "root_gb": flavor.root_gb,
        "ephemeral_gb": flavor.ephemeral_gb,
        "name": flavor.name,
        "swap": 0,
        "rxtx_factor": 1.0,
        "vcpu_weight": 0,
        "disabled": false,
        "is_public": true,
        "extra_specs": {},
        "projects": [],
        "description": null,
    });
    object("FlavorPayload", "1.4", data)
}

fn ip_address(parts: &InstanceMessage) -> Value {
    let data = json!({
        "label": "private",
        "mac": parts.instance.mac,
        "meta": {},
        "port_uuid": null,
        "version": 4,
        "address": parts.instance.address,
        "device_name": "tap0",
    });
    object("IpPayload", "1.0", data)
}

fn exception(fault: &Fault) -> Value {
    let data = json!({
        "exception": fault.class,
        "exception_message": fault.message,
        "module_name": "nova.compute.manager",
        "function_name": "_do_build_and_run_instance",
        "traceback": "Traceback (most recent call last):\n  File \"nova/compute/manager.py\", line 2645",
    });
    object("ExceptionPayload", "1.1", data)
}

fn audit_period(parts: &InstanceMessage, fact: &Fact) -> Value {
    let (begin, end) = parts.audit_period(fact);
    let data = json!({
        "audit_period_beginning": python::iso_zulu(begin),
        "audit_period_ending": python::iso_zulu(end),
    });
    object("AuditPeriodPayload", "1.0", data)
}

fn no_valid_host(parts: &InstanceMessage, fault: &Fault) -> Value {
    json!({
        "instance_uuid": parts.instance.id,
        "request_spec": null,
        "state": "error",
        "reason": exception(fault),
    })
}

fn none_if_empty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
