//! What the simulated cloud did, in the words of the query endpoints, so that their answers can be
//! compared with it. Found by a plain fold over the facts in time order, which shares no code with
//! the projections.
//!
//! Rules where a reader may wonder:
//! - A fact that Nova told in both formats counts once, at the **earlier** of its two times.
//! - A duration is the difference of two sender's clocks, computed in whole µs.
//! - `host`, `flavor`, `image` and `state` are those of the newest message; where that one names no
//!   host, none was ever known.
//! - A sample counts once, by however many routes it was told: its identity is project, meter,
//!   resource and time. Units are those of today's Ceilometer, whatever an old sender called them.
//! - `deleted_at` is Nova's own word for it (whole seconds), not the time of the message.

mod deployments;
mod fold;
mod hosts;
mod meters;

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Options;

pub(crate) use deployments::deployments;
pub(crate) use fold::fold;
pub(super) use fold::percentile;
pub(crate) use hosts::hosts;
pub(crate) use meters::meters;

/// Everything a plan's messages say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// What the plan was made from.
    pub options: Options,
    /// How many messages there are.
    pub messages: MessageCounts,
    /// Every instance, in the order of creation.
    pub instances: Vec<InstanceTruth>,
    /// One entry per operation, by name.
    pub timings: Vec<TimingTruth>,
    /// One entry per meter, by name.
    pub meters: Vec<MeterTruth>,
    /// The ids of the projects that own something metered, sorted.
    pub metered_projects: Vec<String>,
    /// Every host that was sampled; empty where hosts and metrics make more than 5000 series.
    pub hosts: Vec<HostTruth>,
    /// One entry per metric, over all hosts.
    pub metrics: Vec<MetricTruth>,
    /// Every deployment.
    pub deployments: Vec<DeploymentTruth>,
}

/// How many messages a plan holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageCounts {
    /// All of them, duplicates included.
    pub published: u64,
    /// Distinct identities: what the log holds in the end.
    pub unique: u64,
    /// The distinct ones, by the family the log puts them in.
    pub by_family: BTreeMap<String, u64>,
}

/// One instance as its messages leave it.
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
    /// By the versioned format's names; `create` counts every attempt.
    pub operations: BTreeMap<String, OperationTruth>,
    pub recipes: Vec<RecipeTruth>,
}

/// Where a build stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BuildStatus {
    /// Begun, and nothing final heard.
    Building,
    /// Nova is done; an announced bootstrap is not.
    Bootstrapping,
    /// Done.
    Complete,
    /// Over, without success.
    Failed,
}

/// How an instance was built.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildTruth {
    /// Where it stands.
    pub status: BuildStatus,
    /// The first `create.start` or `build.started`.
    pub started_at: Option<Timestamp>,
    /// `bootstrap.started`.
    pub bootstrap_started_at: Option<Timestamp>,
    /// What made it `complete` or `failed`; otherwise none.
    pub ended_at: Option<Timestamp>,
    /// From the first start to the last end, failed attempts included.
    pub duration_s: Option<f64>,
    /// The last attempt alone, from its `create.start` to its own end or error.
    pub spawn_s: Option<f64>,
    /// Creates heard of, by their start or only by their end.
    pub attempts: u32,
    /// The message of the error that was final. None when only the bootstrap failed.
    pub error: Option<String>,
}

/// How often one operation was seen on one instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationTruth {
    /// Start and successful end.
    pub complete: u32,
    /// Ended by an error.
    pub failed: u32,
    /// A start without an end.
    pub open: u32,
    /// A successful end without a start.
    pub start_missing: u32,
}

/// One run of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the answers, by the same names")]
pub struct RecipeTruth {
    pub recipe: String,
    pub run_id: Option<String>,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub duration_s: Option<f64>,
    /// `success` or `failure`, where the end says so.
    pub outcome: Option<String>,
}

/// One operation over all instances. The durations are those of the complete ones; mean and
/// percentiles are rounded to a µs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimingTruth {
    /// The versioned format's name.
    pub operation: String,
    /// All of them, whatever became of them.
    pub count: u64,
    /// Those that have both a start and a successful end.
    pub complete: u64,
    /// Those that ended by an error.
    pub failed: u64,
    /// Those that did not end.
    pub open: u64,
    /// Those whose start was lost.
    pub start_missing: u64,
    /// The shortest.
    pub min_s: Option<f64>,
    /// The sum divided by the number.
    pub mean_s: Option<f64>,
    /// The longest.
    pub max_s: Option<f64>,
    /// The median, as `percentile_cont` has it (between two values when their number is even).
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
    pub sort: Option<String>,
    /// None where it has none.
    pub unit: Option<String>,
    /// How many distinct ones there are.
    pub samples: u64,
    /// Their volumes added up, exact; as JSON a string.
    pub sum: Decimal,
    /// When the first of them was taken.
    pub first_at: Timestamp,
    /// When the last of them was taken.
    pub last_at: Timestamp,
}

/// All that one host said about itself.
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
    /// Its name, which holds its unit.
    pub metric: String,
    /// How many distinct samples there are.
    pub samples: u64,
    /// Their values added up, exact; as JSON a string, like the next two.
    pub sum: Decimal,
    /// The smallest.
    pub min: Decimal,
    /// The largest.
    pub max: Decimal,
    /// When the first of them was taken.
    pub first_at: Timestamp,
    /// When the last of them was taken.
    pub last_at: Timestamp,
}

/// One deployment as its messages leave it. A status is `error`, `incomplete` or `success`: that of
/// the worst part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentTruth {
    /// Its id.
    pub deployment_id: String,
    /// Its name.
    pub name: String,
    /// That of the worst of its instances.
    pub status: String,
    /// Those that are registered.
    pub instances: Vec<MemberTruth>,
    /// Parameters of services whose values are not known, over all of its instances.
    pub unresolved_parameters: usize,
}

/// One instance of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberTruth {
    /// Its id; also that of an instance of Nova's, where there are any.
    pub instance_id: String,
    /// What it is an instance of.
    pub assembly: String,
    /// That of the worst of its services.
    pub status: String,
    /// All of them, in the order of the registration.
    pub services: Vec<ServiceTruth>,
}

/// One service of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceTruth {
    /// Its name.
    pub name: String,
    /// How its configuration stands.
    pub status: String,
}
