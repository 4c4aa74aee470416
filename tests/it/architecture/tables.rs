//! The tables of a read model are named in its folder alone: code that needs their rows calls its functions,
//! which return them typed. Only the engine names the table of checkpoints.

use std::path::Path;

use regex_lite::Regex;

use super::source::{files_in, read_crate, read_models};

/// A folder, and the expression for the tables that only it may name.
fn owners() -> Vec<(String, Regex)> {
    let of_read_model = |name: String| (name.clone(), format!(r"\b{name}\.[a-z_{{]+"));
    let read_models = read_models().into_iter().map(of_read_model);
    let checkpoints = [("engine".to_owned(), r"\bprojection\.checkpoint".to_owned())];
    let owners = read_models.chain(checkpoints);
    owners
        .map(|(name, tables)| (format!("src/projection/{name}"), Regex::new(&tables).unwrap()))
        .collect()
}

#[test]
fn statements_on_a_read_model_s_tables_are_in_its_folder() {
    let (owners, mut wrong) = (owners(), Vec::new());
    let mut check = |file: &Path, text: &str| {
        for (folder, table) in tables_of_others(&owners, file, text) {
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
fn tables_of_others(owners: &[(String, Regex)], file: &Path, text: &str) -> Vec<(String, String)> {
    let verb = Regex::new(r"\b(SELECT|INSERT|UPDATE|DELETE|COPY|FROM|JOIN|INTO|TABLE)\b").unwrap();
    if !verb.is_match(text) {
        return Vec::new();
    }
    let others = owners.iter().filter(|(folder, _)| !file.starts_with(folder));
    others
        .flat_map(|(folder, tables)| {
            let named = tables.find_iter(text).map(|found| found.as_str().to_owned());
            named.map(|table| (folder.clone(), table)).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_statement_on_another_s_table_is_found() {
    let owners = owners();
    let found = |file: &str, text| {
        let found = tables_of_others(&owners, Path::new(file), text);
        let mut tables: Vec<String> = found.into_iter().map(|(_, table)| table).collect();
        tables.sort();
        tables
    };
    let sql = "SELECT 1 FROM metering.sample JOIN projection.checkpoint USING (x)";
    assert_eq!(found("src/sales/late.rs", sql), ["metering.sample", "projection.checkpoint"]);
    assert_eq!(found("src/projection/metering/read/a.rs", sql), ["projection.checkpoint"]);
    assert_eq!(found("src/sales/late.rs", "FROM sales.{table}"), ["sales.{table"]);
    assert!(found("src/sales/late.rs", "the key metering.trust_sources").is_empty());
}
