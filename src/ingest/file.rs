//! Import: the same pipeline for files or stdin, one JSON body per line, plain or in its envelope. The same
//! bodies have the same ids, so importing a file twice changes nothing.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};

use super::batch::{BODY_BYTES_MAX, Batch};
use super::decoder::Decoder;
use super::sink::Sink;
use crate::log::AppendOutcome;

/// The counts of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// Lines that were not blank.
    pub lines: u64,
    /// Events that were new.
    pub events: u64,
    /// Events that were in the log already.
    pub duplicates: u64,
    /// Lines that could not be decoded or are not accepted; they are kept as dead letters.
    pub undecodable: u64,
}

/// Imports a file, or stdin for `-`.
///
/// # Errors
///
/// When the file cannot be read, or the process is asked to stop. Everything imported until then stays.
pub async fn import(
    path: &Path,
    decoder: &Decoder,
    sink: &mut Sink,
    batch_size: usize,
) -> Result<ImportSummary> {
    if path == Path::new("-") {
        return import_lines(
            BufReader::new(tokio::io::stdin()),
            "stdin",
            decoder,
            sink,
            batch_size,
        )
        .await;
    }
    let file =
        tokio::fs::File::open(path).await.with_context(|| format!("reading {}", path.display()))?;
    import_lines(
        BufReader::with_capacity(1 << 20, file),
        &path.display().to_string(),
        decoder,
        sink,
        batch_size,
    )
    .await
}

async fn import_lines(
    mut input: impl AsyncBufRead + Unpin,
    name: &str,
    decoder: &Decoder,
    sink: &mut Sink,
    batch_size: usize,
) -> Result<ImportSummary> {
    let mut imported = ImportSummary::default();
    let mut batch = Batch::default();
    for number in 1_u64.. {
        let mut line = Vec::new();
        let read = (&mut input)
            .take(BODY_BYTES_MAX as u64 + 1)
            .read_until(b'\n', &mut line)
            .await
            .with_context(|| format!("reading {name}"))?;
        if line.len() > BODY_BYTES_MAX {
            bail!("{name}, line {number} is longer than {BODY_BYTES_MAX} bytes");
        }
        line.truncate(line.trim_ascii_end().len());
        if !line.is_empty() {
            imported.lines += 1;
            batch.push(decoder, line, None, || format!("{name}, line {number}"));
        }
        if sink.is_stopped() {
            bail!(
                "stopped at {name}, line {number}: import it again to continue; nothing is imported twice"
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
