//! The recorders of metrics: one of the process, and one for the gauges of each server.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use tokio_util::sync::CancellationToken;

use super::lines;
use super::metric::{METRICS, MetricKind};

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// The limits of the buckets of histograms, in seconds.
const SECONDS: [f64; 13] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Installs the metrics recorder of this process on the first call, and returns its handle.
pub fn init_metrics() -> &'static PrometheusHandle {
    RECORDER.get_or_init(|| {
        let recorder = build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            metrics::gauge!("stackledger_build_info", "version" => env!("CARGO_PKG_VERSION"))
                .set(1);
        });
        let _ = metrics::set_global_recorder(recorder);
        handle
    })
}

fn build_recorder() -> PrometheusRecorder {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
        .expect("the list of buckets is not empty")
        .build_recorder();
    metrics::with_local_recorder(&recorder, || {
        for metric in METRICS {
            match metric.kind {
                MetricKind::Counter => metrics::describe_counter!(metric.name, metric.help),
                MetricKind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
                MetricKind::Histogram => metrics::describe_histogram!(metric.name, metric.help),
            }
        }
    });
    recorder
}

/// Aggregates the histograms' samples from time to time until `stop`: otherwise they pile up until `/metrics` is read,
/// and not every process serves it.
pub async fn run_upkeep(stop: CancellationToken) {
    const INTERVAL: std::time::Duration = std::time::Duration::from_secs(5);
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        init_metrics().run_upkeep();
    }
}

/// Renders the metrics of the process.
pub fn render_metrics() -> String {
    metrics::counter!("stackledger_log_lines_lost_total").absolute(lines::lost_lines());
    init_metrics().render()
}

/// Gauges that keep their last values: those of a server, which several may have in one process.
pub struct Gauges(PrometheusRecorder);

impl Default for Gauges {
    fn default() -> Self {
        Gauges(build_recorder())
    }
}

impl Gauges {
    /// Calls `set`, in which `metrics::gauge!` sets these gauges.
    pub fn update<T>(&self, set: impl FnOnce() -> T) -> T {
        metrics::with_local_recorder(&self.0, set)
    }

    /// Renders them as `/metrics` answers them.
    pub fn render(&self) -> String {
        self.0.handle().render()
    }
}
