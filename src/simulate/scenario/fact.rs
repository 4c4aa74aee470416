//! Facts: the single events in the life of an instance.

use uuid::Uuid;

use super::fault::Fault;
use crate::simulate::time::Micros;

/// An event in the life of an instance.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) at: Micros,
    /// The API request that caused it.
    pub(crate) request: Uuid,
    /// The service that reports it, e.g. `compute`.
    pub(crate) service: &'static str,
    /// The host of that service, which is not always the instance's.
    pub(crate) publisher: String,
    /// The instance's row at that moment.
    pub(crate) row: InstanceRow,
    pub(crate) kind: FactKind,
}

/// The row of the instance in Nova's database.
#[derive(Clone, Debug)]
pub(crate) struct InstanceRow {
    /// Index into [`Cloud::hosts`](crate::simulate::cloud::Cloud::hosts).
    pub(crate) host: Option<usize>,
    /// Index into [`Cloud::flavors`](crate::simulate::cloud::Cloud::flavors).
    pub(crate) flavor: usize,
    /// `vm_state`.
    pub(crate) state: &'static str,
    /// `task_state`, `""` when there is none.
    pub(crate) task: &'static str,
    pub(crate) launched_at: Option<Micros>,
    pub(crate) deleted_at: Option<Micros>,
}

/// The kind of a fact, with the values of that kind.
#[derive(Clone, Debug)]
pub(crate) enum FactKind {
    /// A step of an operation, by its name in the versioned format.
    Operation { name: &'static str, phase: Phase, detail: Detail },
    /// A change of the state or the task; the former values.
    Update { old_state: &'static str, old_task: &'static str },
    /// The periodic audit.
    Exists,
    /// The scheduler found no host.
    NoValidHost(Fault),
    /// A report of the bootstrap, not of Nova.
    Report(Report),
}

/// The steps of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Start,
    End,
    Error,
}

/// The values of an operation's step beyond the instance's row.
#[derive(Clone, Debug)]
pub(crate) enum Detail {
    None,
    /// The reason of a failure. Some senders report it in an `end` instead of an `error`.
    Fault(Fault),
    /// The flavor to which a resize leads.
    NewFlavor(usize),
}

impl Detail {
    /// Returns the reason of a failure, if there is one.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        match self {
            Detail::Fault(fault) => Some(fault),
            Detail::None | Detail::NewFlavor(_) => None,
        }
    }
}

/// A report of the configuration of a new instance.
#[derive(Clone, Debug)]
pub(crate) enum Report {
    BuildStarted,
    BootstrapStarted,
    RecipeStarted { recipe: &'static str, run_id: Option<String> },
    RecipeEnded { recipe: &'static str, run_id: Option<String>, outcome: Option<Outcome> },
    BuildEnded { outcome: Option<Outcome> },
}

/// The outcome of a recipe or of a bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failure,
}

impl Outcome {
    /// Returns the word for it in events and in the truth.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
        }
    }
}
