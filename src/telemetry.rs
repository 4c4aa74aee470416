//! Logs on stderr, metrics in Prometheus' text format. A log line that cannot be written is dropped and counted; it
//! neither stops the process nor keeps a task waiting.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::config::{ConfigError, LogFormat};

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Filter for the log lines of libraries that our own lines replace: lapin logs every closed channel and every
/// returned message, bodies included, although we handle them; refinery and tokio-postgres repeat our lines.
const LIBRARY_FILTER: &str = "lapin=off,refinery_core=warn,tokio_postgres=warn";

/// Lines that may wait to be written, while the reader of stderr is slow. Further ones are dropped.
const LINES_MAX: usize = 10_000;

/// Lines that stderr did not take: its reader is gone, or its disk is full.
static REFUSED_LINES: AtomicU64 = AtomicU64::new(0);

/// Counts the lines for which there was no room.
static DROPPED_LINES: OnceLock<ErrorCounter> = OnceLock::new();

/// stderr, which never fails.
struct Lines(std::io::Stderr);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        if self.0.write_all(line).is_err() {
            REFUSED_LINES.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Sets up the log lines on stderr. `filter` is a tracing filter, e.g. `info` or `stackledger=debug`. Dropping the
/// guard writes the lines that wait, for a second at most.
///
/// # Errors
///
/// When the filter cannot be parsed.
pub fn init(filter: &str, format: LogFormat) -> Result<WorkerGuard, ConfigError> {
    let filter = EnvFilter::try_new(format!("{LIBRARY_FILTER},{filter}")).map_err(|error| {
        let accepted = "error, warn, info, debug, trace, or target=level,… is accepted";
        ConfigError::new("LOG", filter, format!("{accepted}: {error}"))
    })?;
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(LINES_MAX)
        .lossy(true)
        .thread_name("log")
        .finish(Lines(std::io::stderr()));
    let _ = DROPPED_LINES.set(writer.error_counter());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false)
        .with_writer(writer);
    // On a second call (a test in the same process) the first subscriber stays.
    let _ = match format {
        LogFormat::Text => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    Ok(guard)
}

/// Returns the number of log lines that were not written.
fn lost_lines() -> u64 {
    let dropped = DROPPED_LINES.get().map_or(0, ErrorCounter::dropped_lines);
    REFUSED_LINES.load(Ordering::Relaxed) + dropped as u64
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

/// Aggregates the histograms' samples from time to time until `stop`: otherwise they pile up until `/metrics` is read,
/// and not every process serves it.
pub async fn run_upkeep(stop: CancellationToken) {
    const INTERVAL: std::time::Duration = std::time::Duration::from_secs(5);
    while stop.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        init_metrics().run_upkeep();
    }
}

/// Renders the metrics as `/metrics` answers them.
pub fn render_metrics() -> String {
    metrics::counter!("stackledger_log_lines_lost_total").absolute(lost_lines());
    init_metrics().render()
}
