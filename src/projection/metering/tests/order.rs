//! Any order, duplication and batching of the same samples gives the same rows.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::sample::select;
use serde_json::{Value, json};

use super::world::*;
use crate::event::{Event, Recorded};

/// A sample: many are of one identity, some are invalid, and some are of sources that are not trusted.
fn one_sample() -> impl Strategy<Value = Value> {
    let key = (
        select(vec![json!("p"), json!("q"), Value::Null]),
        select(vec!["r", "s"]),
        select(vec!["m", "n"]),
        select(vec![-4000_i64, 0, 600, 3600, 7200, 8000, 30_000]),
    );
    let content = (
        select(vec![json!(1), json!(1.0), json!("2.50"), json!(1e-5), Value::Null]),
        select(vec![json!("gauge"), json!("delta"), Value::Null]),
        select(vec!["B", "MB", "MiB", ""]),
        select(vec![json!("good"), json!("bad"), Value::Null]),
        select(vec![
            json!({"name": "one", "status": "active", "project_name": "One"}),
            json!({"name": "two", "status": "stopped"}),
            json!({"status": "active", "flavor": {"name": "large"}}),
            json!({"name": "one", "instance_host": "cn-a", "host": "x"}),
            json!({"name": "two", "instance_host": "cn-b", "host": "y"}),
            json!({"launched_at": "2026-11-30T22:00:00", "flavor_name": "small"}),
            json!({"name": "two", "deleted_at": "2026-11-30T23:09:00"}),
            json!({"deleted_at": "2026-11-30T20:00:00"}),
            json!({}),
            json!({"volume_type": "ssd", "volume_type_id": "7d0f61a2-0b1c-4c77-9f39-5c6e4e1f0a01"}),
            json!({"volume_type": "hdd", "volume_type_id": "7d0f61a2-0b1c-4c77-9f39-5c6e4e1f0a01"}),
            json!({"volume_type": "7d0f61a2-0b1c-4c77-9f39-5c6e4e1f0a01"}),
            json!({"volume_type": "hdd"}),
        ]),
    );
    let message_id = prop::option::weighted(0.9, select(vec!["1", "2", "3"]));
    (key, content, message_id).prop_map(|((project, resource, meter, at), content, message_id)| {
        let (volume, kind, unit, source, metadata) = content;
        json!({
            "counter_name": meter, "counter_type": kind, "counter_unit": unit,
            "counter_volume": volume, "user_id": "u", "user_name": meter, "project_id": project,
            "project_name": if resource == "r" { json!("Two") } else { Value::Null },
            "resource_id": resource, "source": source, "timestamp": second(at).to_string(),
            "message_id": message_id, "resource_metadata": metadata,
        })
    })
}

/// Events. Some have the same id, as events of different times may.
pub fn events() -> impl Strategy<Value = Vec<Event>> {
    let event_parts =
        (prop::option::weighted(0.2, 0..3_u128), prop::collection::vec(one_sample(), 0..6));
    prop::collection::vec(event_parts, 0..14).prop_map(|events| {
        let numbered = |(number, (id, samples)): (u128, (Option<u128>, Vec<Value>))| {
            event(id.unwrap_or(100 + number), &samples)
        };
        (0..).zip(events).map(numbered).collect()
    })
}

/// The events in another order, some of them twice.
fn shuffled(events: &[Event]) -> impl Strategy<Value = Vec<Recorded>> + use<> {
    let doubled: Vec<Event> = events.iter().chain(events.iter().step_by(3)).cloned().collect();
    Just(doubled).prop_shuffle().prop_map(logged)
}

fn events_and_shuffled() -> impl Strategy<Value = (Vec<Event>, Vec<Recorded>, usize)> {
    let sizes = 1..6_usize;
    (events(), sizes)
        .prop_flat_map(|(events, size)| (Just(events.clone()), shuffled(&events), Just(size)))
}

fn in_batches(events: &[Recorded], size: usize) -> Tables {
    let mut tables = Tables::default();
    for batch in events.chunks(size) {
        tables.apply(facts(batch));
    }
    tables
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn order_duplication_and_batching_do_not_matter((events, shuffled, size) in events_and_shuffled()) {
        let expected = Tables::of(&logged(events));
        let tables = in_batches(&shuffled, size);
        prop_assert_eq!(tables.samples(false), expected.samples(false));
        prop_assert_eq!(tables.sums(), expected.sums());
        prop_assert_eq!(tables.usage(false), expected.usage(false));
    }

    #[test]
    fn usage_is_that_of_all_samples_at_once((_, shuffled, size) in events_and_shuffled()) {
        let tables = in_batches(&shuffled, size);
        let used = tables.usage.iter().filter(|(_, window)| !window.usage.is_empty());
        let used: BTreeMap<_, _> =
            used.map(|(key, window)| (key.clone(), (window.usage.clone(), window.description.clone()))).collect();
        prop_assert_eq!(used, tables.usage_of_all());
    }

    #[test]
    fn batching_does_not_matter_to_positions_either((_, events, size) in events_and_shuffled()) {
        let (tables, expected) = (in_batches(&events, size), Tables::of(&events));
        prop_assert_eq!(tables.samples(true), expected.samples(true));
        prop_assert_eq!(tables.superseded(), expected.superseded());
        prop_assert_eq!(tables.usage(true), expected.usage(true));
        prop_assert_eq!(tables.sums(), expected.sums());
        prop_assert_eq!(tables.names(), expected.names());
    }

    #[test]
    fn the_samples_as_of_a_position_are_those_of_a_log_that_ended_there(
        (_, events, size) in events_and_shuffled(),
        end in any::<Index>(),
    ) {
        let tables = in_batches(&events, size);
        let length = end.index(events.len() + 1);
        let then = Tables::of(&events[..length]);
        prop_assert_eq!(tables.samples_as_of(length as i64), then.samples(true));
        prop_assert_eq!(tables.names_as_of(length as i64), then.names_as_of(length as i64));
    }
}
