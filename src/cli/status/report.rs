//! What `status` shows, as far as it can be read, and what is wrong with it.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio_postgres::Client;

use super::queue_depth::{QueueDepth, read_depths};
use crate::capacity::{self, Sizes};
use crate::cli::environment::Environment;
use crate::event::Family;
use crate::export::{self, Progress};
use crate::log::{self, Horizons};
use crate::projection::{self, Conflict, Status};
use crate::{db, lifecycle};

/// How long a process of ours may take to say whether it is ready.
const READINESS_TIMEOUT: Duration = Duration::from_secs(5);

/// With fewer days until the database takes all of `DATABASE_CAPACITY`, that is a fault.
const DAYS_UNTIL_FULL_MIN: f64 = 7.0;

/// The state of a whole installation.
pub(super) struct Report {
    /// What the database says, or why it does not.
    pub database: Result<DatabaseReport>,
    pub queues: Vec<QueueDepth>,
    pub processes: Vec<Readiness>,
}

/// What the database says.
pub(super) struct DatabaseReport {
    pub position: i64,
    pub hash: String,
    pub horizons: Horizons,
    pub projections: Vec<Status>,
    pub conflicts: Vec<Conflict>,
    pub exports: Vec<Progress>,
    pub dead_letters: i64,
    /// When the last event of each family was appended.
    pub last_times: Vec<(Family, Timestamp)>,
    pub size: SizeReport,
}

/// How large everything is, and how fast it grows.
pub(super) struct SizeReport {
    pub sizes: Sizes,
    /// Bytes a day, by name.
    pub growth: BTreeMap<String, f64>,
    /// Days until the database takes all of `DATABASE_CAPACITY`, if that is known and it grows.
    pub days_until_full: Option<f64>,
    /// Size of each table of the log and the read models, if asked for: of each day, where it has days.
    pub tables: Option<Vec<(String, i64)>>,
}

/// Whether a process that serves here is ready.
pub(super) struct Readiness {
    pub url: String,
    /// Why it is not; empty if it is.
    pub reasons: String,
}

impl Report {
    pub async fn read(env: &Environment, with_tables: bool) -> Report {
        let mut queues = Vec::new();
        for (nth, cluster) in env.config.amqp_urls.iter().enumerate() {
            let management = env.config.amqp_management_urls.get(nth);
            let names =
                env.config.file.sources.iter().flat_map(|s| &s.queues).map(|q| q.name.as_str());
            queues.extend(read_depths(cluster, management, names.collect()).await);
        }
        let mut processes = Vec::new();
        for address in [Some(env.config.listen), env.config.health_listen].into_iter().flatten() {
            processes.extend(read_readiness(&format!("http://{address}")).await);
        }
        let database = DatabaseReport::read(env, with_tables).await;
        Report { database, queues, processes }
    }

    /// Returns a sentence for each thing that is wrong.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        match &self.database {
            Err(error) => faults.push(format!("{error:#}")),
            Ok(database) => database.add_faults(&mut faults),
        }
        faults.extend(self.queues.iter().filter_map(QueueDepth::fault));
        let unready = self.processes.iter().filter(|process| !process.reasons.is_empty());
        faults.extend(unready.map(|it| format!("{} is not ready: {}", it.url, it.reasons)));
        faults
    }

    /// Returns the report as `status --json` prints it; what the database would say is null without it.
    pub fn to_json(&self) -> Value {
        let mut status = match &self.database {
            Ok(database) => database.to_json(),
            Err(_) => json!({
                "head": null, "horizons": null, "projections": null, "conflicts": null, "exports": null,
                "dead_letters": null, "last_events": null, "sizes": null, "growth_per_day": null,
                "days_until_full": null,
            }),
        };
        let queues: Vec<Value> = self.queues.iter().map(QueueDepth::to_json).collect();
        status["queues"] = queues.into();
        status["faults"] = self.faults().into();
        status
    }
}

impl DatabaseReport {
    async fn read(env: &Environment, with_tables: bool) -> Result<DatabaseReport> {
        let database = env.checked_database().await?;
        let client = database.connect(None).await?;
        let (position, hash) = log::read_head(&client).await?;
        Ok(DatabaseReport {
            position,
            hash,
            horizons: log::read_horizons(&client).await?,
            projections: projection::statuses(&client, lifecycle::now()).await?,
            conflicts: projection::conflicts(&client).await?,
            exports: export::progress(&client).await?,
            dead_letters: log::count_open(&client).await?,
            last_times: log::read_last_times(&client).await?,
            size: SizeReport::read(&client, env.config.database_capacity, with_tables).await?,
        })
    }

    fn add_faults(&self, faults: &mut Vec<String>) {
        for p in &self.projections {
            match (p.state, &p.error) {
                ("failed", Some(error)) => faults.push(format!(
                    "projection {} is stopped by an error after position {}: {error}",
                    p.name,
                    p.error_at.unwrap_or(p.checkpoint)
                )),
                ("stopped", _) => faults.push(format!("no process runs projection {}", p.name)),
                _ => {}
            }
        }
        faults.extend(self.conflicts.iter().map(conflict_line));
        for export in &self.exports {
            let Some(error) = &export.error else { continue };
            faults.push(format!(
                "the export to {} of {} fails: {error}",
                export.target, export.table
            ));
        }
        if let Some(days) = self.size.days_until_full
            && days < DAYS_UNTIL_FULL_MIN
        {
            faults.push(match days {
                0.0 => "the database takes more than DATABASE_CAPACITY".to_owned(),
                days => format!("the database takes all of DATABASE_CAPACITY in {days:.1} days"),
            });
        }
    }

    fn to_json(&self) -> Value {
        let projections: Vec<Value> = self
            .projections
            .iter()
            .map(|p| {
                json!({
                    "name": p.name, "state": p.state, "checkpoint": p.checkpoint, "head": p.head,
                    "lag_events": p.lag_events, "lag_s": p.lag_s, "skipped": p.skipped, "error": p.error,
                    "process": p.process,
                })
            })
            .collect();
        let conflicts: Vec<Value> = self
            .conflicts
            .iter()
            .map(|c| {
                json!({
                    "projection": c.projection, "process": c.process, "began_at": c.began_at,
                    "with": c.with, "difference": c.difference,
                })
            })
            .collect();
        let exports: Vec<Value> = self
            .exports
            .iter()
            .map(|e| {
                json!({
                    "target": e.target, "table": e.table, "position": e.position,
                    "lag_events": e.lag_events, "moved_at": e.moved_at, "error": e.error,
                })
            })
            .collect();
        let last_events: Map<String, Value> =
            self.last_times.iter().map(|(family, at)| (family.to_string(), json!(at))).collect();
        let object = |sizes: &[(String, i64)]| -> Map<String, Value> {
            sizes.iter().map(|(of, bytes)| (of.clone(), (*bytes).into())).collect()
        };
        let mut status = json!({
            "head": {"position": self.position, "hash": self.hash},
            "horizons": {"perf": self.horizons.perf, "meter": self.horizons.meter},
            "projections": projections, "conflicts": conflicts, "exports": exports,
            "dead_letters": self.dead_letters, "last_events": last_events,
            "sizes": object(&self.size.sizes.by_name()), "growth_per_day": self.size.growth,
            "days_until_full": self.size.days_until_full,
        });
        if let Some(tables) = &self.size.tables {
            status["tables"] = object(tables).into();
        }
        status
    }
}

/// The line of a process that stands by because of its configuration.
fn conflict_line(c: &Conflict) -> String {
    format!("{} stands by for {}, because of {}: {}", c.process, c.projection, c.with, c.difference)
}

impl SizeReport {
    async fn read(
        client: &Client,
        capacity: Option<u64>,
        with_tables: bool,
    ) -> Result<SizeReport, tokio_postgres::Error> {
        let now = lifecycle::now();
        let sizes = Sizes::read(client).await?;
        let growth = sizes.growth(&capacity::read_history(client, now).await?, now);
        let days_until_full =
            capacity.and_then(|capacity| sizes.days_until_full(&growth, capacity));
        let tables = if with_tables { Some(read_table_sizes(client).await?) } else { None };
        Ok(SizeReport { sizes, growth, days_until_full, tables })
    }
}

/// Reads the size of each table that has rows.
async fn read_table_sizes(client: &Client) -> Result<Vec<(String, i64)>, tokio_postgres::Error> {
    let mut sizes = Vec::new();
    for schema in ["log"].into_iter().chain(projection::ALL.iter().map(|it| it.name)) {
        let tables = db::read_table_sizes(client, schema).await?;
        sizes.extend(tables.into_iter().map(|(table, bytes)| (format!("{schema}.{table}"), bytes)));
    }
    Ok(sizes)
}

/// Asks a process whether it is ready; `None` if none answers there.
async fn read_readiness(url: &str) -> Option<Readiness> {
    let http = reqwest::Client::builder().timeout(READINESS_TIMEOUT).build().ok()?;
    let answer = http.get(format!("{url}/readyz")).send().await.ok()?;
    let is_ready = answer.status().is_success();
    let problem: Value = answer.json().await.ok()?;
    // Something else may listen there.
    let reasons = if is_ready { Some("") } else { problem["detail"].as_str() }?;
    Some(Readiness { url: url.to_owned(), reasons: reasons.to_owned() })
}
