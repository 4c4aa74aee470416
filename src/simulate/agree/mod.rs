//! Whether answers agree with the truth. Pure: who asks, and how, is the caller's business.

mod deployments;
mod meters;
mod perf;
mod timing;

pub use deployments::deployment_differences;
pub use meters::{meter_differences, meters};
pub use perf::{hours, perf_differences};
pub use timing::{differences, incomplete_differences, timing_differences, timings};
