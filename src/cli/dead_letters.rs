//! `stackledger dead-letters`

use std::io::Write;
use std::sync::Arc;

use anyhow::{Result, bail};
use serde_json::json;
use tokio_postgres::Client;

use super::environment::Environment;
use super::output::{AnswerIsNo, note, print_table, say};
use crate::health::Health;
use crate::ingest::redrive::{RedriveOutcome, redrive};
use crate::ingest::{Decoder, Sink};
use crate::lifecycle;
use crate::log::{self, DeadLetter, DeadLetterStatus, StoredDeadLetter};

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
        #[command(flatten)]
        filter: Filter,
        /// Print JSON, one object per line
        #[arg(long)]
        json: bool,
    },
    /// Show a dead letter: its reason on stderr, its bytes on stdout
    Show {
        /// Id of the dead letter
        id: i64,
    },
    /// Decode dead letters again, and append the readable ones to the log
    Redrive {
        /// Ids of the dead letters
        #[arg(required_unless_present_any = ["all", "reason", "origin"], conflicts_with_all = ["reason", "origin"])]
        ids: Vec<i64>,
        /// Redrive all open dead letters
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        #[command(flatten)]
        filter: Filter,
    },
    /// Mark dead letters as worthless
    Discard {
        /// Ids of the dead letters
        #[arg(required_unless_present_any = ["reason", "origin"], conflicts_with_all = ["reason", "origin"])]
        ids: Vec<i64>,
        #[command(flatten)]
        filter: Filter,
    },
}

/// Which dead letters are meant. Without a text, all are.
#[derive(Debug, clap::Args)]
struct Filter {
    /// Only dead letters whose reason contains this text
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only dead letters whose origin (queue, exchange, file …) contains this text
    #[arg(long, value_name = "TEXT")]
    origin: Option<String>,
}

impl Filter {
    fn matches(&self, letter: &DeadLetter) -> bool {
        let has = |text: &str, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| text.contains(wanted.as_str()))
        };
        has(&letter.reason, &self.reason) && has(&letter.origin, &self.origin)
    }

    /// Lists the dead letters of this status that match, in the order they arrived.
    async fn list(
        &self,
        client: &Client,
        status: Option<DeadLetterStatus>,
    ) -> Result<Vec<StoredDeadLetter>> {
        let (mut after, mut found) = (0, Vec::new());
        loop {
            let page = log::list_dead_letters(client, status, after, 1000).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.id;
            found.extend(page.into_iter().filter(|stored| self.matches(&stored.letter)));
        }
    }

    /// Returns the given ids, or else those of the open dead letters that match.
    async fn choose(&self, client: &Client, given: Vec<i64>) -> Result<Vec<i64>> {
        if !given.is_empty() {
            return Ok(given);
        }
        let open = self.list(client, Some(DeadLetterStatus::Open)).await?;
        Ok(open.iter().map(|stored| stored.id).collect())
    }
}

pub(super) async fn run(env: &Environment, options: Options) -> Result<()> {
    let database = env.checked_database().await?;
    let client = database.connect(None).await?;
    match options.command {
        Command::List { all, filter, json } => {
            let status = (!all).then_some(DeadLetterStatus::Open);
            print_list(&filter.list(&client, status).await?, json);
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
        Command::Redrive { ids, all: _, filter } => {
            let ids = filter.choose(&client, ids).await?;
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
        Command::Discard { ids, filter } => {
            for id in filter.choose(&client, ids).await? {
                if !log::discard(&client, id).await? {
                    bail!("there is no dead letter {id}");
                }
                say!("{id}: discarded");
            }
        }
    }
    Ok(())
}

fn print_list(letters: &[StoredDeadLetter], as_json: bool) {
    if as_json {
        for StoredDeadLetter { id, status, received_at, size, letter } in letters {
            let object = json!({
                "id": id, "status": status.as_str(), "received_at": received_at, "size": size,
                "reason": letter.reason, "origin": letter.origin,
            });
            say!("{object}");
        }
        return;
    }
    let rows: Vec<Vec<String>> = letters
        .iter()
        .map(|stored| {
            vec![
                stored.id.to_string(),
                stored.status.as_str().to_owned(),
                stored.received_at.to_string(),
                stored.size.to_string(),
                stored.letter.reason.clone(),
                stored.letter.origin.clone(),
            ]
        })
        .collect();
    print_table(&["id", "status", "received_at", "bytes", "reason", "origin"], &rows);
}
