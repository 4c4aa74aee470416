//! Nova's versioned format: `instance.*` with nested `nova_object`s.

use serde_json::{Value, json};

use super::{
    Fact, Telling, What, legacy,
    notification::{NovaEvent, Payload, request_id},
    python,
};
use crate::simulate::{
    cloud::Flavor,
    scenario::{Detail, Fault, Micros, Phase, Snapshot, fault_of},
};

/// The fact as the versioned format tells it.
pub(super) fn event(telling: &Telling, fact: &Fact) -> NovaEvent {
    let (event_type, priority, object, version, data) = match &fact.what {
        What::Operation { name, phase, detail } => {
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
            let mut data = instance(telling, fact);
            data["fault"] = fault_of(detail).map_or(Value::Null, exception);
            if let Detail::NewFlavor(new) = detail {
                data["new_flavor"] = flavor(&telling.cloud.flavors[*new]);
            }
            (format!("instance.{name}.{phase}"), priority, object, version, data)
        }
        What::NoValidHost(fault) => {
            let kind = "compute_task.build_instances.error".to_owned();
            (kind, "ERROR", "ComputeTaskPayload", "1.0", no_valid_host(telling, fault))
        }
        What::Exists => {
            let mut data = instance(telling, fact);
            data["audit_period"] = audit_period(telling, fact);
            data["bandwidth"] = json!([]);
            // Periodic tasks serve no request.
            data["request_id"] = Value::Null;
            ("instance.exists".to_owned(), "INFO", "InstanceExistsPayload", "2.1", data)
        }
        What::Update { .. } | What::Reported(_) => {
            let mut data = instance(telling, fact);
            data["audit_period"] = audit_period(telling, fact);
            data["old_display_name"] = Value::Null;
            if let What::Update { old_state, old_task } = &fact.what {
                data["state_update"] = object(
                    "InstanceStateUpdatePayload",
                    "1.0",
                    json!({
                        "old_state": old_state,
                        "state": fact.snapshot.state,
                        "old_task_state": none_if_empty(old_task),
                        "new_task_state": none_if_empty(fact.snapshot.task),
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
        payload: Payload::Other(self::object(object, version, data)),
    }
}

fn object(name: &str, version: &str, data: Value) -> Value {
    json!({
        "nova_object.name": name,
        "nova_object.namespace": "nova",
        "nova_object.version": version,
        "nova_object.data": data,
    })
}

/// The fields of every `instance.*`; null where Nova has nothing to say.
fn instance(telling: &Telling, fact: &Fact) -> Value {
    let (cloud, it, is) = (telling.cloud, telling.instance, &fact.snapshot);
    let project = &cloud.projects[it.project];
    let host = is.host.map(|host| &cloud.hosts[host]);
    let date = |at: Option<Micros>| at.map(|at| python::iso_zulu(telling.at(at)));
    let launched = is.launched_at.is_some();
    json!({
        "request_id": request_id(fact),
        "uuid": it.id,
        "user_id": project.user_id,
        "tenant_id": project.id,
        "reservation_id": it.reservation_id,
        "display_name": it.name,
        "display_description": it.name,
        "host_name": it.hostname,
        "host": host,
        "node": host,
        "os_type": null,
        "architecture": null,
        "availability_zone": "nova",
        "flavor": flavor(&cloud.flavors[is.flavor]),
        "image_uuid": cloud.images[it.image].id,
        "key_name": "key",
        "kernel_id": "",
        "ramdisk_id": "",
        "created_at": date(Some(it.created_at)),
        "launched_at": date(is.launched_at),
        "terminated_at": date(is.deleted_at),
        "deleted_at": date(is.deleted_at),
        "updated_at": date(Some(fact.at)),
        "state": is.state,
        "power_state": power_state(is),
        "task_state": none_if_empty(is.task),
        "progress": 0,
        "ip_addresses": if launched { json!([ip_address(telling)]) } else { json!([]) },
        "block_devices": null,
        "metadata": legacy::metadata(telling),
        "locked": false,
        "auto_disk_config": "MANUAL",
        "action_initiator_user": project.user_id,
        "action_initiator_project": project.id,
        "locked_reason": null,
        "shares": null,
    })
}

/// What the hypervisor says, as far as the state tells.
fn power_state(is: &Snapshot) -> &'static str {
    match (is.launched_at, is.state) {
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

fn ip_address(telling: &Telling) -> Value {
    let data = json!({
        "label": "private",
        "mac": telling.instance.mac,
        "meta": {},
        "port_uuid": null,
        "version": 4,
        "address": telling.instance.address,
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

fn audit_period(telling: &Telling, fact: &Fact) -> Value {
    let (begin, end) = legacy::audit_period(telling, fact);
    let data = json!({
        "audit_period_beginning": python::iso_zulu(begin),
        "audit_period_ending": python::iso_zulu(end),
    });
    object("AuditPeriodPayload", "1.0", data)
}

fn no_valid_host(telling: &Telling, fault: &Fault) -> Value {
    json!({
        "instance_uuid": telling.instance.id,
        "request_spec": null,
        "state": "error",
        "reason": exception(fault),
    })
}

fn none_if_empty(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
