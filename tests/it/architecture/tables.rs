//! The tables of a read model are named in its folder alone: whoever needs their rows calls its functions,
//! which return them typed. Only the engine names the table of checkpoints.

use std::path::Path;

use regex_lite::Regex;

use super::source::{files_in, read_crate};

/// A folder, and the tables that only it may name.
const OWNERS: &[(&str, &str)] = &[
    ("src/projection/timing", r"timing\.[a-z_{]+"),
    ("src/projection/metering", r"metering\.[a-z_{]+"),
    ("src/projection/rollup", r"rollup\.[a-z_{]+"),
    ("src/projection/deployment", r"deployment\.[a-z_{]+"),
    ("src/projection/sales", r"sales\.[a-z_{]+"),
    ("src/projection/engine", r"projection\.checkpoint"),
];

#[test]
fn statements_on_a_read_model_s_tables_are_in_its_folder() {
    let mut wrong = Vec::new();
    let mut check = |file: &Path, text: &str| {
        for (folder, table) in tables_of_others(file, text) {
            wrong.push(format!("{} names {table}, which is for {folder} to read", file.display()));
        }
    };
    for source in read_crate("src") {
        source.literals.iter().for_each(|literal| check(&source.file, literal));
    }
    for file in files_in(Path::new("src"), "sql") {
        check(&file, &std::fs::read_to_string(&file).unwrap());
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The tables that a statement names and another folder owns.
fn tables_of_others(file: &Path, text: &str) -> Vec<(&'static str, String)> {
    let verb = Regex::new(r"\b(SELECT|INSERT|UPDATE|DELETE|COPY|FROM|JOIN|INTO|TABLE)\b").unwrap();
    if !verb.is_match(text) {
        return Vec::new();
    }
    let others = OWNERS.iter().filter(|(folder, _)| !file.starts_with(folder));
    others
        .flat_map(|(folder, tables)| {
            let named = Regex::new(&format!(r"\b{tables}")).unwrap();
            named
                .find_iter(text)
                .map(|found| (*folder, found.as_str().to_owned()))
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_statement_on_another_s_table_is_found() {
    let found = |file: &str, text| {
        let found = tables_of_others(Path::new(file), text);
        found.into_iter().map(|(_, table)| table).collect::<Vec<_>>()
    };
    let sql = "SELECT 1 FROM metering.sample JOIN projection.checkpoint USING (x)";
    assert_eq!(found("src/sales/late.rs", sql), ["metering.sample", "projection.checkpoint"]);
    assert_eq!(found("src/projection/metering/read/a.rs", sql), ["projection.checkpoint"]);
    assert_eq!(found("src/sales/late.rs", "FROM sales.{table}"), ["sales.{table"]);
    assert!(found("src/sales/late.rs", "the key metering.trust_sources").is_empty());
}
