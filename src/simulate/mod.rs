//! `stackledger simulate`: a realistic cloud, told through RabbitMQ, and the truth about it.
//!
//! [`plan()`] decides everything from its [`Options`]; it is pure and the same for the same seed.
//! [`publish()`] plays the plan to a broker as OpenStack's own services would.
//!
//! # Layout
//!
//! - `scenario`: what happens to each instance, as facts in time order;
//! - `meters`: what is measured of other resources, as samples in cycles;
//! - `hosts`: what hosts say about themselves;
//! - `deployments`: what the configuration of deployments reports;
//! - `wire`: all of them as messages, byte for byte in the senders' shapes;
//! - `truth`: all of them as the answers to be expected;
//! - `options`: what is asked for;
//! - `plan`: all together, and the order of publishing;
//! - `publish`: the only part that does anything; `broker`: where it does not.

mod agree;
mod broker;
mod cloud;
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
pub mod truth;
mod wire;

pub use agree::{
    deployment_differences, differences, hours, incomplete_differences, meter_differences, meters,
    perf_differences, timing_differences, timings,
};
pub use deployments::Deploying;
pub use hosts::Monitoring;
pub use meters::{Metering, Route};
pub use options::Options;
pub use plan::{Plan, SHUFFLE_MAX, plan, plan_from};
pub use publish::{Published, publish, publish_as_it_happens};
pub use wire::Message;
