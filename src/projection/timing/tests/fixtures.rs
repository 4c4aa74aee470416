//! The rows that messages from the wire give.

use std::fmt::Write;
use std::path::Path;

use jiff::Timestamp;

use super::tables::Tables;
use crate::config::File;
use crate::event::{self, Recorded};
use crate::projection::timing::PROJECTION;
use crate::projection::timing::rows::BuildStatus;

/// Reads the bodies of a folder of `fixtures`, with their names, in the order of names.
fn bodies(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut bodies: Vec<_> = entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect();
    bodies.sort();
    bodies
}

/// Folds bodies in. Returns the tables, and how many events were skipped.
fn tables(bodies: impl IntoIterator<Item = Vec<u8>>) -> (Tables, u64) {
    let events = bodies.into_iter().enumerate().map(|(index, body)| Recorded {
        position: index as i64 + 1,
        recorded_at: Timestamp::UNIX_EPOCH,
        event: event::decode(body, None).unwrap(),
    });
    let decoded = PROJECTION.decode_all(&File::default(), events);
    let mut tables = Tables::default();
    tables.apply_condensed(*decoded.facts.downcast().unwrap());
    (tables, decoded.unused.count())
}

/// Reads a file of `fixtures`.
fn body(folder: &str, name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
    std::fs::read(path.join(format!("{name}.json"))).unwrap()
}

/// Folds some files of `fixtures/instance` in.
fn tables_of(names: &[&str]) -> Tables {
    tables(names.iter().map(|name| body("instance", name))).0
}

#[test]
fn rows_of_each_fixture_and_of_all_together() {
    let mut all = String::new();
    for folder in ["instance", "recipe"] {
        for (name, body) in bodies(folder) {
            let (tables, skipped) = tables([body]);
            let skipped = if skipped > 0 { " skipped" } else { "" };
            writeln!(all, "{folder}/{name}{skipped}\n{}", tables.show()).unwrap();
        }
    }
    for folder in ["instance", "recipe"] {
        let (tables, skipped) = tables(bodies(folder).into_iter().map(|(_, body)| body));
        let (rows, sums) = (tables.show(), tables.show_sums());
        writeln!(all, "all of {folder}, {skipped} skipped\n{rows}{sums}").unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn the_doubled_name_of_a_failure_is_no_second_failure() {
    let tables = tables_of(&[
        "failure-1d-doubled-instance-create-error",
        "failure-1c-create-error-exception-object",
    ]);
    assert_eq!(tables.operations().len(), 1);
    assert_eq!(tables.instance().attempts, 1);
}

#[test]
fn metrics_alone_give_a_whole_build() {
    // The example of TTM's own documentation.
    let (tables, _) = tables([body("recipe", "ttm-metrics-start-and-end")]);
    let row = tables.instance();
    assert_eq!(row.build_started_at, Some("2013-11-07T23:49:56.9066Z".parse().unwrap()));
    assert_eq!(row.build_duration_us, Some(86_302_182_358));
    assert_eq!(row.build_status, Some(BuildStatus::Complete));
}

#[test]
fn a_restored_instance_has_no_time_of_deletion() {
    let names = ["restore-1-soft-delete-end", "restore-2-start", "restore-3-end"];
    let tables = tables_of(&names[..2]);
    assert!(tables.instance().deleted_at.is_some());
    let tables = tables_of(&names);
    assert_eq!(tables.instance().deleted_at, None);
}

#[test]
fn a_delete_that_failed_leaves_the_build_open() {
    let names = [
        "failure-6a-create-start",
        "failure-6b-delete-start-by-the-api",
        "failure-6c-delete-end-of-a-delete-that-failed",
    ];
    let tables = tables_of(&names);
    assert_eq!(tables.instance().build_status, Some(BuildStatus::Building));
}
