//! What a process says of itself: log lines, and metrics in Prometheus' text format.

mod lines;
mod metric;
mod recorder;

pub use lines::init;
pub use metric::{METRICS, Metric, MetricKind};
pub use recorder::{Gauges, init_metrics, render_metrics, run_upkeep};
