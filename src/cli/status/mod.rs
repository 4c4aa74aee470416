//! `stackledger status`

mod queue_depth;

use anyhow::Result;
use serde_json::{Value, json};

use self::queue_depth::{QueueDepth, read_depths};
use super::environment::Environment;
use super::output::{print_table, say};
use crate::{export, lifecycle, log, projection};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(env: &Environment, options: Options) -> Result<()> {
    let database = env.checked_database().await?;
    let client = database.connect(None).await?;
    let (position, hash) = log::read_head(&client).await?;
    let horizons = log::read_horizons(&client).await?;
    let projections = projection::statuses(&client, lifecycle::now()).await?;
    let conflicts = projection::conflicts(&client).await?;
    let exports = export::progress(&client).await?;
    let dead_letters = log::count_open(&client).await?;
    let mut queues = Vec::new();
    for (nth, cluster) in env.config.amqp_urls.iter().enumerate() {
        let management = env.config.amqp_management_urls.get(nth);
        let names = env.config.file.sources.iter().flat_map(|s| &s.queues).map(|q| q.name.as_str());
        queues.extend(read_depths(cluster, management, names.collect()).await);
    }
    if options.json {
        let projections: Vec<Value> = projections
            .iter()
            .map(|p| {
                json!({
                    "name": p.name, "state": p.state, "checkpoint": p.checkpoint, "head": p.head,
                    "lag_events": p.lag_events, "lag_s": p.lag_s, "skipped": p.skipped, "error": p.error,
                })
            })
            .collect();
        let conflicts: Vec<Value> = conflicts
            .iter()
            .map(|c| {
                json!({
                    "projection": c.projection, "process": c.process, "began_at": c.began_at,
                    "with": c.with, "difference": c.difference,
                })
            })
            .collect();
        let queues: Vec<Value> = queues.iter().map(QueueDepth::to_json).collect();
        let exports: Vec<Value> = exports
            .iter()
            .map(|e| {
                json!({
                    "target": e.target, "table": e.table, "position": e.position,
                    "lag_events": e.lag_events, "moved_at": e.moved_at, "error": e.error,
                })
            })
            .collect();
        let status = json!({
            "head": {"position": position, "hash": hash},
            "horizons": {"perf": horizons.perf, "meter": horizons.meter},
            "projections": projections, "conflicts": conflicts, "exports": exports, "queues": queues,
            "dead_letters": dead_letters,
        });
        say!("{status:#}");
        return Ok(());
    }
    say!("log head {position}:{hash}");
    say!("dead letters {dead_letters}");
    for (family, horizon) in [("perf", horizons.perf), ("meter", horizons.meter)] {
        if let Some(horizon) = horizon {
            say!("horizon of {family} {horizon}");
        }
    }
    print_table(
        &["projection", "state", "checkpoint", "lag_events", "lag_s", "skipped", "error"],
        &projections
            .iter()
            .map(|p| {
                vec![
                    p.name.clone(),
                    p.state.to_owned(),
                    p.checkpoint.to_string(),
                    p.lag_events.to_string(),
                    format!("{:.1}", p.lag_s),
                    p.skipped.to_string(),
                    p.error.clone().unwrap_or_default(),
                ]
            })
            .collect::<Vec<_>>(),
    );
    for c in &conflicts {
        say!(
            "conflict: {} stands by for {}, because of {}: {}",
            c.process,
            c.projection,
            c.with,
            c.difference
        );
    }
    if !exports.is_empty() {
        print_table(
            &["export", "table", "position", "lag_events", "moved_at", "error"],
            &exports
                .iter()
                .map(|e| {
                    vec![
                        e.target.clone(),
                        e.table.clone(),
                        e.position.to_string(),
                        e.lag_events.to_string(),
                        e.moved_at.map_or_else(|| "-".to_owned(), |at| at.to_string()),
                        e.error.clone().unwrap_or_default(),
                    ]
                })
                .collect::<Vec<_>>(),
        );
    }
    print_table(
        &["queue", "messages", "consumers", "broker"],
        &queues.iter().map(QueueDepth::to_row).collect::<Vec<_>>(),
    );
    Ok(())
}
