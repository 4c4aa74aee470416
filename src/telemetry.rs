//! Logs on stderr, metrics in Prometheus' text format.

use std::io::IsTerminal;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;

use crate::config::{ConfigError, LogFormat};

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Filter for the log lines of libraries that our own lines replace: lapin logs every closed channel and every
/// returned message, bodies included, although we handle them; refinery and tokio-postgres repeat our lines.
const LIBRARY_FILTER: &str = "lapin=off,refinery_core=warn,tokio_postgres=warn";

/// Sets up the log lines on stderr. `filter` is a tracing filter, e.g. `info` or `stackledger=debug`.
///
/// # Errors
///
/// When the filter cannot be parsed.
pub fn init(filter: &str, format: LogFormat) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(format!("{LIBRARY_FILTER},{filter}")).map_err(|error| {
        let accepted = "error, warn, info, debug, trace, or target=level,… is accepted";
        ConfigError::new("LOG", filter, format!("{accepted}: {error}"))
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // On a second call (a test in the same process) the first subscriber stays.
    let _ = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    Ok(())
}

/// Installs the metrics recorder of this process on the first call, and returns its handle.
pub fn init_metrics() -> &'static PrometheusHandle {
    METRICS.get_or_init(|| {
        let seconds =
            [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &seconds)
            .expect("the list of buckets is not empty");
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        let _ = metrics::set_global_recorder(recorder);
        handle
    })
}

/// Aggregates the histograms' samples from time to time, for as long as the process runs: otherwise they pile up
/// until `/metrics` is read, and not every process serves it.
pub async fn run_upkeep() {
    const INTERVAL: std::time::Duration = std::time::Duration::from_secs(5);
    loop {
        tokio::time::sleep(INTERVAL).await;
        init_metrics().run_upkeep();
    }
}

/// Renders the metrics as `/metrics` answers them.
pub fn render_metrics() -> String {
    init_metrics().render()
}
