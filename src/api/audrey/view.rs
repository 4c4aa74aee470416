//! What JSON says of deployments, instances and services.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::projection::timing::routes::Nova;

/// A deployment with all that is in it.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DeploymentReport)]
pub(super) struct Deployment {
    pub deployment_id: String,
    pub name: Option<String>,
    /// Whose it is, where Heat told.
    pub project_id: Option<String>,
    /// Counts from 1; the ones before it were deleted.
    pub generation: usize,
    /// The worst of its services: `error`, `incomplete` or `success`; null where it has none.
    pub status: Option<&'static str>,
    /// `declared`, `registered`, `contacted`, `configuring`, `complete`, `failed`, `abandoned` or
    /// `deleted`.
    pub state: &'static str,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub declared_at: Option<Timestamp>,
    /// When its last instance was registered; else when it was declared, or first heard of.
    #[schema(value_type = String, format = DateTime)]
    pub registered_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deleted_at: Option<Timestamp>,
    /// The first thing heard of it.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// The last thing heard of it and its instances.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    /// Ids of the instances that were declared.
    pub expected: Vec<String>,
    /// Those that are not registered.
    pub missing: Vec<String>,
    /// What Heat last did with it, if it is a stack.
    pub stack: Option<Stack>,
    /// In the order in which they were registered.
    pub instances: Vec<Instance>,
    /// Parameters that have no value yet, of all instances.
    pub unresolved: Vec<Unresolved>,
    /// Services that wait for each other.
    pub cycles: Vec<Cycle>,
    /// The chain of configurations that ends with the one that ended last.
    pub critical_path: CriticalPath,
    /// Where the time went.
    pub phases: Phases,
    /// The deployments of this id that were deleted, in order.
    pub former: Vec<FormerDeployment>,
}

/// What Heat last did with a stack.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Stack {
    /// E.g. `create`.
    pub operation: String,
    /// `start`, `end` or `error`.
    pub phase: &'static str,
    /// Heat's state of it.
    pub state: Option<String>,
    /// Why it is in that state.
    pub reason: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// How its last create or update came out.
    pub status: &'static str,
}

/// An instance with its services.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = InstanceReport)]
pub(super) struct Instance {
    pub instance_id: String,
    pub deployment_id: String,
    /// What it is to be.
    pub assembly: Option<String>,
    /// How often it was registered.
    pub attempt: usize,
    /// The worst of its services: `error`, `incomplete` or `success`; null where it has none.
    pub status: Option<&'static str>,
    /// `registered`, `contacted`, `configuring`, `complete`, `failed` or `abandoned`.
    pub state: &'static str,
    #[schema(value_type = String, format = DateTime)]
    pub registered_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_contacted_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_contacted_at: Option<Timestamp>,
    /// When the last of its services ended, if all have.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
    /// When it said that it has given up, if it said nothing since.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub abandoned_at: Option<Timestamp>,
    /// Why.
    pub abandoned_reason: Option<String>,
    /// The last thing heard of it.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    pub services: Vec<Service>,
    /// The parameters that it provided, with their last values.
    pub provided: Vec<Provided>,
    /// Names of the parameters that it is still to provide.
    pub pending: Vec<String>,
    /// Services that wait for each other, one of its own among them.
    pub cycles: Vec<Cycle>,
    /// What Nova and the recipes tell of it, where it is an instance of Nova's.
    pub nova: Option<Nova>,
    /// What came of it when it was registered before, in order.
    pub former: Vec<FormerInstance>,
}

/// A parameter that an instance provided.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Provided {
    pub name: String,
    pub value: String,
    /// When it was said first; what is said again counts as a contact.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// A service of an instance.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ServiceReport)]
pub(super) struct Service {
    pub instance_id: String,
    pub service: String,
    /// Whether its instance was registered with it.
    pub declared: bool,
    /// Of its last end: `error` or `success`; `incomplete` as long as there is none.
    pub status: &'static str,
    /// When it last began.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub configuration_started_at: Option<Timestamp>,
    /// When it last ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub configuration_ended_at: Option<Timestamp>,
    /// The code of its last end; `0` is success.
    pub code: Option<String>,
    /// It ended, and was never told to have begun.
    pub start_missing: bool,
    /// A service that it waited for has failed.
    pub blocked_by_failure: bool,
    /// Every configuration of it, in order.
    pub attempts: Vec<Run>,
    pub parameters: Vec<Parameter>,
}

/// One configuration of a service.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Configuration)]
pub(super) struct Run {
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    pub duration_s: Option<f64>,
    pub code: Option<String>,
    /// Its start was not told.
    pub start_missing: bool,
}

/// A parameter of a service.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ServiceParameter)]
pub(super) struct Parameter {
    pub name: String,
    /// Its value; from a service it is the code. Once the service has begun it stays what it is.
    pub value: Option<String>,
    /// What it refers to; null where the value was given.
    pub from: Option<Reference>,
    /// Whether it need not be waited for.
    pub resolved: bool,
    /// When its value was said.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
    /// What it waits for; null where it is resolved.
    pub waits_for: Option<WaitsFor>,
    /// The service that it refers to has failed.
    pub blocked_by_failure: bool,
}

/// What a parameter refers to: one of `parameter` and `service`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ParameterSource)]
pub(super) struct Reference {
    pub instance_id: String,
    pub parameter: Option<String>,
    pub service: Option<String>,
}

/// A parameter that has no value yet.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = UnresolvedParameter)]
pub(super) struct Unresolved {
    pub instance_id: String,
    pub service: String,
    pub parameter: String,
    pub waits_for: WaitsFor,
}

/// What is waited for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct WaitsFor {
    #[serde(flatten)]
    pub reference: Reference,
    /// How that stands: a state of instances, `not_registered`, `deleted`, or `not_declared` where
    /// the instance is not registered with such a parameter or service.
    pub state: &'static str,
}

/// Services of which each waits for the next, and the last for the first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Cycle {
    /// None of them can ever begin. Otherwise one has begun all the same, or waits for a parameter,
    /// which an instance may provide before its services are done.
    pub deadlock: bool,
    pub services: Vec<Member>,
}

/// A service in a cycle.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = CycleMember)]
pub(super) struct Member {
    pub instance_id: String,
    pub service: String,
}

/// A chain of configurations.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct CriticalPath {
    /// From the registration of its first instance to its last end.
    pub duration_s: f64,
    pub steps: Vec<Step>,
}

/// A step of a chain.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = CriticalStep)]
pub(super) struct Step {
    /// Where, and what: a service was configured, or a parameter provided.
    #[serde(flatten)]
    pub what: Reference,
    /// When what it waited for was there, or its instance was registered.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    pub ended_at: Timestamp,
    /// From `since` to `started_at`; null where no start is known.
    pub waited_s: Option<f64>,
    /// From `since` to `ended_at`.
    pub duration_s: f64,
}

/// How long each phase took; together, the time since the deployment was first heard of until it was
/// complete or last heard of.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = DeploymentPhases)]
pub(super) struct Phases {
    /// Not all of its instances were registered yet, and nothing was being configured.
    pub registration_s: f64,
    /// All were, and some had not been in contact.
    pub contact_wait_s: f64,
    /// All had been, and nothing was being configured.
    pub dependency_wait_s: f64,
    /// Something was being configured.
    pub configuration_s: f64,
}

/// A deployment that was deleted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct FormerDeployment {
    pub generation: usize,
    pub status: Option<&'static str>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub declared_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    pub registered_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deleted_at: Option<Timestamp>,
    /// Ids of its instances.
    pub instances: Vec<String>,
}

/// An earlier registration of an instance, and what came of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct FormerInstance {
    pub attempt: usize,
    pub deployment_id: String,
    pub status: Option<&'static str>,
    #[schema(value_type = String, format = DateTime)]
    pub registered_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub first_contacted_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_contacted_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
    pub services: Vec<FormerService>,
}

/// What came of a service then.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct FormerService {
    pub service: String,
    pub status: &'static str,
    pub attempts: Vec<Run>,
}
