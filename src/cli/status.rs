//! `stackledger status`

use anyhow::Result;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use serde_json::{Value, json};

use super::Env;
use super::output::{say, table};
use crate::broker;
use crate::secret::ConnectionString;
use crate::{export, lifecycle, log, projection};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(env: &Env, options: Options) -> Result<()> {
    let database = env.checked_database().await?;
    let client = database.connect(None).await?;
    let (position, hash) = log::head(&client).await?;
    let horizons = log::horizons(&client).await?;
    let projections = projection::statuses(&client, lifecycle::now()).await?;
    let exports = export::progress(&client).await?;
    let dead_letters = log::count_open(&client).await?;
    let mut queues = Vec::new();
    for url in &env.config.amqp_urls {
        let names = env.config.file.sources.iter().flat_map(|s| &s.queues).map(|q| q.name.as_str());
        queues.extend(depths(url, names.collect()).await);
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
        let queues: Vec<Value> = queues
            .iter()
            .map(|q| json!({"broker": q.broker, "queue": q.queue, "messages": q.messages, "consumers": q.consumers, "error": q.error}))
            .collect();
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
            "projections": projections, "exports": exports, "queues": queues,
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
    table(
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
    if !exports.is_empty() {
        table(
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
    table(
        &["queue", "messages", "consumers", "broker"],
        &queues
            .iter()
            .map(|q| {
                let shown = |n: Option<u32>| n.map_or_else(|| "-".to_owned(), |n| n.to_string());
                let broker = q
                    .error
                    .as_ref()
                    .map_or_else(|| q.broker.clone(), |e| format!("{}: {e}", q.broker));
                vec![q.queue.clone(), shown(q.messages), shown(q.consumers), broker]
            })
            .collect::<Vec<_>>(),
    );
    Ok(())
}

struct Depth {
    broker: String,
    queue: String,
    messages: Option<u32>,
    consumers: Option<u32>,
    error: Option<String>,
}

/// What waits in our queues on one broker. A broker that is away is a line, not a failure.
async fn depths(url: &ConnectionString, names: Vec<&str>) -> Vec<Depth> {
    let depth = |queue: &str, messages, consumers, error| Depth {
        broker: url.to_string(),
        queue: queue.to_owned(),
        messages,
        consumers,
        error,
    };
    let connection = match broker::connect(url, "stackledger status").await {
        Ok(connection) => connection,
        Err(error) => return vec![depth("-", None, None, Some(error.to_string()))],
    };
    let mut depths = Vec::new();
    for name in names {
        // A passive declare of a queue that is not there closes its channel.
        let declared = match connection.create_channel().await {
            Ok(channel) => {
                let options = QueueDeclareOptions { passive: true, ..Default::default() };
                channel.queue_declare(name.into(), options, FieldTable::default()).await
            }
            Err(error) => Err(error),
        };
        depths.push(match declared {
            Ok(queue) => {
                depth(name, Some(queue.message_count()), Some(queue.consumer_count()), None)
            }
            Err(_) => depth(name, None, None, Some("not declared yet".to_owned())),
        });
    }
    broker::disconnect(&connection).await;
    depths
}
