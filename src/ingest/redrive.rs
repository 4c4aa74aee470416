//! Dead letters, tried again after a fix.

use anyhow::{Result, bail};
use tokio_postgres::Client;

use super::{Batch, Decoder, Sink};
use crate::log::{self, DeadLetterStatus};

/// What became of one dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redriven {
    /// It can be read now, and is in the log.
    Appended,
    /// It still cannot be read, or is not accepted, for this reason.
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
) -> Result<Redriven> {
    let Some(stored) = log::show_dead_letter(client, id).await? else {
        bail!("there is no dead letter {id}");
    };
    let event = match decoder.decode(stored.letter.body, stored.letter.compression.as_deref()) {
        Ok(event) => event,
        Err(reason) => return Ok(Redriven::Undecodable(reason)),
    };
    // First the event, then the mark: ended in between, the next redrive finds a duplicate.
    let appended = sink.append(Batch { events: vec![event], ..Batch::default() }).await?;
    if let Some(refusal) = appended.refused.iter().flatten().next() {
        return Ok(Redriven::Undecodable(refusal.to_string()));
    }
    log::mark_redriven(client, id).await?;
    Ok(Redriven::Appended)
}

/// Numbers of all open dead letters, in the order they came.
///
/// # Errors
///
/// When the database is away.
pub async fn open(client: &Client) -> Result<Vec<i64>> {
    let (mut ids, mut after) = (Vec::new(), 0);
    loop {
        let page =
            log::list_dead_letters(client, Some(DeadLetterStatus::Open), after, 1000).await?;
        let Some(last) = page.last() else { return Ok(ids) };
        after = last.id;
        ids.extend(page.iter().map(|letter| letter.id));
    }
}
