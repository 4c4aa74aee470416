//! `stackledger simulate`: a realistic cloud, told through RabbitMQ, and the truth about it.
//!
//! [`plan`] decides everything from its [`Options`]; it is pure and the same for the same seed.
//! [`publish`] plays the plan to a broker as OpenStack's own services would.
//!
//! # Layout
//!
//! - `scenario`: what happens to each instance, as facts in time order;
//! - `meters`: what is measured of other resources, as samples in cycles;
//! - `wire`: facts and samples as messages, byte for byte in the senders' shapes;
//! - `truth`: both as the answers to be expected;
//! - `plan`: all together, and the order of publishing;
//! - `publish`: the only part that does anything; `broker`: where it does not.

mod agree;
mod broker;
mod cloud;
mod meters;
mod plan;
mod publish;
mod rng;
mod scenario;
#[cfg(test)]
mod tests;
pub mod truth;
mod wire;

pub use agree::{
    differences, incomplete_differences, meter_differences, meters, timing_differences, timings,
};
pub use meters::{Metering, Route};
pub use plan::{Options, Plan, SHUFFLE_MAX, plan};
pub use publish::{Published, publish};
pub use wire::Message;
