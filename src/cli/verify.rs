//! `stackledger verify`

use anyhow::Result;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::environment::Environment;
use super::output::{AnswerIsNo, note, say};
use crate::db::Database;
use crate::log::{self, Anchor, DroppedLeaf, Report};
use crate::projection::{self, ALL, Comparison, Projection};
use crate::{lifecycle, sales};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Also rebuild each read model in other tables, and compare it with the live one, row by row
    #[arg(long)]
    read_models: bool,
    /// Also compute each issued sales order again, from the samples as of its position and with the
    /// rates stored with it, and check that it has the same bytes
    #[arg(long)]
    orders: bool,
    /// Print JSON
    #[arg(long, conflicts_with = "orders")]
    json: bool,
    /// A head that was noted earlier (`stackledger status` prints it); reveals a log that was replaced
    #[arg(long, value_name = "POSITION:HASH", value_parser = clap::value_parser!(Anchor))]
    against: Vec<Anchor>,
}

pub(super) async fn run(env: &Environment, options: Options) -> Result<()> {
    let database = env.checked_database().await?;
    let mut client = database.connect(None).await?;
    let applied = projection::applied_positions(&client).await?;
    let report = log::verify(&mut client, &options.against, &applied, |events| {
        if events.is_multiple_of(500_000) {
            note!("{events} events checked");
        }
    })
    .await?;
    if options.json {
        return print_json(env, &database, &report, options.read_models).await;
    }
    if let Some(fault) = report.fault {
        say!("position {}: {}", fault.position, fault.what);
        return Err(AnswerIsNo.into());
    }
    say!(
        "the log is unchanged: {} events in {} batches; head {}:{}",
        report.events,
        report.batches,
        report.position,
        report.hash
    );
    for DroppedLeaf { leaf, events, first, last } in &report.dropped {
        say!("dropped: {leaf}, {events} events, positions {first} to {last}");
    }
    let stop = lifecycle::stop_on_signal()?;
    let mut differs = false;
    if options.orders {
        differs |= !verify_orders(env, &database, &stop).await?;
    }
    if options.read_models {
        for projection in ALL {
            let comparison = compare(env, &database, projection, &stop).await?;
            let (name, rows, position) = (projection.name, comparison.rows, comparison.position);
            let frozen = match comparison.frozen {
                0 => String::new(),
                rows => format!("; {rows} rows before a horizon were not compared"),
            };
            differs |= comparison.difference.is_some();
            match comparison.difference {
                None => {
                    say!(
                        "{name}: {rows} rows at position {position}, the same when rebuilt{frozen}"
                    );
                }
                Some(difference) => say!("{name}: differs when rebuilt: {difference}"),
            }
        }
    }
    if differs { Err(AnswerIsNo.into()) } else { Ok(()) }
}

/// Prints the report, and the comparisons if `read_models` is set and the log has no fault.
async fn print_json(
    env: &Environment,
    database: &Database,
    report: &Report,
    read_models: bool,
) -> Result<()> {
    let mut differs = report.fault.is_some();
    let mut comparisons = Vec::new();
    if read_models && !differs {
        let stop = lifecycle::stop_on_signal()?;
        for projection in ALL {
            let comparison = compare(env, database, projection, &stop).await?;
            differs |= comparison.difference.is_some();
            comparisons.push(json!({
                "name": projection.name, "position": comparison.position,
                "rows": comparison.rows,
                "frozen": comparison.frozen, "difference": comparison.difference,
            }));
        }
    }
    let fault = report.fault.as_ref().map(|f| json!({"position": f.position, "what": f.what}));
    let dropped: Vec<Value> = report
        .dropped
        .iter()
        .map(|d| json!({"leaf": d.leaf, "events": d.events, "first": d.first, "last": d.last}))
        .collect();
    let output = json!({
        "head": {"position": report.position, "hash": report.hash},
        "events": report.events, "batches": report.batches, "dropped": dropped, "fault": fault,
        "read_models": comparisons,
    });
    say!("{output:#}");
    if differs { Err(AnswerIsNo.into()) } else { Ok(()) }
}

async fn compare(
    env: &Environment,
    database: &Database,
    projection: &'static Projection,
    stop: &CancellationToken,
) -> Result<Comparison> {
    projection::compare(database, projection, &env.config.file, stop, |_, _| {}).await
}

/// Computes each sales order again. Returns whether all have the same bytes, except orders that cannot be
/// computed again.
async fn verify_orders(
    env: &Environment,
    database: &Database,
    stop: &CancellationToken,
) -> Result<bool> {
    let report = sales::verify(database, &env.config.file, stop, |orders| {
        if orders.is_multiple_of(100) {
            note!("{orders} orders checked");
        }
    })
    .await?;
    for (order_id, why) in &report.not_recomputable {
        say!(
            "order {order_id} cannot be computed again ({why}): only the hash of its event proves it"
        );
    }
    if let Some(fault) = report.fault {
        say!("order {} at position {}: {}", fault.order_id, fault.position, fault.what);
        return Ok(false);
    }
    say!("{} sales orders have the same bytes when computed again", report.same);
    Ok(true)
}
