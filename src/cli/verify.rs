//! `stackledger verify`

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use super::output::say;
use super::{Env, No};
use crate::db::Database;
use crate::log::{self, Anchor, Dropped};
use crate::projection::{self, ALL};
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
    /// A head noted earlier (`stackledger status` prints it): finds a chain that was written again
    #[arg(long, value_name = "POSITION:HASH", value_parser = clap::value_parser!(Anchor))]
    against: Vec<Anchor>,
}

pub(super) async fn run(env: &Env, options: Options) -> Result<()> {
    let database = env.checked_database().await?;
    let mut client = database.connect(None).await?;
    let report = log::verify(&mut client, &options.against, |events| {
        if events.is_multiple_of(500_000) {
            eprintln!("{events} events checked");
        }
    })
    .await?;
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
            let file = &env.config.file;
            let compared =
                projection::compare(&database, projection, file, &stop, |_, _| {}).await?;
            match compared.difference {
                None => {
                    let frozen = match compared.frozen {
                        0 => String::new(),
                        rows => format!("; {rows} before a horizon are left out"),
                    };
                    say!(
                        "{}: {} rows at position {}, the same when rebuilt{frozen}",
                        projection.name,
                        compared.rows,
                        compared.position
                    );
                }
                Some(difference) => {
                    differs = true;
                    say!("{}: differs when rebuilt: {difference}", projection.name);
                }
            }
        }
    }
    if differs { Err(No.into()) } else { Ok(()) }
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
