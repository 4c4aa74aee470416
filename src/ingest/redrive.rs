//! Redriving: dead letters are tried again after a fix.

use anyhow::{Result, bail};
use tokio_postgres::Client;

use super::batch::Batch;
use super::decoder::Decoder;
use super::sink::Sink;
use crate::log;

/// The outcome of redriving one dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedriveOutcome {
    /// It could be decoded, and its event is in the log.
    Appended,
    /// It still cannot be decoded, or is not accepted, for this reason.
    Undecodable(String),
}

/// Tries one dead letter again.
///
/// # Errors
///
/// When there is no such dead letter, or the database is away.
pub async fn redrive(
    client: &Client,
    decoder: &Decoder,
    sink: &mut Sink,
    id: i64,
) -> Result<RedriveOutcome> {
    let Some(stored) = log::show_dead_letter(client, id).await? else {
        bail!("there is no dead letter {id}");
    };
    let event = match decoder.decode(stored.letter.body, stored.letter.compression.as_deref()) {
        Ok(event) => event,
        Err(reason) => return Ok(RedriveOutcome::Undecodable(reason)),
    };
    // First the event, then the mark: if the process ends in between, the next redrive finds a duplicate.
    let appended = sink.append(Batch { events: vec![event], ..Batch::default() }).await?;
    if let Some(refusal) = appended.refused.iter().flatten().next() {
        return Ok(RedriveOutcome::Undecodable(refusal.to_string()));
    }
    log::mark_redriven(client, id).await?;
    Ok(RedriveOutcome::Appended)
}
