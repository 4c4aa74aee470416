//! What commands print: lines, and tables for people.

use std::io::Write;

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

/// Prints columns wide enough for what is in them; numbers are the caller's to align.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([headings[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..headings.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        say!("  {}", padded.join("  ").trim_end());
    };
    line(headings);
    for row in rows {
        line(&row.iter().map(String::as_str).collect::<Vec<_>>());
    }
}
