//! Import: the same pipeline from files or stdin, one JSON body a line, plain or in its envelope.
//! The same bodies give the same ids, so that running it twice changes nothing.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};

use super::{BODY_BYTES_MAX, Batch, Decoder, Sink};
use crate::log::AppendOutcome;

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Lines that held something.
    pub lines: u64,
    /// Events that were new.
    pub events: u64,
    /// Events that were in the log already.
    pub duplicates: u64,
    /// Lines that could not be decoded or are not accepted, kept as dead letters.
    pub undecodable: u64,
}

/// Imports a file, or stdin for `-`.
///
/// # Errors
///
/// When the file cannot be read, or the process is asked to stop; what was imported stays.
pub async fn import(
    path: &Path,
    decoder: &Decoder,
    sink: &mut Sink,
    batch_size: usize,
) -> Result<Imported> {
    if path == Path::new("-") {
        return lines(BufReader::new(tokio::io::stdin()), "stdin", decoder, sink, batch_size).await;
    }
    let file =
        tokio::fs::File::open(path).await.with_context(|| format!("reading {}", path.display()))?;
    lines(
        BufReader::with_capacity(1 << 20, file),
        &path.display().to_string(),
        decoder,
        sink,
        batch_size,
    )
    .await
}

async fn lines(
    mut input: impl AsyncBufRead + Unpin,
    name: &str,
    decoder: &Decoder,
    sink: &mut Sink,
    batch_size: usize,
) -> Result<Imported> {
    let mut imported = Imported::default();
    let mut batch = Batch::default();
    for number in 1_u64.. {
        let mut line = Vec::new();
        let read = (&mut input)
            .take(BODY_BYTES_MAX as u64 + 1)
            .read_until(b'\n', &mut line)
            .await
            .with_context(|| format!("reading {name}"))?;
        if line.len() > BODY_BYTES_MAX {
            bail!("{name}, line {number}: longer than {BODY_BYTES_MAX} bytes");
        }
        line.truncate(line.trim_ascii_end().len());
        if !line.is_empty() {
            imported.lines += 1;
            batch.push(decoder, line, None, || format!("{name}, line {number}"));
        }
        if sink.is_stopped() {
            bail!(
                "stopped at {name}, line {number}: what was imported stays, importing again goes on"
            );
        }
        if batch.is_full(batch_size) || read == 0 {
            let batch = std::mem::take(&mut batch);
            imported.undecodable += batch.dead_letters.len() as u64;
            let AppendOutcome { events, duplicates, refused, .. } = sink.append(batch).await?;
            imported.undecodable += refused.iter().flatten().count() as u64;
            imported.events += events as u64;
            imported.duplicates += duplicates as u64;
        }
        if read == 0 {
            break;
        }
    }
    Ok(imported)
}
