//! Samples as CSV (RFC 4180), as of one position.

use std::borrow::Cow;
use std::io::Write;

use anyhow::{Context, Result, bail};
use tokio_util::sync::CancellationToken;

use super::sample::{COLUMNS, Sample};
use super::source::Source;
use super::{Selection, Totals};
use crate::db::Database;

/// Writes a header and every selected sample, in order of positions, as of the position that the read model
/// has now. Samples are read in stretches, so that neither memory nor a snapshot of the database has to
/// contain all of them; one that is superseded meanwhile is still written.
///
/// # Errors
///
/// When the database does not answer, `out` fails, or a replay replaces the read model meanwhile.
pub async fn write_csv(
    database: &Database,
    selection: Selection,
    batch: usize,
    out: &mut impl Write,
    stop: &CancellationToken,
) -> Result<Totals> {
    let client = database.connect(None).await.context("our database does not answer")?;
    let mut source = Source::new(client, selection, batch);
    let start = source
        .position()
        .await?
        .context("there is no read model of meters yet: run `stackledger project`, or `up`")?;
    write_line(out, COLUMNS.map(|name| Some(name.into())))?;
    let mut totals = Totals::default();
    while totals.position < start.checkpoint {
        let (to, samples) = source.next_as_of(totals.position, start.checkpoint).await?;
        for sample in &samples {
            write_line(out, to_fields(sample))?;
        }
        totals.position = to;
        totals.samples += samples.len() as u64;
        if stop.is_cancelled() {
            bail!("stopped before all samples were written");
        }
    }
    if source.position().await?.is_none_or(|now| now.origin != start.origin) {
        bail!(
            "a replay replaced the read model meanwhile: the file is of two read models; run it again"
        );
    }
    out.flush()?;
    Ok(totals)
}

/// Returns the fields in the order of [`COLUMNS`].
fn to_fields(sample: &Sample) -> [Option<Cow<'_, str>>; 9] {
    fn text(text: &Option<String>) -> Option<Cow<'_, str>> {
        text.as_deref().map(Cow::from)
    }
    [
        Some(sample.counter_name.as_str().into()),
        text(&sample.counter_type),
        text(&sample.counter_unit),
        Some(sample.counter_volume.as_str().into()),
        Some(sample.message_id.as_str().into()),
        text(&sample.project_id),
        Some(sample.resource_id.as_str().into()),
        text(&sample.source),
        Some(sample.timestamp.to_string().into()),
    ]
}

/// Writes a line of CSV. `None` is an empty field; an empty text is `""`.
pub(crate) fn write_line<'a>(
    out: &mut impl Write,
    fields: impl IntoIterator<Item = Option<Cow<'a, str>>>,
) -> std::io::Result<()> {
    for (column, field) in fields.into_iter().enumerate() {
        if column > 0 {
            out.write_all(b",")?;
        }
        let Some(field) = field else { continue };
        if field.is_empty() || field.contains(['"', ',', '\r', '\n']) {
            write!(out, "\"{}\"", field.replace('"', "\"\""))?;
        } else {
            out.write_all(field.as_bytes())?;
        }
    }
    out.write_all(b"\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_necessary() {
        let sample = Sample {
            counter_name: "a,b".into(),
            counter_type: None,
            counter_unit: Some(String::new()),
            counter_volume: "0.00001".into(),
            message_id: "say \"hi\"".into(),
            project_id: Some("two\nlines".into()),
            resource_id: "žluťoučký kůň".into(),
            source: Some("openstack".into()),
            timestamp: "2026-11-20T03:05:54.580807Z".parse().unwrap(),
        };
        let mut out = Vec::new();
        write_line(&mut out, to_fields(&sample)).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\"a,b\",,\"\",0.00001,\"say \"\"hi\"\"\",\"two\nlines\",žluťoučký kůň,openstack,\
             2026-11-20T03:05:54.580807Z\r\n"
        );
    }
}
