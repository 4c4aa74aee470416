//! The rows that come of messages as they are on the wire.

use std::fmt::Write;
use std::path::Path;

use jiff::Timestamp;

use super::world::Tables;
use crate::event::{self, Recorded};
use crate::projection::timing::fact::{self, Fact};

/// The bodies of a folder of `fixtures`, by name, in order.
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

/// The facts of bodies, and how many should have been some and are none.
fn facts(bodies: impl IntoIterator<Item = Vec<u8>>) -> (Vec<Fact>, u64) {
    let events = bodies.into_iter().enumerate().map(|(index, body)| Recorded {
        position: index as i64 + 1,
        recorded_at: Timestamp::UNIX_EPOCH,
        event: event::decode(body, None).unwrap(),
    });
    let decoded = fact::decode(events.collect());
    (*decoded.facts.downcast().unwrap(), decoded.skipped)
}

/// The facts of some files of `fixtures/instance`.
fn told(names: &[&str]) -> Vec<Fact> {
    let of =
        |name: &&str| bodies("instance").into_iter().find(|body| body.0 == format!("{name}.json"));
    facts(names.iter().map(|name| of(name).unwrap_or_else(|| panic!("{name}")).1)).0
}

#[test]
fn rows_of_all_fixtures_together() {
    let mut all = String::new();
    for folder in ["instance", "recipe"] {
        let (facts, skipped) = facts(bodies(folder).into_iter().map(|(_, body)| body));
        writeln!(all, "{folder}: {skipped} skipped\n{}", Tables::of(facts).show()).unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn the_doubled_name_of_a_failure_is_no_second_failure() {
    let tables = Tables::of(told(&[
        "failure-1d-doubled-instance-create-error",
        "failure-1c-create-error-exception-object",
    ]));
    assert_eq!(tables.operations().len(), 1);
    assert_eq!(tables.instance().attempts, 1);
}

#[test]
fn metrics_alone_tell_a_whole_build() {
    // The example of TTM's own documentation.
    let (facts, _) =
        facts([br#"{"specversion": "1.0", "id": "1", "source": "x", "type": "ttm.metrics",
        "time": "2013-11-08T23:48:20Z", "data": {"instance_id": "111111", "instance_name": "test",
        "start_time": "2013-11-07T23:49:56.906600", "end_time": "2013-11-08T23:48:19.088958"}}"#
            .to_vec()]);
    let tables = Tables::of(facts);
    let row = tables.instance();
    assert_eq!(row.build_started_at, Some("2013-11-07T23:49:56.9066Z".parse().unwrap()));
    assert_eq!(row.build_duration_us, Some(86_302_182_358));
    assert_eq!(format!("{:?}", row.build_status), "Some(Complete)");
}
