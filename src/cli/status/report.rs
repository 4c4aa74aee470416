//! What `status` shows, as far as it can be read, and what is wrong with it.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::queue_depth::{QueueDepth, read_depths};
use crate::cli::environment::Environment;
use crate::export::{self, Progress};
use crate::log::{self, Horizons};
use crate::projection::{self, Conflict, Status};
use crate::{db, lifecycle};

/// How long a process of ours may take to say whether it is ready.
const READINESS_TIMEOUT: Duration = Duration::from_secs(5);

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
    /// Sizes in bytes: of the log by family, then of each read model, then of the whole database.
    pub sizes: Vec<(String, i64)>,
}

/// Whether a process that serves here is ready.
pub(super) struct Readiness {
    pub url: String,
    /// Why it is not; empty if it is.
    pub reasons: String,
}

impl Report {
    pub async fn read(env: &Environment) -> Report {
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
        Report { database: DatabaseReport::read(env).await, queues, processes }
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
                "dead_letters": null, "sizes": null,
            }),
        };
        let queues: Vec<Value> = self.queues.iter().map(QueueDepth::to_json).collect();
        status["queues"] = queues.into();
        status["faults"] = self.faults().into();
        status
    }
}

impl DatabaseReport {
    async fn read(env: &Environment) -> Result<DatabaseReport> {
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
            sizes: read_sizes(&client).await?,
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
        let sizes: serde_json::Map<String, Value> =
            self.sizes.iter().map(|(of, bytes)| (of.clone(), (*bytes).into())).collect();
        json!({
            "head": {"position": self.position, "hash": self.hash},
            "horizons": {"perf": self.horizons.perf, "meter": self.horizons.meter},
            "projections": projections, "conflicts": conflicts, "exports": exports,
            "dead_letters": self.dead_letters, "sizes": sizes,
        })
    }
}

/// The line of a process that stands by because of its configuration.
fn conflict_line(c: &Conflict) -> String {
    format!("{} stands by for {}, because of {}: {}", c.process, c.projection, c.with, c.difference)
}

async fn read_sizes(client: &Client) -> Result<Vec<(String, i64)>, tokio_postgres::Error> {
    let log = log::read_sizes(client).await?.into_iter().filter(|(_, bytes)| *bytes > 0);
    let mut sizes: Vec<(String, i64)> =
        log.map(|(family, bytes)| (format!("log of {family}"), bytes)).collect();
    let projections = projection::read_sizes(client, projection::ALL).await?;
    sizes.extend(projections.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)));
    sizes.push(("database".to_owned(), db::read_size(client).await?));
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
