//! The members of a notification that are read, in both payload formats.

use super::super::fields::{Value, raw_object};
use super::super::nested::NestedObject;
use super::Format;

// Nested objects are read in the same pass as the message, each level as a type of its own: reading
// does not recurse, however deeply a body nests.
type NestedPayload<'a> = NestedObject<Payload<'a>>;
type NestedData<'a> = NestedObject<Data<'a>>;
type NestedFlavor<'a> = NestedObject<Flavor<'a>>;
type NestedName<'a> = NestedObject<Name<'a>>;
type NestedStateUpdate<'a> = NestedObject<StateUpdate<'a>>;
type NestedStates<'a> = NestedObject<States<'a>>;
type NestedAuditPeriod<'a> = NestedObject<AuditPeriod<'a>>;
type NestedBounds<'a> = NestedObject<Bounds<'a>>;

raw_object! {
    /// The top level of a notification.
    Message {
        publisher_id: Value = "publisher_id",
        priority: Value = "priority",
        payload: NestedPayload = "payload",
        request_id: Value = "_context_request_id",
        project_id: Value = "_context_project_id",
        tenant: Value = "_context_tenant",
    }
}

/// Defines the two objects that hold a notification's data: the payload of a legacy notification,
/// and the object inside a versioned one.
macro_rules! payload {
    ($($field:ident: $slot:ident = $key:tt,)*) => {
        raw_object! {
            /// The data of a notification.
            Data { $($field: $slot = $key,)* }
        }

        raw_object! {
            /// A payload: the data themselves if legacy, an object around them if versioned.
            Payload {
                versioned: NestedData = "nova_object.data",
                $($field: $slot = $key,)*
            }
        }

        impl<'a> Payload<'a> {
            /// The data, and the format they are in.
            pub fn into_data(self) -> (Format, Data<'a>) {
                if self.versioned.is_present() {
                    return (Format::Versioned, self.versioned.into_object());
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
    old_state: Value = "old_state",
    state_update: NestedStateUpdate = "state_update",
    state_description: Value = "state_description",
    task_state: Value = "task_state",
    new_task_state: Value = "new_task_state",
    created_at: Value = "created_at",
    launched_at: Value = "launched_at",
    deleted_at: Value = "deleted_at",
    terminated_at: Value = "terminated_at",
    audit_period_beginning: Value = "audit_period_beginning",
    audit_period_ending: Value = "audit_period_ending",
    audit_period: NestedAuditPeriod = "audit_period",
    exception: Value = "exception",
    fault: Value = "fault",
    reason: Value = "reason",
    message: Value = "message",
    code: Value = "code",
}

raw_object! {
    /// The flavor of a versioned payload.
    Flavor {
        data: NestedName = "nova_object.data",
        name: Value = "name",
    }
}

raw_object! {
    /// The versioned object inside a flavor.
    Name { name: Value = "name", }
}

raw_object! {
    /// The change of states of a versioned update.
    StateUpdate { data: NestedStates = "nova_object.data", }
}

raw_object! {
    /// The versioned object inside a change of states.
    States { old_state: Value = "old_state", }
}

raw_object! {
    /// The period of a versioned audit.
    AuditPeriod { data: NestedBounds = "nova_object.data", }
}

raw_object! {
    /// The versioned object inside a period.
    Bounds {
        beginning: Value = "audit_period_beginning",
        ending: Value = "audit_period_ending",
    }
}

raw_object! {
    /// A notification whose payload is read again, for members that are not in their usual place.
    WholePayload { payload: Value = "payload", }
}
