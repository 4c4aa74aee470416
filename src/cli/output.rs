//! What commands print: lines, and tables for people.

use std::borrow::Cow;
use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};
use serde_json::Value;

use super::No;
use crate::export::write_csv_line;

/// Prints a line on stdout; the end of the process where nobody reads it any more
/// (`stackledger status | head`), which is no failure.
pub(super) fn line(line: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").is_err() {
        std::process::exit(0);
    }
}

/// As `println!`, through [`line`].
macro_rules! say {
    ($($argument:tt)*) => { $crate::cli::output::line(format_args!($($argument)*)) };
}
pub(super) use say;

/// Prints columns wide enough for what is in them; those that hold nothing but numbers end flush.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) {
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let column = |index: usize| {
        let widths = cells(index).map(|cell| cell.chars().count());
        let width = widths.chain([headings[index].chars().count()]).max().unwrap_or(0);
        let is_numeric = cells(index).all(|cell| cell == "-" || is_number(cell))
            && cells(index).any(|cell| is_number(cell));
        (width, is_numeric)
    };
    let columns: Vec<(usize, bool)> = (0..headings.len()).map(column).collect();
    let line = |cells: &[&str]| {
        let padded = cells.iter().zip(&columns).map(|(cell, (width, is_numeric))| {
            let cell = printable(cell);
            if *is_numeric { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
        });
        say!("  {}", padded.collect::<Vec<_>>().join("  ").trim_end());
    };
    line(headings);
    for row in rows {
        line(&row.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// Writes lines of CSV; what is not known is `None`.
pub(super) fn write_csv(
    out: &mut impl Write,
    lines: impl IntoIterator<Item = Vec<Option<String>>>,
) -> Result<()> {
    for line in lines {
        written(write_csv_line(out, line.into_iter().map(|field| field.map(Cow::from))))?;
    }
    written(out.flush())
}

/// The result of writing to stdout. Where nobody reads it any more, the rest is not done, without a
/// word but with exit code 1.
pub(super) fn written(result: std::io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(No.into()),
        result => result.context("writing to stdout"),
    }
}

/// What JSON tells under a name: of a list how long it is; `name` is also that of a resource, which
/// stands in its metadata.
pub(super) fn field(told: &Value, name: &str) -> Option<String> {
    let told = match &told[name] {
        Value::Null if name == "name" => &told["metadata"][name],
        told => told,
    };
    match told {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => Some(list.len().to_string()),
        other => Some(other.to_string()),
    }
}

/// Decimals of a number in a table; `--csv` and `--json` have all there are.
const DECIMALS_SHOWN: usize = 6;

/// A field as a cell of a table.
pub(super) fn cell(field: Option<String>) -> String {
    let Some(text) = field else { return "-".to_owned() };
    match text.find('.') {
        Some(point) if is_number(&text) && text.len() - point > DECIMALS_SHOWN + 1 => {
            format!("{}…", &text[..=point + DECIMALS_SHOWN])
        }
        _ => text,
    }
}

/// Fields as a row of a table.
pub(super) fn cells(fields: Vec<Option<String>>) -> Vec<String> {
    fields.into_iter().map(cell).collect()
}

/// Whether it is a decimal number, or the beginning of one.
fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell).trim_end_matches('…');
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// The text without what would make a terminal do something: names are whatever users of the cloud
/// chose.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    match text.contains(char::is_control) {
        true => text.replace(char::is_control, "\u{fffd}").into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_texts() {
        assert!(["0", "-12.50", "0.333333…"].map(is_number) == [true; 3]);
        assert!(["", "-", "1e5", "1-2", "m1.small", "+1"].map(is_number) == [false; 6]);
    }

    #[test]
    fn a_cell_has_the_first_decimals_of_a_number() {
        let cell = |text: &str| cell(Some(text.to_owned()));
        assert_eq!(cell("12.123456"), "12.123456");
        assert_eq!(cell("-0.1234567"), "-0.123456…");
        assert_eq!(cell("v1.12345678"), "v1.12345678");
        assert_eq!(super::cell(None), "-");
    }

    #[test]
    fn a_name_does_not_reach_into_the_terminal() {
        assert_eq!(printable("žluťoučký kůň"), "žluťoučký kůň");
        assert_eq!(
            printable("\u{1b}[2Jweb\r\n\u{9b}1m"),
            "\u{fffd}[2Jweb\u{fffd}\u{fffd}\u{fffd}1m"
        );
    }
}
