//! One request a tenant, several at once: whose they are, how the answers are shown, and that one
//! tenant's failure stops no other's.

use std::collections::BTreeMap;
use std::io::{BufWriter, Stdout, Write};

use anyhow::{Context, Result};
use clap::builder::NonEmptyStringValueParser;
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::{Client, Failure, Server};
use super::output::{printable, table, write_csv, written};
use super::{Env, No};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Whose; can be given several times
    #[arg(long, required_unless_present = "all_tenants", value_parser = NonEmptyStringValueParser::new())]
    tenant: Vec<String>,
    /// Of every tenant that has samples
    #[arg(long, conflicts_with = "tenant")]
    all_tenants: bool,
    #[command(flatten)]
    pub format: Format,
    #[command(flatten)]
    pub server: Server,
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Format {
    /// As JSON, with all that the server told
    #[arg(long, display_order = 100)]
    pub json: bool,
    /// As CSV
    #[arg(long, conflicts_with = "json", display_order = 100)]
    pub csv: bool,
}

/// One thing that a server tells about a tenant, and how it is shown.
pub(super) trait Shown {
    /// What the list of them is called in JSON.
    const LIST: &'static str;
    /// What stands above its rows in a table for people, separated by commas.
    const HEADINGS: &'static str;
    /// What stands above its lines in CSV.
    const COLUMNS: &'static str;

    /// Its rows, as [`Shown::HEADINGS`] say.
    fn rows(&self) -> Vec<Vec<String>>;

    /// Its lines of CSV, as [`Shown::COLUMNS`] say; what is not known is `None`.
    fn records(&self) -> Vec<Vec<Option<String>>>;

    /// Prints what else there is to tell, where this is all that was asked for.
    fn print_details(&self) {}
}

/// What a server answers about a tenant.
pub(super) struct Answer<T> {
    /// In its very words.
    pub json: Box<RawValue>,
    pub items: Vec<T>,
}

/// How many tenants are asked about at once.
const AT_ONCE: usize = 4;

/// Asks about each tenant, in the order in which they were named.
///
/// # Errors
///
/// [`No`] when one of them failed: its error was printed then.
pub(super) async fn for_each<T: Shown>(
    env: &Env,
    options: Options,
    ask: impl AsyncFn(&Client, &str) -> Result<Answer<T>, Failure>,
) -> Result<()> {
    let client = Client::new(env, &options.server)?;
    let tenants = match options.all_tenants {
        true => all(&client).await.context("listing the tenants")?,
        false => options.tenant,
    };
    let bar = bar(tenants.len());
    bar.tick();
    let mut errors = BTreeMap::new();
    let mut out = Out::new(options.format)?;
    let mut answers = stream::iter(&tenants)
        .map(async |tenant| (tenant, ask(&client, tenant).await))
        .buffered(AT_ONCE);
    while let Some((tenant, answer)) = answers.next().await {
        bar.inc(1);
        bar.suspend(|| match answer {
            Ok(answer) => out.add(answer),
            Err(failure) => {
                let text = failure.to_string();
                eprintln!("stackledger: {}: {}", printable(tenant), printable(&text));
                errors.insert(tenant.as_str(), text);
                Ok(())
            }
        })?;
    }
    bar.finish_and_clear();
    out.finish(&errors)?;
    if errors.is_empty() { Ok(()) } else { Err(No.into()) }
}

/// Every tenant there is.
async fn all(client: &Client) -> Result<Vec<String>, Failure> {
    #[derive(Deserialize)]
    struct Tenant {
        tenant_id: String,
    }
    let all: Vec<Tenant> = client.all("/v1/tenants", &[]).await?;
    Ok(all.into_iter().map(|tenant| tenant.tenant_id).collect())
}

/// For several tenants; shows itself on a terminal only.
fn bar(tenants: usize) -> ProgressBar {
    if tenants < 2 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{wide_bar} tenant {pos} of {len}, {eta} left");
    ProgressBar::new(tenants as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Where answers go. JSON and CSV are written answer by answer, so that one is in memory at a time;
/// a table has to wait for all its rows.
enum Out<T> {
    Table { rows: Vec<Vec<String>>, only: Option<T>, items: usize },
    Json { out: BufWriter<Stdout>, answers: usize },
    Csv { out: BufWriter<Stdout> },
}

impl<T: Shown> Out<T> {
    fn new(format: Format) -> Result<Self> {
        let mut out = BufWriter::new(std::io::stdout());
        if format.json {
            written(write!(out, "{{\"{}\":[", T::LIST))?;
            return Ok(Out::Json { out, answers: 0 });
        }
        if format.csv {
            written(write!(out, "{}\r\n", T::COLUMNS).and_then(|()| out.flush()))?;
            return Ok(Out::Csv { out });
        }
        Ok(Out::Table { rows: Vec::new(), only: None, items: 0 })
    }

    fn add(&mut self, answer: Answer<T>) -> Result<()> {
        match self {
            Out::Table { rows, only, items } => {
                rows.extend(answer.items.iter().flat_map(T::rows));
                *items += answer.items.len();
                let first = only.take().into_iter().chain(answer.items).next();
                *only = first.filter(|_| *items == 1);
                Ok(())
            }
            Out::Json { out, answers } => {
                let comma = if *answers > 0 { "," } else { "" };
                *answers += 1;
                written(write!(out, "{comma}\n{}", answer.json).and_then(|()| out.flush()))
            }
            Out::Csv { out } => write_csv(out, answer.items.iter().flat_map(T::records)),
        }
    }

    fn finish(self, errors: &BTreeMap<&str, String>) -> Result<()> {
        match self {
            Out::Table { rows, only, .. } => {
                if !rows.is_empty() || errors.is_empty() {
                    table(&T::HEADINGS.split(',').collect::<Vec<_>>(), &rows);
                }
                if let Some(only) = only {
                    only.print_details();
                }
                Ok(())
            }
            Out::Json { mut out, .. } => {
                let errors = serde_json::to_string(errors)?;
                written(writeln!(out, "\n],\"errors\":{errors}}}").and_then(|()| out.flush()))
            }
            Out::Csv { .. } => Ok(()),
        }
    }
}
