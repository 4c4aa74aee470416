//! The output of answers about several tenants: a table, JSON or CSV.

use std::collections::BTreeMap;
use std::io::{BufWriter, Stdout, Write};

use anyhow::Result;
use serde_json::value::RawValue;

use crate::cli::output::{check_write, print_table, write_csv};

/// The options that select the format of the output; without them it is a table.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct FormatOptions {
    /// Print JSON, with everything that the server answered
    #[arg(long, display_order = 100)]
    pub json: bool,
    /// Print CSV
    #[arg(long, conflicts_with = "json", display_order = 100)]
    pub csv: bool,
}

/// An item of a server's answer about a tenant, and its representation in each format.
pub(super) trait ReportItem {
    /// Name of the list of answers in JSON.
    const LIST: &'static str;
    /// Headings of the table for people, separated by commas.
    const HEADINGS: &'static str;
    /// Header of the CSV, separated by commas.
    const COLUMNS: &'static str;

    /// Returns the item's rows of the table, with a cell for each of [`ReportItem::HEADINGS`].
    fn rows(&self) -> Vec<Vec<String>>;

    /// Returns the item's lines of CSV, with a field for each of [`ReportItem::COLUMNS`]; an unknown
    /// value is `None`.
    fn records(&self) -> Vec<Vec<Option<String>>>;

    /// Prints the item's details below the table; called if it is the only item.
    fn print_details(&self) {}
}

/// A server's answer about a tenant.
pub(super) struct TenantAnswer<T> {
    /// The answer's JSON, byte for byte.
    pub json: Box<RawValue>,
    pub items: Vec<T>,
}

/// Writes answers to stdout. JSON and CSV are written answer by answer, so that only one is in memory
/// at a time; a table is printed at the end, because its columns are as wide as their widest cell.
pub(super) enum ReportWriter<T> {
    Table {
        rows: Vec<Vec<String>>,
        /// The item, as long as there is exactly one.
        only_item: Option<T>,
        items: usize,
    },
    Json {
        out: BufWriter<Stdout>,
        answers: usize,
    },
    Csv {
        out: BufWriter<Stdout>,
    },
}

impl<T: ReportItem> ReportWriter<T> {
    /// Begins the output.
    pub fn new(format: FormatOptions) -> Result<Self> {
        let mut out = BufWriter::new(std::io::stdout());
        if format.json {
            check_write(write!(out, "{{\"{}\":[", T::LIST))?;
            return Ok(ReportWriter::Json { out, answers: 0 });
        }
        if format.csv {
            check_write(write!(out, "{}\r\n", T::COLUMNS).and_then(|()| out.flush()))?;
            return Ok(ReportWriter::Csv { out });
        }
        Ok(ReportWriter::Table { rows: Vec::new(), only_item: None, items: 0 })
    }

    /// Adds an answer.
    pub fn add(&mut self, answer: TenantAnswer<T>) -> Result<()> {
        match self {
            ReportWriter::Table { rows, only_item, items } => {
                rows.extend(answer.items.iter().flat_map(T::rows));
                *items += answer.items.len();
                let first = only_item.take().into_iter().chain(answer.items).next();
                *only_item = first.filter(|_| *items == 1);
                Ok(())
            }
            ReportWriter::Json { out, answers } => {
                let comma = if *answers > 0 { "," } else { "" };
                *answers += 1;
                check_write(write!(out, "{comma}\n{}", answer.json).and_then(|()| out.flush()))
            }
            ReportWriter::Csv { out } => write_csv(out, answer.items.iter().flat_map(T::records)),
        }
    }

    /// Ends the output. JSON contains the errors as well, by tenant.
    pub fn finish(self, errors: &BTreeMap<&str, String>) -> Result<()> {
        match self {
            ReportWriter::Table { rows, only_item, .. } => {
                if !rows.is_empty() || errors.is_empty() {
                    print_table(&T::HEADINGS.split(',').collect::<Vec<_>>(), &rows);
                }
                if let Some(item) = only_item {
                    item.print_details();
                }
                Ok(())
            }
            ReportWriter::Json { mut out, .. } => {
                let errors = serde_json::to_string(errors)?;
                check_write(writeln!(out, "\n],\"errors\":{errors}}}").and_then(|()| out.flush()))
            }
            ReportWriter::Csv { .. } => Ok(()),
        }
    }
}
