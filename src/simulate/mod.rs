//! `stackledger simulate`: a realistic cloud, published through RabbitMQ, and the truth about it.
//!
//! [`plan()`] decides everything from its [`Options`]; it is pure, and the same seed gives the same plan.
//! [`publish()`] sends the plan to a broker as OpenStack's own services would.
//!
//! # Layout
//!
//! - `options`: the parameters of a cloud;
//! - `scenario`: the life of each instance, as facts in time order;
//! - `meters`: the samples of other resources, in cycles;
//! - `hosts`: the metrics of hosts;
//! - `deployments`: the configuration of deployments, as facts in time order;
//! - `wire`: all of them as messages, byte for byte in the senders' shapes;
//! - `truth`: all of them as the expected answers;
//! - `comparison`: the differences between answers and the truth;
//! - `plan`: all of them together, in the order of publishing;
//! - `publish`: the only part with effects; `broker`: keeps it off a real cloud's broker.
//!
//! Nothing here imports the rest of the crate: the code that is checked must not take part in the check.

mod broker;
mod cloud;
mod comparison;
mod deployments;
mod hosts;
mod meters;
mod options;
mod plan;
mod publish;
mod rng;
mod scenario;
#[cfg(test)]
mod tests;
mod time;
pub mod truth;
mod wire;

pub use comparison::{
    compare_deployment, compare_incomplete_builds, compare_instance, compare_meters,
    compare_metric, compare_timing, covering_hours, sum_operations, sum_samples,
};
pub use options::{DeploymentOptions, MeteringOptions, MonitoringOptions, Options, Route};
pub use plan::{Plan, SHUFFLE_MAX, plan, plan_from};
pub use publish::{PublishReport, publish, publish_in_real_time};
pub use wire::Message;
