//! The rules, one by one.

use serde_json::{Value, json};

use super::world::*;
use crate::event::Event;

/// Returns the tables after one event for each list of samples.
fn after<const N: usize>(events: [&[Value]; N]) -> Tables {
    Tables::of(&logged((1..).zip(events).map(|(id, samples)| event(id, samples))))
}

#[test]
fn the_smallest_message_id_wins_whatever_came_first() {
    for ids in [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]] {
        let [one, two, three] = ids.map(|id| {
            let volume = if id == "a" { 1 } else { 2 };
            [sample(0, json!(volume), id)]
        });
        let tables = after([&one, &two, &three]);
        assert_eq!(tables.show(), ["m p r 0: 1 B"]);
        assert_eq!(tables.meters(), ["m gauge B 1 0-0"]);
    }
}

#[test]
fn a_trusted_sample_beats_one_that_is_not() {
    let posted = [with(sample(0, json!(9), "a"), "source", json!("bad"))];
    let polled = [sample(0, json!(1), "b")];
    assert_eq!(after([&posted, &polled]).show(), ["m p r 0: 1 B"]);
    assert_eq!(after([&polled, &posted]).show(), ["m p r 0: 1 B"]);
    assert_eq!(after([&posted]).show(), ["m p r 0: 9 B"]);
}

#[test]
fn increases_of_one_time_count_each_and_their_copies_once() {
    let increase = |volume: Value, id| with(sample(0, volume, id), "counter_type", json!("delta"));
    let all = [
        increase(json!(1000), "a"),
        increase(json!(4000), "b"),
        increase(json!("4000.0"), "c"),
        sample(0, json!(7), "d"),
        sample(0, json!(8), "e"),
    ];
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 1, 3]] {
        let events = order.map(|nth| event(nth as u128, &[all[nth].clone()]));
        let tables = Tables::of(&logged(events));
        assert_eq!(tables.show(), ["m p r 0: 7 B", "m p r 0: 1000 B", "m p r 0: 4000 B"]);
        assert_eq!(tables.meters(), ["m delta B 2 0-0", "m gauge B 1 0-0"]);
    }
}

#[test]
fn the_latest_name_counts_whatever_came_first() {
    let named = |at, id, name: &str| with(sample(at, json!(1), id), "project_name", json!(name));
    let posted = with(named(90, "d", "Evil"), "source", json!("bad"));
    let samples = [named(0, "a", "Old"), named(60, "b", "New"), named(120, "c", "None"), posted];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]] {
        let events = order.map(|nth| event(nth as u128, &[samples[nth].clone()]));
        let tables = Tables::of(&logged(events));
        assert_eq!(tables.names_as_of(4), ["Project p New"]);
    }
    let tables =
        after([&[named(60, "b", "New")], &[named(0, "a", "Old")], &[named(90, "c", "Newer")]]);
    assert_eq!(tables.names_as_of(0), [""; 0]);
    assert_eq!(tables.names_as_of(1), ["Project p New"]);
    assert_eq!(tables.names_as_of(2), ["Project p New"]);
    assert_eq!(tables.names_as_of(3), ["Project p Newer"]);
}

#[test]
fn a_project_that_is_a_null_as_text_is_no_tenant() {
    let samples =
        ["None", "null", ""].map(|id| with(sample(0, json!(1), id), "project_id", json!(id)));
    assert_eq!(after([&samples]).show(), ["m - r 0: 1 B"]);
}

#[test]
fn each_better_one_supersedes_the_one_before_it() {
    let samples = ["c", "d", "b", "a"].map(|id| [sample(0, json!(1), id)]);
    let tables = after([&samples[0], &samples[1], &samples[2], &samples[3]]);
    let superseded: Vec<_> = tables
        .superseded
        .iter()
        .map(|(sample, at)| (sample.message_id.as_str(), sample.position, *at))
        .collect();
    assert_eq!(superseded, [("c", 1, 3), ("b", 3, 4)]);
}

#[test]
fn samples_of_one_event_do_not_supersede_each_other() {
    let tables = after([&[sample(0, json!(1), "b"), sample(0, json!(2), "a")]]);
    assert_eq!(tables.show(), ["m p r 0: 2 B"]);
    assert_eq!(tables.superseded, []);
}

#[test]
fn tenants_with_the_same_resource_id_see_nothing_of_each_other() {
    let samples =
        ["p", "q"].map(|project| with(sample(0, json!(1), "a"), "project_id", json!(project)));
    let nobody_s = with(sample(0, json!(1), "a"), "project_id", Value::Null);
    let tables = after([&samples, &[nobody_s]]);
    assert_eq!(tables.show(), ["m - r 0: 1 B", "m p r 0: 1 B", "m q r 0: 1 B"]);
}

#[test]
fn a_sample_without_an_id_takes_that_of_its_event_and_its_place() {
    let nameless = with(sample(0, json!(1), ""), "message_id", Value::Null);
    let tables = after([&[sample(60, json!(1), "a"), nameless]]);
    let rows = tables.samples(true).join("\n");
    assert!(rows.contains("00000000-0000-0000-0000-000000000001.1"), "{rows}");
}

#[test]
fn units_that_were_only_renamed_are_one_meter() {
    let old = with(sample(0, json!(512), "a"), "counter_unit", json!("MB"));
    let new = with(sample(60, json!("512.0"), "b"), "counter_unit", json!("MiB"));
    let tables = after([&[old, new]]);
    assert_eq!(tables.show(), ["m p r 0: 512 MiB", "m p r 60: 512 MiB"]);
    assert_eq!(tables.meters(), ["m gauge MiB 2 0-60"]);
}

#[test]
fn a_meter_counts_the_samples_that_count_and_knows_of_all() {
    let bytes = [sample(60, json!(1), "b")];
    let bits = [with(sample(60, json!(8), "a"), "counter_unit", json!("bit"))];
    let tables = after([&bytes, &bits]);
    assert_eq!(tables.meters(), ["m gauge B 0 60-60", "m gauge bit 1 60-60"]);
}

#[test]
fn invalid_samples_are_set_aside_and_harm_no_neighbour() {
    let nothing = with(sample(0, json!(1), "a"), "counter_volume", Value::Null);
    let tables = after([&[nothing, json!(7), sample(60, json!(1), "b")]]);
    assert_eq!(tables.show(), ["m p r 60: 1 B"]);
    assert_eq!(tables.reasons().len(), 2);
}

#[test]
fn a_resource_has_the_metadata_of_its_latest_trusted_sample() {
    let named = |at, id, source: &str, name: &str| {
        let sample = with(sample(at, json!(1), id), "source", json!(source));
        with(sample, "resource_metadata", json!({"name": name}))
    };
    let mut other = named(120, "c", "bad", "posted");
    other["counter_name"] = json!("n");
    let samples = [named(0, "a", "good", "old"), other, named(60, "b", "good", "new")];
    let expected = after([&[samples[2].clone()]]).resource().metadata_id;
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let [one, two, three] = order.map(|nth| [samples[nth].clone()]);
        let tables = after([&one, &two, &three]);
        let row = tables.resource();
        assert_eq!(row.metadata_id, expected);
        assert_eq!((row.first_at, row.last_at), (second(0), second(120)));
        let meters: Vec<_> =
            row.meters.iter().map(String::as_str).zip(row.meters_last_at.iter().copied()).collect();
        assert_eq!(meters, [("m", second(60)), ("n", second(120))]);
    }
}

#[test]
fn a_sample_of_a_wrong_clock_is_set_aside_and_its_neighbours_count() {
    let years = 26 * 365 * 86_400;
    let samples =
        [sample(-years, json!(1), "a"), sample(60, json!(2), "b"), sample(years, json!(3), "c")];
    let mut event = event(1, &samples);
    event.occurred_at = Some(second(30));
    let tables = Tables::of(&logged([event.clone()]));
    assert_eq!(tables.show(), ["m p r 60: 2 B"]);
    assert_eq!(
        tables.reasons(),
        [
            "its timestamp is too far behind its message's",
            "its timestamp is too far ahead of its message's"
        ]
    );
    let cast = Event { kind: "rpc.record_metering_data".to_owned(), ..event.clone() };
    event.occurred_at = None;
    for without_time in [event, cast] {
        assert_eq!(Tables::of(&logged([without_time])).show().len(), 3);
    }
}

#[test]
fn a_sample_with_a_wrong_signature_is_set_aside_and_its_neighbours_count() {
    let samples =
        [sample(0, json!(1), "a"), sample(60, json!(2), "b"), sample(120, Value::Null, "c")];
    let mut event = event(1, &samples);
    event.bad_signatures = Some(vec![0, 2]);
    let tables = Tables::of(&logged([event]));
    assert_eq!(tables.show(), ["m p r 60: 2 B"]);
    // The reason is the first fault that is found.
    assert_eq!(tables.reasons(), ["its signature is wrong", "it has no counter_volume"]);
}
