//! Log lines on stderr. A line that cannot be written is dropped and counted; it neither stops the process nor keeps a
//! task waiting.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::config::{ConfigError, LogFormat};

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
pub(super) fn lost_lines() -> u64 {
    let dropped = DROPPED_LINES.get().map_or(0, ErrorCounter::dropped_lines);
    REFUSED_LINES.load(Ordering::Relaxed) + dropped as u64
}
