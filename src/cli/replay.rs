//! `stackledger replay`

use std::cell::Cell;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};

use super::environment::Environment;
use super::output::{note, say};
use crate::lifecycle;
use crate::projection::{self, ALL, Progress, Projection};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Names of the read models to rebuild
    #[arg(required_unless_present = "all", value_parser = parse_name)]
    projections: Vec<String>,
    /// Rebuild all read models
    #[arg(long, conflicts_with = "projections")]
    all: bool,
}

pub(super) async fn run(env: &Environment, options: Options) -> Result<()> {
    let chosen: Vec<&'static Projection> = if options.all {
        ALL.to_vec()
    } else {
        options.projections.iter().filter_map(|name| projection::by_name(name)).collect()
    };
    let database = env.checked_database().await?;
    let stop = lifecycle::stop_on_signal()?;
    let holder = format!("replay-{}", lifecycle::random_id().simple());
    let file = Arc::clone(&env.config.file);
    let replayed = lifecycle::run_on_own_thread("replay", move || async move {
        for projection in chosen {
            let display = ProgressDisplay::new(projection.name);
            let mut last = None;
            projection::replay(&database, projection, &file, &holder, &stop, |progress| {
                display.update(progress);
                last = Some(progress);
            })
            .await
            .with_context(|| format!("replaying {}", projection.name))?;
            display.finish(last);
        }
        Ok(())
    });
    replayed.await.context("the replay panicked")?
}

/// Parses the name of a projection; the error lists all names.
pub(super) fn parse_name(name: &str) -> Result<String, String> {
    let names: Vec<&str> = ALL.iter().map(|projection| projection.name).collect();
    if names.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(format!("there is no such projection; there are: {}", names.join(", ")))
}

/// The progress of a replay on stderr: a bar on a terminal, else a line every few seconds.
struct ProgressDisplay {
    name: &'static str,
    bar: Option<ProgressBar>,
    /// When the last line was printed.
    line_at: Cell<Instant>,
}

const LINE_INTERVAL: Duration = Duration::from_secs(2);

impl ProgressDisplay {
    fn new(name: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let style = "{msg} {wide_bar} position {pos} of {len}, {per_sec}, {eta} left";
            bar.set_style(
                ProgressStyle::with_template(style)
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.set_message(name);
            bar
        });
        ProgressDisplay { name, bar, line_at: Cell::new(Instant::now()) }
    }

    fn update(&self, progress: Progress) {
        match &self.bar {
            Some(bar) => {
                bar.set_length(progress.head.max(0).unsigned_abs());
                bar.set_position(progress.position.max(0).unsigned_abs());
            }
            None if self.line_at.get().elapsed() >= LINE_INTERVAL => {
                self.line_at.set(Instant::now());
                let left = (progress.head - progress.position).max(0) as f64
                    * progress.elapsed.as_secs_f64()
                    / progress.position.max(1) as f64;
                note!(
                    "{}: position {} of {}, {:.0} events/s, {left:.0} s left",
                    self.name,
                    progress.position,
                    progress.head,
                    progress.events_per_s()
                );
            }
            None => {}
        }
    }

    fn finish(&self, last: Option<Progress>) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        match last {
            Some(last) => say!(
                "{}: replayed {} events up to position {} in {:.1} s ({:.0} events/s)",
                self.name,
                last.events,
                last.position,
                last.elapsed.as_secs_f64(),
                last.events_per_s()
            ),
            None => say!("{}: the log is empty, the tables were created", self.name),
        }
    }
}
