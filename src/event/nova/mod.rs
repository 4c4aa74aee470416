//! Nova's notifications about instances: legacy and versioned payloads as one set of structs.

pub mod evidence;
mod fault;
mod names;
mod notification;
mod shape;

use jiff::Timestamp;

use super::{PayloadFault, json};

/// The payload format of a notification: Nova has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// `compute.instance.*`, flat payload.
    Legacy,
    /// `instance.*`, `nova_object.data`.
    Versioned,
}

/// The step of an operation that a notification reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// It began.
    Start,
    /// It succeeded.
    End,
    /// It failed.
    Error,
}

/// The subject of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A step of an operation on an instance. Operations have their names in the versioned format
    /// (`resize_finish`, `live_migration_pre`) in both formats.
    Operation {
        /// E.g. `create`, `delete`, `resize_prep`.
        operation: String,
        /// Start, end or error.
        phase: Phase,
    },
    /// No host was found, or the build failed before any compute node was asked:
    /// `compute_task.build_instances`, `scheduler.run_instance` with ERROR.
    BuildFailed,
    /// `compute.instance.update`: a change of state; no operation begins or ends.
    Update,
    /// A call of the compute manager failed: `rescue_instance`, `rebuild_instance` … with ERROR, as its
    /// `wrap_exception` sends it.
    CallFailed {
        /// The operations that the call begins and ends: the ones that are open end with it.
        operations: &'static [&'static str],
    },
    /// A periodic `exists`: of a whole period of the audit.
    Exists,
    /// An `exists` of the period until now, which an operation sends before it changes the instance.
    InterimExists,
    /// Any other event of an instance.
    Other,
}

/// The reason for a failure, read from any of the shapes it is sent in: an object, Python's text of
/// one, a versioned fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// The class of the exception, e.g. `NoValidHost`.
    pub class: Option<String>,
    /// The exception's message.
    pub message: Option<String>,
    /// The code, like HTTP's, if there is one.
    pub code: Option<i64>,
}

/// A notification about one instance, in either format. `""`, `null` and absent are all `None`; where a field is
/// sent empty on purpose, another one shows that it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// The payload format.
    pub format: Format,
    /// The subject.
    pub subject: Subject,
    /// The instance's id.
    pub instance_id: String,
    /// `_context_request_id`, or the versioned payload's.
    pub request_id: Option<String>,
    /// The first part of `publisher_id`: `compute`, `nova-compute`, `conductor`.
    pub publisher_service: Option<String>,
    /// The rest of `publisher_id`: the sender's host, which is not always the instance's.
    pub publisher_host: Option<String>,
    /// `display_name`.
    pub name: Option<String>,
    /// `tenant_id`, or else the context's project; for [`Subject::BuildFailed`] and [`Subject::Other`] not
    /// the context's, but the project of the instance or request that the payload describes.
    pub project_id: Option<String>,
    /// The instance's host.
    pub host: Option<String>,
    /// Whether `host` is reported, be it as `None`: the notification has a host, or an empty one, because
    /// the instance is on none.
    pub reports_host: bool,
    /// The flavor's name.
    pub flavor: Option<String>,
    /// The image's id: `image_uuid`, or the last segment of `image_ref_url`.
    pub image: Option<String>,
    /// Nova's `vm_state`.
    pub state: Option<String>,
    /// Whether it reports the change of `state`, from an older one.
    pub changes_state: bool,
    /// Nova's `task_state`.
    pub task_state: Option<String>,
    /// When the API created the instance, in whole seconds.
    pub created_at: Option<Timestamp>,
    /// When it became active.
    pub launched_at: Option<Timestamp>,
    /// When it was deleted: `deleted_at`, or else `terminated_at`.
    pub deleted_at: Option<Timestamp>,
    /// `terminated_at`, which a soft deletion does not set.
    pub terminated_at: Option<Timestamp>,
    /// Whether `deleted_at` is reported, be it as `None`: the notification has a time of deletion, or
    /// an empty one together with a state.
    pub reports_deletion: bool,
    /// The reason, if the notification reports a failure.
    pub fault: Option<Fault>,
}

/// Reads the payload of an event of family `instance`. `None` when it names no instance.
///
/// # Errors
///
/// When the body cannot be read as a notification at all.
pub fn decode(kind: &str, body: &[u8]) -> Result<Option<Notification>, PayloadFault> {
    json::read(body, |text| notification::read(kind, text))
        .map_err(PayloadFault::unreadable("body"))
}
