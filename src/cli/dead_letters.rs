//! `stackledger dead-letters`

use std::io::Write;
use std::sync::Arc;

use anyhow::{Result, bail};

use super::environment::Environment;
use super::output::{AnswerIsNo, note, print_table, say};
use crate::health::Health;
use crate::ingest::redrive::{self, RedriveOutcome, redrive};
use crate::ingest::{Decoder, Sink};
use crate::lifecycle;
use crate::log::{self, DeadLetterStatus};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the open dead letters
    List {
        /// Include dead letters that were redriven or discarded
        #[arg(long)]
        all: bool,
    },
    /// Show a dead letter: its reason on stderr, its bytes on stdout
    Show {
        /// Id of the dead letter
        id: i64,
    },
    /// Decode dead letters again, and append the readable ones to the log
    Redrive {
        /// Ids of the dead letters
        #[arg(required_unless_present = "all")]
        ids: Vec<i64>,
        /// Redrive all open dead letters
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Mark a dead letter as worthless
    Discard {
        /// Id of the dead letter
        id: i64,
    },
}

pub(super) async fn run(env: &Environment, options: Options) -> Result<()> {
    let database = env.checked_database().await?;
    let client = database.connect(None).await?;
    match options.command {
        Command::List { all } => {
            let status = (!all).then_some(DeadLetterStatus::Open);
            let (mut after, mut rows) = (0, Vec::new());
            loop {
                let page = log::list_dead_letters(&client, status, after, 1000).await?;
                let Some(last) = page.last() else { break };
                after = last.id;
                rows.extend(page.iter().map(|stored| {
                    vec![
                        stored.id.to_string(),
                        stored.status.as_str().to_owned(),
                        stored.received_at.to_string(),
                        stored.size.to_string(),
                        stored.letter.reason.clone(),
                        stored.letter.origin.clone(),
                    ]
                }));
            }
            print_table(&["id", "status", "received_at", "bytes", "reason", "origin"], &rows);
        }
        Command::Show { id } => {
            let Some(stored) = log::show_dead_letter(&client, id).await? else {
                bail!("there is no dead letter {id}");
            };
            note!(
                "dead letter {id}, {}, received {} from {}: {}",
                stored.status.as_str(),
                stored.received_at,
                stored.letter.origin,
                stored.letter.reason
            );
            std::io::stdout().write_all(&stored.letter.body)?;
        }
        Command::Redrive { ids, all } => {
            let ids = if all { redrive::list_open(&client).await? } else { ids };
            let mut sink =
                Sink::new(database, Arc::new(Health::default()), lifecycle::stop_on_signal()?);
            let decoder = Decoder::new(&env.config);
            let mut undecodable = 0;
            for id in ids {
                match redrive(&client, &decoder, &mut sink, id).await? {
                    RedriveOutcome::Appended => say!("{id}: in the log"),
                    RedriveOutcome::Undecodable(reason) => {
                        undecodable += 1;
                        say!("{id}: {reason}");
                    }
                }
            }
            if undecodable > 0 {
                return Err(AnswerIsNo.into());
            }
        }
        Command::Discard { id } => {
            if !log::discard(&client, id).await? {
                bail!("there is no dead letter {id}");
            }
            say!("{id}: discarded");
        }
    }
    Ok(())
}
