//! The JSON of deployments, instances and services.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::projection::timing::routes::Nova;

/// A deployment with all its instances.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DeploymentReport)]
pub(in crate::api) struct Deployment {
    pub deployment_id: String,
    pub name: Option<String>,
    /// The project it belongs to, if Heat reported one.
    pub project_id: Option<String>,
    /// Counts from 1; the earlier generations were deleted.
    pub generation: usize,
    /// The worst of its services: `error`, `incomplete` or `success`; null if it has none.
    pub status: Option<&'static str>,
    /// `declared`, `registered`, `contacted`, `configuring`, `complete`, `failed`, `abandoned` or
    /// `deleted`.
    pub state: &'static str,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub declared_at: Option<Timestamp>,
    /// When its last instance was registered; without instances, when it was declared or its first event
    /// happened.
    #[schema(value_type = String, format = DateTime)]
    pub registered_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub deleted_at: Option<Timestamp>,
    /// The time of its first event.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// The time of the last event of it or its instances.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    /// Ids of the instances that were declared.
    pub expected: Vec<String>,
    /// Ids of the declared instances that are not registered.
    pub missing: Vec<String>,
    /// The last operation of Heat on it, if it is a stack.
    pub stack: Option<Stack>,
    /// In the order in which they were registered.
    pub instances: Vec<Instance>,
    /// The parameters of all instances that have no value yet.
    pub unresolved: Vec<UnresolvedParameter>,
    /// Services that wait for each other.
    pub cycles: Vec<Cycle>,
    /// The chain of configurations that leads to the one that ended last.
    pub critical_path: CriticalPath,
    /// Where the time went.
    pub phases: Phases,
    /// The earlier generations, which were deleted, in order.
    pub former: Vec<FormerDeployment>,
}

/// The last operation of Heat on a stack.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::api) struct Stack {
    /// E.g. `create`.
    pub operation: String,
    /// `start`, `end` or `error`.
    pub phase: &'static str,
    /// Heat's state of it.
    pub state: Option<String>,
    /// Heat's reason for the state.
    pub reason: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The outcome of its last create or update.
    pub status: &'static str,
}

/// An instance with its services.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = InstanceReport)]
pub(in crate::api) struct Instance {
    pub instance_id: String,
    pub deployment_id: String,
    /// The role of the instance, e.g. `mysql`.
    pub assembly: Option<String>,
    /// The number of times it was registered.
    pub attempt: usize,
    /// The worst of its services: `error`, `incomplete` or `success`; null if it has none.
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
    /// When it reported that it has given up, if it reported nothing since.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub abandoned_at: Option<Timestamp>,
    /// The reason it gave for that.
    pub abandoned_reason: Option<String>,
    /// The time of its last report.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    pub services: Vec<Service>,
    /// The parameters that it provided, with their last values.
    pub provided: Vec<ProvidedValue>,
    /// Names of the parameters that it has not provided yet.
    pub pending: Vec<String>,
    /// Services that wait for each other, one of its own among them.
    pub cycles: Vec<Cycle>,
    /// Its build and recipes, if it is an instance of Nova's.
    pub nova: Option<Nova>,
    /// Its earlier registrations, in order.
    pub former: Vec<FormerInstance>,
}

/// A parameter that an instance provided.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Provided)]
pub(in crate::api) struct ProvidedValue {
    pub name: String,
    pub value: String,
    /// When the value was first provided; the same value again counts as a contact.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// A service of an instance.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ServiceReport)]
pub(in crate::api) struct Service {
    pub instance_id: String,
    pub service: String,
    /// Whether its instance was registered with it.
    pub declared: bool,
    /// The status of its last end: `error` or `success`; `incomplete` if it never ended.
    pub status: &'static str,
    /// When it last started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub configuration_started_at: Option<Timestamp>,
    /// When it last ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub configuration_ended_at: Option<Timestamp>,
    /// The code of its last end; `0` is success.
    pub code: Option<String>,
    /// It ended, and no start was ever reported.
    pub start_missing: bool,
    /// A service that it waited for has failed.
    pub blocked_by_failure: bool,
    /// Its configurations, in order.
    pub attempts: Vec<Run>,
    pub parameters: Vec<Parameter>,
}

/// One configuration of a service.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Configuration)]
pub(in crate::api) struct Run {
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    pub duration_s: Option<f64>,
    pub code: Option<String>,
    /// Its start was not reported.
    pub start_missing: bool,
}

/// A parameter of a service.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ServiceParameter)]
pub(in crate::api) struct Parameter {
    pub name: String,
    /// Its value; a reference to a service has the code that service ended with. Fixed once its own
    /// service has started.
    pub value: Option<String>,
    /// The source it refers to; null if the value was given with the registration.
    pub from: Option<Reference>,
    /// Whether it has its value, or was given without one.
    pub resolved: bool,
    /// When its value was reported.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
    /// The source it waits for; null if it is resolved.
    pub waits_for: Option<AwaitedSource>,
    /// The service that it refers to has failed.
    pub blocked_by_failure: bool,
}

/// The source that a parameter refers to: either `parameter` or `service` of an instance.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ParameterSource)]
pub(in crate::api) struct Reference {
    pub instance_id: String,
    pub parameter: Option<String>,
    pub service: Option<String>,
}

/// A parameter that has no value yet.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::api) struct UnresolvedParameter {
    pub instance_id: String,
    pub service: String,
    pub parameter: String,
    pub waits_for: AwaitedSource,
}

/// A source that a parameter waits for.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = WaitsFor)]
pub(in crate::api) struct AwaitedSource {
    #[serde(flatten)]
    pub reference: Reference,
    /// A state of instances, `not_registered`, `deleted`, or `not_declared` if the instance is
    /// registered without such a parameter or service.
    pub state: &'static str,
}

/// Services of which each waits for the next, and the last for the first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::api) struct Cycle {
    /// None of them can ever start. Otherwise one has started all the same, or waits for a parameter,
    /// which an instance may provide before its services have ended.
    pub deadlock: bool,
    pub services: Vec<Member>,
}

/// A service in a cycle.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = CycleMember)]
pub(in crate::api) struct Member {
    pub instance_id: String,
    pub service: String,
}

/// A chain of configurations.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::api) struct CriticalPath {
    /// The time from the registration of its first instance to its last end.
    pub duration_s: f64,
    pub steps: Vec<Step>,
}

/// A step of a chain.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = CriticalStep)]
pub(in crate::api) struct Step {
    /// The service that was configured, or the parameter that was provided, and its instance.
    #[serde(flatten)]
    pub reference: Reference,
    /// When the value it waited for was reported, or its instance was registered.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    pub ended_at: Timestamp,
    /// From `since` to `started_at`; null if no start was reported.
    pub waited_s: Option<f64>,
    /// From `since` to `ended_at`.
    pub duration_s: f64,
}

/// The length of each phase. Together they last from the deployment's first event to its completion, or to
/// its last event.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[schema(as = DeploymentPhases)]
pub(in crate::api) struct Phases {
    /// Not all of its instances were registered yet, and nothing was being configured.
    pub registration_s: f64,
    /// All were registered, and some had not been in contact.
    pub contact_wait_s: f64,
    /// All had been in contact, and nothing was being configured.
    pub dependency_wait_s: f64,
    /// Something was being configured.
    pub configuration_s: f64,
}

/// A deployment that was deleted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::api) struct FormerDeployment {
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

/// An earlier registration of an instance, with its outcome.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::api) struct FormerInstance {
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

/// A service during an earlier registration.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(in crate::api) struct FormerService {
    pub service: String,
    pub status: &'static str,
    pub attempts: Vec<Run>,
}
