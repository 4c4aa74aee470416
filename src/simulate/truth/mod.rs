//! The truth: the expected answers about a simulated cloud, in the shapes of the query endpoints, so that the
//! actual answers can be compared with it. It is computed by a plain fold over the facts in time order, which
//! shares no code with the projections.
//!
//! Rules that are not obvious:
//! - A fact that Nova publishes in both formats counts once, at the **earlier** of its two times.
//! - A duration is the difference between the clocks of two senders, computed in whole µs.
//! - `host`, `flavor`, `image` and `state` are those of the newest message. If it contains no host, no
//!   earlier message did.
//! - A sample counts once, whatever the number of routes it is published by: its identity is project, meter,
//!   resource and time. Units are those of present releases of Ceilometer, also for old senders.
//! - `deleted_at` is Nova's own value (whole seconds), not the time of the message.

mod build;
mod deployments;
mod hosts;
mod instances;
mod meters;
mod operations;

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::options::Options;

pub(crate) use deployments::fold_deployments;
pub(crate) use hosts::fold_hosts;
pub(crate) use instances::fold_instances;
pub(crate) use meters::fold_meters;
pub(crate) use operations::percentile;

/// The expected answers about the messages of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// The options of the plan.
    pub options: Options,
    /// The numbers of messages.
    pub messages: MessageCounts,
    /// Every instance, in the order of creation.
    pub instances: Vec<InstanceTruth>,
    /// One entry per operation, by name.
    pub timings: Vec<TimingTruth>,
    /// One entry per meter, by name.
    pub meters: Vec<MeterTruth>,
    /// The ids of the projects whose resources have samples, sorted.
    pub metered_projects: Vec<String>,
    /// Every host with samples; empty if hosts and metrics make more than 5000 series.
    pub hosts: Vec<HostTruth>,
    /// One entry per metric, over all hosts.
    pub metrics: Vec<MetricTruth>,
    /// Every deployment.
    pub deployments: Vec<DeploymentTruth>,
}

/// The numbers of messages of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageCounts {
    /// All messages, duplicates included.
    pub published: u64,
    /// Distinct messages: the number of events in the log in the end.
    pub unique: u64,
    /// Distinct messages by the family of the log to which they belong.
    pub by_family: BTreeMap<String, u64>,
}

/// An instance after all of its messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the answers, by the same names")]
pub struct InstanceTruth {
    pub instance_id: String,
    pub name: String,
    pub project_id: String,
    /// Nova's `notification_format` for it: `unversioned`, `versioned` or `both`.
    pub format: String,
    pub host: Option<String>,
    pub flavor: String,
    pub image: String,
    pub state: String,
    pub deleted_at: Option<Timestamp>,
    pub build: BuildTruth,
    /// By their names in the versioned format; `create` counts every attempt.
    pub operations: BTreeMap<String, OperationTruth>,
    pub recipes: Vec<RecipeTruth>,
}

/// The status of a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildStatus {
    /// It has started, and nothing indicates its end.
    Building,
    /// Nova has built the instance; an announced bootstrap has not ended.
    Bootstrapping,
    /// It ended successfully.
    Complete,
    /// It failed.
    Failed,
}

/// The build of an instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildTruth {
    /// Its status.
    pub status: BuildStatus,
    /// Time of the first `create.start` or `build.started`.
    pub started_at: Option<Timestamp>,
    /// Time of `bootstrap.started`.
    pub bootstrap_started_at: Option<Timestamp>,
    /// Time of the message that made it `complete` or `failed`.
    pub ended_at: Option<Timestamp>,
    /// Time from the first start to the last end, failed attempts included.
    pub duration_s: Option<f64>,
    /// Duration of the last attempt alone, from its `create.start` to its own end or error.
    pub spawn_s: Option<f64>,
    /// Number of attempts with a published start, or at least a published end.
    pub attempts: u32,
    /// The message of the final error. `None` if only the bootstrap failed.
    pub error: Option<String>,
}

/// The numbers of one operation's runs on one instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationTruth {
    /// Runs with a start and a successful end.
    pub complete: u32,
    /// Runs that ended in an error.
    pub failed: u32,
    /// Runs with a start and no end.
    pub open: u32,
    /// Runs with a successful end and no start.
    pub start_missing: u32,
}

/// A run of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the answers, by the same names")]
pub struct RecipeTruth {
    pub recipe: String,
    pub run_id: Option<String>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub duration_s: Option<f64>,
    /// `success` or `failure`, if the end reports one.
    pub outcome: Option<String>,
}

/// One operation over all instances. Durations are those of the complete runs; mean and percentiles are
/// rounded to a µs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimingTruth {
    /// The operation's name in the versioned format.
    pub operation: String,
    /// All runs.
    pub count: u64,
    /// Runs with a start and a successful end.
    pub complete: u64,
    /// Runs that ended in an error.
    pub failed: u64,
    /// Runs with a start and no end.
    pub open: u64,
    /// Runs with a successful end and no start.
    pub start_missing: u64,
    /// The shortest duration.
    pub min_s: Option<f64>,
    /// The mean duration.
    pub mean_s: Option<f64>,
    /// The longest duration.
    pub max_s: Option<f64>,
    /// The median, as by `percentile_cont` (between two values if their number is even).
    pub p50_s: Option<f64>,
    /// The 95th percentile, likewise.
    pub p95_s: Option<f64>,
}

/// All samples of one meter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeterTruth {
    /// `counter_name`.
    pub meter: String,
    /// `gauge`, `delta` or `cumulative`.
    #[serde(rename = "type")]
    pub meter_type: Option<String>,
    /// The unit, if it has one.
    pub unit: Option<String>,
    /// Number of distinct samples.
    pub samples: u64,
    /// Sum of their volumes, exact; as JSON a string.
    pub sum: Decimal,
    /// Time of the first sample.
    pub first_at: Timestamp,
    /// Time of the last sample.
    pub last_at: Timestamp,
}

/// All samples of one host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostTruth {
    /// Its name.
    pub host: String,
    /// One entry per metric.
    pub metrics: Vec<MetricTruth>,
}

/// All values of one metric, of one host or of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricTruth {
    /// Its name, which contains its unit.
    pub metric: String,
    /// Number of distinct samples.
    pub samples: u64,
    /// Sum of their values, exact; as JSON a string, like the next two.
    pub sum: Decimal,
    /// The smallest value.
    pub min: Decimal,
    /// The largest value.
    pub max: Decimal,
    /// Time of the first sample.
    pub first_at: Timestamp,
    /// Time of the last sample.
    pub last_at: Timestamp,
}

/// A deployment after all of its messages. A status is `error`, `incomplete` or `success`: the worst status
/// of the parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentTruth {
    /// Its id.
    pub deployment_id: String,
    /// Its name.
    pub name: String,
    /// The worst status of its instances.
    pub status: String,
    /// Its registered instances.
    pub instances: Vec<MemberTruth>,
    /// Number of parameters of services whose values are unknown, over all of its instances.
    pub unresolved_parameters: usize,
}

/// One instance of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberTruth {
    /// Its id, which may also be the id of a simulated instance of Nova.
    pub instance_id: String,
    /// The assembly that it is an instance of.
    pub assembly: String,
    /// The worst status of its services.
    pub status: String,
    /// All services, in the order of the registration.
    pub services: Vec<ServiceTruth>,
}

/// One service of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceTruth {
    /// Its name.
    pub name: String,
    /// The status of its configuration.
    pub status: String,
}
