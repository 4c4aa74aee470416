//! `stackledger verify`

use anyhow::Result;

use super::output::say;
use super::{Env, No};
use crate::lifecycle;
use crate::log::{self, Anchor};
use crate::projection::{self, ALL};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Also rebuild each read model aside and compare it, row by row, with the live one
    #[arg(long)]
    read_models: bool,
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
    let mut differs = false;
    if options.read_models {
        let stop = lifecycle::stop_on_signal()?;
        for projection in ALL {
            let compared = projection::compare(&database, projection, &stop, |_, _| {}).await?;
            match compared.difference {
                None => say!(
                    "{}: {} rows at position {}, the same when rebuilt",
                    projection.name,
                    compared.rows,
                    compared.position
                ),
                Some(difference) => {
                    differs = true;
                    say!("{}: differs when rebuilt: {difference}", projection.name);
                }
            }
        }
    }
    if differs { Err(No.into()) } else { Ok(()) }
}
