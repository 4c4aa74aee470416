//! The gauges that are read at each scrape: of the database, and of what its process last saw. They keep their last
//! values while the database is away.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::gauge;

use super::{DATABASE_TIMEOUT, Monitor};
use crate::capacity::Sizes;
use crate::export::{self, Progress};
use crate::projection::{self, Conflict, Status};
use crate::telemetry::Gauges;
use crate::{lifecycle, log};

/// How long sizes are not read again: the server looks at every file.
const SIZES_INTERVAL: Duration = Duration::from_secs(60);

/// How long reading them may take.
const SIZES_TIMEOUT: Duration = Duration::from_secs(5);

/// The gauges, and when their values were read.
#[derive(Default)]
pub(super) struct DatabaseGauges {
    gauges: Gauges,
    read_at: Mutex<ReadTimes>,
}

#[derive(Clone, Copy, Default)]
struct ReadTimes {
    values: Option<Instant>,
    sizes: Option<Instant>,
}

/// What is read from the database.
struct Values {
    head: i64,
    dead_letters: i64,
    statuses: Vec<Status>,
    conflicts: Vec<Conflict>,
    exports: Vec<Progress>,
}

impl Monitor {
    /// Reads the gauges, and renders them as `/metrics` answers them.
    pub(super) async fn render_gauges(&self) -> String {
        let DatabaseGauges { gauges, read_at } = &*self.gauges;
        let times = *read_at.lock().unwrap_or_else(PoisonError::into_inner);
        let are_sizes_due = times.sizes.is_none_or(|at| at.elapsed() >= SIZES_INTERVAL);
        let (faults, values, sizes) = tokio::join!(
            self.find_faults(),
            within(DATABASE_TIMEOUT, self.read_values()),
            within(SIZES_TIMEOUT, async {
                if are_sizes_due { self.read_sizes().await } else { None }
            }),
        );
        let age = {
            let mut times = read_at.lock().unwrap_or_else(PoisonError::into_inner);
            times.values = values.as_ref().map(|_| Instant::now()).or(times.values);
            times.sizes = sizes.as_ref().map(|_| Instant::now()).or(times.sizes);
            times.values.map(|at| at.elapsed())
        };
        gauges.update(|| {
            gauge!("stackledger_ready").set(f64::from(faults.is_empty()));
            gauge!("stackledger_database_up").set(f64::from(values.is_some()));
            if let Some(age) = age {
                gauge!("stackledger_database_read_age_seconds").set(age.as_secs_f64());
            }
            for (queue, age) in self.health.message_ages() {
                gauge!("stackledger_last_message_age_seconds", "queue" => queue)
                    .set(age.as_secs_f64());
            }
            if let Some(values) = &values {
                set_values(values);
            }
            if let Some(sizes) = &sizes {
                set_sizes(sizes);
            }
        });
        gauges.render()
    }

    /// Reads the values; `None` if the database does not answer.
    async fn read_values(&self) -> Option<Values> {
        let client = self.pool.get().await.ok()?;
        let (head, _) = log::read_head(&client).await.ok()?;
        Some(Values {
            head,
            dead_letters: log::count_open(&client).await.ok()?,
            statuses: projection::statuses(&**client, lifecycle::now()).await.ok()?,
            conflicts: projection::conflicts(&**client).await.ok()?,
            exports: export::progress(&**client).await.ok()?,
        })
    }

    /// Reads the sizes; `None` if the database does not answer.
    async fn read_sizes(&self) -> Option<Sizes> {
        Sizes::read(&**self.pool.get().await.ok()?).await.ok()
    }
}

/// Returns what a reading gives; `None` if it takes longer.
async fn within<T>(limit: Duration, reading: impl Future<Output = Option<T>>) -> Option<T> {
    tokio::time::timeout(limit, reading).await.ok().flatten()
}

fn set_values(values: &Values) {
    gauge!("stackledger_log_head").set(values.head as f64);
    gauge!("stackledger_dead_letters_open").set(values.dead_letters as f64);
    for status in values.statuses.iter().filter(|status| status.is_live) {
        let labels = [("projection", status.name.clone())];
        let conflicts = values.conflicts.iter().filter(|it| it.projection == status.name).count();
        gauge!("stackledger_projection_checkpoint", &labels).set(status.checkpoint as f64);
        gauge!("stackledger_projection_lag_events", &labels).set(status.lag_events as f64);
        gauge!("stackledger_projection_lag_seconds", &labels).set(status.lag_s);
        gauge!("stackledger_projection_failed", &labels).set(f64::from(status.error.is_some()));
        gauge!("stackledger_projection_skipped", &labels).set(status.skipped as f64);
        gauge!("stackledger_config_conflict", &labels).set(conflicts as f64);
    }
    for export in &values.exports {
        let labels = [("target", export.target.clone()), ("table", export.table.clone())];
        gauge!("stackledger_export_position", &labels).set(export.position as f64);
        gauge!("stackledger_export_lag_events", &labels).set(export.lag_events as f64);
        gauge!("stackledger_export_failing", &labels).set(f64::from(export.error.is_some()));
    }
}

fn set_sizes(sizes: &Sizes) {
    gauge!("stackledger_database_bytes").set(sizes.database as f64);
    for (family, bytes) in &sizes.log {
        gauge!("stackledger_log_bytes", "family" => family.as_str()).set(*bytes as f64);
    }
    for (projection, bytes) in &sizes.projections {
        gauge!("stackledger_projection_bytes", "projection" => *projection).set(*bytes as f64);
    }
}
