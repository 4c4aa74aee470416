//! The differences between answers and the truth. Pure: callers fetch the answers.

mod deployments;
mod hosts;
mod meters;
mod timing;

pub use deployments::compare_deployment;
pub use hosts::{compare_metric, covering_hours};
pub use meters::{compare_meters, sum_samples};
pub use timing::{compare_incomplete_builds, compare_instance, compare_timing, sum_operations};
