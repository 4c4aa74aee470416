//! The output of commands: lines, CSV, and tables for people.

use std::borrow::Cow;
use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use crate::export::write_csv_line;

/// The answer is no, and was printed: the command ends with exit code 1 and no further line.
#[derive(Debug, thiserror::Error)]
#[error("")]
pub(super) struct AnswerIsNo;

/// Prints a line on stdout. Ends the process if nobody reads it any more (`stackledger status | head`),
/// which is not a failure.
pub(super) fn print_line(line: std::fmt::Arguments<'_>) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").is_err() {
        std::process::exit(0);
    }
}

/// Prints a line as `println!` does, but through [`print_line`].
macro_rules! say {
    ($($argument:tt)*) => { $crate::cli::output::print_line(format_args!($($argument)*)) };
}
pub(super) use say;

/// Prints a line on stderr as `eprintln!` does, but goes on if it cannot be written.
macro_rules! note {
    ($($argument:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($argument)*);
    }};
}
pub(in crate::cli) use note;

/// Prints a table whose columns are as wide as their widest cell. Columns that contain only numbers
/// are aligned to the right.
pub(super) fn print_table(headings: &[&str], rows: &[Vec<String>]) {
    for line in table_lines(headings, rows) {
        say!("{line}");
    }
}

/// The lines of a table, the headings first.
fn table_lines(headings: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let cells = |column: usize| rows.iter().filter_map(move |row| row.get(column));
    let column = |index: usize| {
        let widths = cells(index).map(|cell| printable(cell).width());
        let width = widths.chain([headings[index].width()]).max().unwrap_or(0);
        let is_numeric = cells(index).all(|cell| cell == "-" || is_number(cell))
            && cells(index).any(|cell| is_number(cell));
        (width, is_numeric)
    };
    let columns: Vec<(usize, bool)> = (0..headings.len()).map(column).collect();
    let line = |cells: &[&str]| {
        let padded = cells.iter().zip(&columns).map(|(cell, (width, is_numeric))| {
            let cell = printable(cell);
            // The width in columns of a terminal, on which a Chinese character takes two; `{:<width$}`
            // would count characters.
            let padding = " ".repeat(width - cell.width());
            if *is_numeric { format!("{padding}{cell}") } else { format!("{cell}{padding}") }
        });
        format!("  {}", padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    let rows = rows.iter().map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    std::iter::once(line(headings)).chain(rows).collect()
}

/// Writes lines of CSV; an unknown value is `None`.
pub(super) fn write_csv(
    out: &mut impl Write,
    lines: impl IntoIterator<Item = Vec<Option<String>>>,
) -> Result<()> {
    for line in lines {
        check_write(write_csv_line(out, line.into_iter().map(|field| field.map(Cow::from))))?;
    }
    check_write(out.flush())
}

/// Converts the result of writing to stdout. If nobody reads it any more, the command stops without a
/// message but with exit code 1: the rest of its work is not done.
pub(super) fn check_write(result: std::io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(AnswerIsNo.into()),
        result => result.context("writing to stdout"),
    }
}

/// Returns a member of a JSON object as text: of a list its length. A resource's `name` is among its
/// metadata if the object itself has none.
pub(super) fn field(object: &Value, name: &str) -> Option<String> {
    let value = match &object[name] {
        Value::Null if name == "name" => &object["metadata"][name],
        value => value,
    };
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(list) => Some(list.len().to_string()),
        other => Some(other.to_string()),
    }
}

/// Decimals of a number in a table. `--csv` and `--json` contain all of them.
const DECIMALS_MAX: usize = 6;

/// Converts a field to a cell of a table.
pub(super) fn cell(field: Option<String>) -> String {
    let Some(text) = field else { return "-".to_owned() };
    match text.find('.') {
        Some(point) if is_number(&text) && text.len() - point > DECIMALS_MAX + 1 => {
            format!("{}…", &text[..=point + DECIMALS_MAX])
        }
        _ => text,
    }
}

/// Converts fields to a row of a table.
pub(super) fn cells(fields: Vec<Option<String>>) -> Vec<String> {
    fields.into_iter().map(cell).collect()
}

/// Whether the text is a decimal number, or the beginning of one.
fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell).trim_end_matches('…');
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// Replaces control characters, which could make a terminal do something: users of the cloud choose
/// names freely.
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
    fn numbers_are_distinguished_from_texts() {
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
    fn columns_are_aligned_by_the_width_of_characters() {
        let rows =
            [["数据库", "1"], ["web", "12"], ["café", "-"], ["e\u{301}", "3"], ["a\r\nb", "4"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(
            table_lines(&["name", "n"], &rows),
            [
                "  name     n",
                "  数据库   1",
                "  web     12",
                "  café     -",
                "  e\u{301}        3",
                "  a\u{fffd}\u{fffd}b     4",
            ]
        );
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
