//! `stackledger verify`

use anyhow::Result;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::output::say;
use super::{Env, No};
use crate::db::Database;
use crate::log::{self, Anchor, Dropped, Report};
use crate::projection::{self, ALL, Comparison, Projection};
use crate::{lifecycle, sales};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Also rebuild each read model aside and compare it, row by row, with the live one
    #[arg(long)]
    read_models: bool,
    /// Also compute each issued sales order again, from the samples as of its position and with the
    /// rates that it keeps: it has to have the same bytes
    #[arg(long)]
    orders: bool,
    /// As JSON
    #[arg(long, conflicts_with = "orders")]
    json: bool,
    /// A head noted earlier (`stackledger status` prints it): finds a chain that was written again
    #[arg(long, value_name = "POSITION:HASH", value_parser = clap::value_parser!(Anchor))]
    against: Vec<Anchor>,
}

pub(super) async fn run(env: &Env, options: Options) -> Result<()> {
    let database = env.checked_database().await?;
    let mut client = database.connect(None).await?;
    let applied = projection::applied_positions(&client).await?;
    let report = log::verify(&mut client, &options.against, &applied, |events| {
        if events.is_multiple_of(500_000) {
            eprintln!("{events} events checked");
        }
    })
    .await?;
    if options.json {
        return as_json(env, &database, &report, options.read_models).await;
    }
    if let Some(fault) = report.fault {
        say!("position {}: {}", fault.position, fault.what);
        return Err(No.into());
    }
    say!(
        "the log is what was appended: {} events in {} batches; head {}:{}",
        report.events,
        report.batches,
        report.position,
        report.hash
    );
    for Dropped { leaf, events, first, last } in &report.dropped {
        say!("dropped: {leaf}, {events} events, positions {first} to {last}");
    }
    let stop = lifecycle::stop_on_signal()?;
    let mut differs = false;
    if options.orders {
        differs |= !orders(env, &database, &stop).await?;
    }
    if options.read_models {
        for projection in ALL {
            let compared = compare(env, &database, projection, &stop).await?;
            let (name, rows, position) = (projection.name, compared.rows, compared.position);
            let frozen = match compared.frozen {
                0 => String::new(),
                rows => format!("; {rows} rows before a horizon are left out"),
            };
            differs |= compared.difference.is_some();
            match compared.difference {
                None => {
                    say!(
                        "{name}: {rows} rows at position {position}, the same when rebuilt{frozen}"
                    );
                }
                Some(difference) => say!("{name}: differs when rebuilt: {difference}"),
            }
        }
    }
    if differs { Err(No.into()) } else { Ok(()) }
}

/// The report, and the comparisons if they are asked for and the log is without a fault.
async fn as_json(env: &Env, database: &Database, report: &Report, read_models: bool) -> Result<()> {
    let mut differs = report.fault.is_some();
    let mut compared = Vec::new();
    if read_models && !differs {
        let stop = lifecycle::stop_on_signal()?;
        for projection in ALL {
            let of = compare(env, database, projection, &stop).await?;
            differs |= of.difference.is_some();
            compared.push(json!({
                "name": projection.name, "position": of.position, "rows": of.rows,
                "frozen": of.frozen, "difference": of.difference,
            }));
        }
    }
    let fault = report.fault.as_ref().map(|f| json!({"position": f.position, "what": f.what}));
    let dropped: Vec<Value> = report
        .dropped
        .iter()
        .map(|d| json!({"leaf": d.leaf, "events": d.events, "first": d.first, "last": d.last}))
        .collect();
    let shown = json!({
        "head": {"position": report.position, "hash": report.hash},
        "events": report.events, "batches": report.batches, "dropped": dropped, "fault": fault,
        "read_models": compared,
    });
    say!("{shown:#}");
    if differs { Err(No.into()) } else { Ok(()) }
}

async fn compare(
    env: &Env,
    database: &Database,
    projection: &'static Projection,
    stop: &CancellationToken,
) -> Result<Comparison> {
    projection::compare(database, projection, &env.config.file, stop, |_, _| {}).await
}

/// Whether all orders have the same bytes again, as far as they can be computed again.
async fn orders(env: &Env, database: &Database, stop: &CancellationToken) -> Result<bool> {
    let report = sales::verify(database, &env.config.file, stop, |orders| {
        if orders.is_multiple_of(100) {
            eprintln!("{orders} orders checked");
        }
    })
    .await?;
    for (order_id, why) in &report.not_recomputable {
        say!("order {order_id} cannot be computed again ({why}): its event is proved by its hash");
    }
    if let Some(fault) = report.fault {
        say!("order {} at position {}: {}", fault.order_id, fault.position, fault.what);
        return Ok(false);
    }
    say!("{} sales orders have the same bytes when computed again", report.same);
    Ok(true)
}
