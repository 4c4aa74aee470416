//! `stackledger import`

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;

use super::environment::Environment;
use super::output::{AnswerIsNo, note, say};
use crate::health::Health;
use crate::ingest::{Decoder, Sink, file};
use crate::lifecycle;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Files with one JSON body per line, with or without its envelope; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(super) async fn run(env: &Environment, options: Options) -> Result<()> {
    let database = env.checked_database().await?;
    let stop = lifecycle::stop_on_signal()?;
    let mut sink = Sink::new(database, Arc::new(Health::default()), stop);
    let decoder = Decoder::new(&env.config);
    let mut undecodable = 0;
    for path in &options.files {
        let imported = file::import(path, &decoder, &mut sink, env.config.batch_size).await?;
        say!(
            "{}: {} lines, {} new events, {} known already, {} kept as dead letters",
            path.display(),
            imported.lines,
            imported.events,
            imported.duplicates,
            imported.undecodable
        );
        undecodable += imported.undecodable;
    }
    if undecodable > 0 {
        note!(
            "stackledger: {undecodable} lines could not be read: see `stackledger dead-letters list`"
        );
        return Err(AnswerIsNo.into());
    }
    Ok(())
}
