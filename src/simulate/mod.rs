//! `stackledger simulate`: a realistic cloud, told through RabbitMQ, and the truth about it.
//!
//! [`plan`] decides everything from its [`Options`]; it is pure and the same for the same seed.
//! [`publish`] plays the plan to a broker as OpenStack's own services would.
//!
//! # Layout
//!
//! - `scenario`: what happens to each instance, as facts in time order;
//! - `wire`: facts as messages, byte for byte in the senders' shapes;
//! - `truth`: facts as the answers to be expected;
//! - `plan`: both together, and the order of publishing;
//! - `publish`: the only part that does anything; `broker`: where it does not.

mod agree;
mod broker;
mod cloud;
mod plan;
mod publish;
mod rng;
mod scenario;
#[cfg(test)]
mod tests;
pub mod truth;
mod wire;

pub use agree::{differences, incomplete_differences, timing_differences, timings};
pub use plan::{Options, Plan, SHUFFLE_MAX, plan};
pub use publish::{Published, publish};
pub use wire::Message;
