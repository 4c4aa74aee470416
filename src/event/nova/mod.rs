//! Nova's notifications about instances: legacy and versioned payloads as one set of structs.

mod fault;
mod names;
mod payload;

use jiff::Timestamp;

use super::{PayloadFault, json};

/// Which of Nova's two payload formats a notification came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// `compute.instance.*`, flat payload.
    Legacy,
    /// `instance.*`, `nova_object.data`.
    Versioned,
}

/// The part of an operation that a notification reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// It began.
    Start,
    /// It ended well.
    End,
    /// It ended badly.
    Error,
}

/// What a notification is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A step of an operation on an instance. Names are the versioned format's (`resize_finish`,
    /// `live_migration_pre`), so that both formats give one operation.
    Operation {
        /// E.g. `create`, `delete`, `resize_prep`.
        operation: String,
        /// Start, end or error.
        phase: Phase,
    },
    /// No host could be found, or building failed before any compute node was asked:
    /// `compute_task.build_instances`, `scheduler.run_instance` with ERROR.
    BuildFailed,
    /// `compute.instance.update`: the state changed, no operation begins or ends.
    Update,
    /// A periodic `exists`.
    Exists,
    /// Anything else that concerns an instance.
    Other,
}

/// Why an operation failed, from whichever shape the message had (object, Python repr, fault).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fault {
    /// Class of the exception, e.g. `NoValidHost`.
    pub class: Option<String>,
    /// What it said, one readable text.
    pub message: Option<String>,
    /// HTTP-like code, where there is one.
    pub code: Option<i64>,
}

/// One notification about one instance, whichever format it came in. `""`, `null` and absent are
/// all `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Legacy or versioned.
    pub format: Format,
    /// What it reports.
    pub subject: Subject,
    /// The instance's id.
    pub instance_id: String,
    /// `_context_request_id`, or the versioned payload's.
    pub request_id: Option<String>,
    /// First part of `publisher_id`: `compute`, `nova-compute`, `conductor`.
    pub publisher_service: Option<String>,
    /// The rest of `publisher_id`: the host that speaks (not always the instance's host).
    pub publisher_host: Option<String>,
    /// `display_name`.
    pub name: Option<String>,
    /// `tenant_id`, else the context's project, unless the subject is [`Subject::Other`]: then the
    /// project of the instance or request that the payload describes.
    pub project_id: Option<String>,
    /// The instance's host.
    pub host: Option<String>,
    /// Name of the flavor.
    pub flavor: Option<String>,
    /// Image id: `image_uuid`, or the last segment of `image_ref_url`.
    pub image: Option<String>,
    /// vm_state.
    pub state: Option<String>,
    /// task_state.
    pub task_state: Option<String>,
    /// When the API made the instance (whole seconds).
    pub created_at: Option<Timestamp>,
    /// When it became active.
    pub launched_at: Option<Timestamp>,
    /// When it was deleted (`deleted_at`, else `terminated_at`).
    pub deleted_at: Option<Timestamp>,
    /// Whether it says when the instance was deleted, or that it is not: a time, or none beside a
    /// state.
    pub tells_deletion: bool,
    /// Set when the notification reports a failure.
    pub fault: Option<Fault>,
}

/// Reads the payload of an event of family `instance`. `None` when it names no instance.
///
/// # Errors
///
/// When the body cannot be read as a notification at all (e.g. nested too deeply).
pub fn decode(kind: &str, body: &[u8]) -> Result<Option<Notification>, PayloadFault> {
    json::read(body, |text| payload::notification(kind, text))
        .map_err(PayloadFault::unreadable("body"))
}
