//! Any order and batching of the same samples gives the same rows as all of them at once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use rust_decimal::Decimal;

use super::fixtures::*;
use crate::event::{Event, perf};
use crate::projection::rollup::bucket::nearest_f64;
use crate::projection::rollup::resolution::Resolution;
use crate::projection::rollup::sum::Sum;
use crate::sketch::numbers::{Sketch, bin};

fn events_and_shuffled() -> impl Strategy<Value = (Vec<Event>, Vec<Event>, usize)> {
    (events(), 1..6_usize).prop_flat_map(|(events, size)| {
        (Just(events.clone()), Just(events).prop_shuffle(), Just(size))
    })
}

fn in_batches(events: &[Event], size: usize) -> Tables {
    let mut tables = Tables::default();
    events.chunks(size).for_each(|batch| tables.apply(&facts(batch)));
    tables
}

/// A bucket's values, each with its time.
type Values = Vec<(Timestamp, Decimal)>;

/// Returns every value that counts, by host, metric and start.
fn values(
    events: &[Event],
    resolution: Resolution,
) -> BTreeMap<(String, String, Timestamp), Values> {
    let mut values = BTreeMap::<_, Values>::new();
    for event in events {
        let read = perf::read(&event.body, |sampled| {
            for sample in sampled.values().flatten() {
                let start = resolution.start(sample.time);
                let key = (sampled.host.to_string(), sample.metric.to_string(), start);
                values.entry(key).or_default().push((sample.time, sample.value));
            }
        });
        read.unwrap();
    }
    values
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn order_and_batching_do_not_matter((events, shuffled, size) in events_and_shuffled()) {
        let (tables, expected) = (in_batches(&shuffled, size), in_batches(&events, events.len().max(1)));
        prop_assert_eq!(tables.to_text(), expected.to_text());
    }

    #[test]
    fn buckets_are_the_sums_of_their_values((events, shuffled, size) in events_and_shuffled()) {
        let tables = in_batches(&shuffled, size);
        for resolution in Resolution::ALL {
            let by_bucket = values(&events, resolution);
            prop_assert_eq!(tables.of(resolution).count(), by_bucket.len());
            for (key, start, bucket) in tables.of(resolution) {
                let values = &by_bucket[&(key.host.to_string(), key.metric.to_string(), start)];
                let (mut sum, mut edge_sum) = (Sum::default(), Sum::default());
                values.iter().for_each(|(_, value)| sum += &Sum::from(*value));
                let edge = values.iter().filter(|(at, _)| *at == start);
                edge.clone().for_each(|(_, value)| edge_sum += &Sum::from(*value));
                prop_assert_eq!((bucket.count, bucket.edge_count), (values.len() as i64, edge.count() as i64));
                prop_assert_eq!(bucket.sum.to_string(), sum.to_string());
                prop_assert_eq!(bucket.edge_sum.to_string(), edge_sum.to_string());
                prop_assert_eq!(Some(bucket.min), values.iter().map(|(_, value)| *value).min());
                prop_assert_eq!(Some(bucket.max), values.iter().map(|(_, value)| *value).max());
                prop_assert_eq!(Some(bucket.last.at), values.iter().map(|(at, _)| *at).max());
                prop_assert!(values.contains(&(bucket.last.at, bucket.last.value)));
                let sketch = Sketch::of(values.iter().map(|(_, value)| bin(nearest_f64(*value))).collect());
                prop_assert_eq!(&bucket.sketch, &sketch);
            }
        }
    }

    #[test]
    fn an_hour_is_the_merge_of_its_minutes((_, shuffled, size) in events_and_shuffled()) {
        let tables = in_batches(&shuffled, size);
        for (shorter, longer) in [(Resolution::Minute, Resolution::Hour), (Resolution::Hour, Resolution::Day)] {
            for (key, start, bucket) in tables.of(longer) {
                let mut parts = tables.of(shorter)
                    .filter(|(known, at, _)| *known == key && longer.start(*at) == start);
                let (_, first, part) = parts.next().unwrap();
                let mut sum = part.widened(first == start);
                parts.for_each(|(_, _, part)| sum.add_later(part));
                prop_assert_eq!(row(&sum), row(bucket));
            }
        }
    }

    #[test]
    fn a_host_was_alive_at_its_latest_sample_or_when_that_arrived((events, shuffled, size) in events_and_shuffled()) {
        let mut expected = BTreeMap::<(String, String), Timestamp>::new();
        for event in &events {
            let read = perf::read(&event.body, |sampled| {
                for sample in sampled.values().flatten() {
                    let at = sample.time.min(arrival(event));
                    let key = (sampled.host.to_string(), sample.metric.to_string());
                    expected.entry(key).and_modify(|known| *known = at.max(*known)).or_insert(at);
                }
            });
            read.unwrap();
        }
        let tables = in_batches(&shuffled, size);
        let found = tables.series().iter();
        let found = found.map(|(key, span)| ((key.host.to_string(), key.metric.to_string()), span.alive_at));
        prop_assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
    }

    #[test]
    fn samples_before_a_horizon_change_nothing(events in events()) {
        let horizon = second(1);
        let mut facts = facts(&events);
        let by_minute = values(&events, Resolution::Minute);
        let before = by_minute.iter().filter(|((.., start), _)| *start < horizon).map(|(_, values)| values.len());
        prop_assert_eq!(facts.remove_before(horizon), before.sum::<usize>() as u64);
        for resolution in Resolution::ALL {
            for fact in facts.by_partition(resolution).into_values().flatten() {
                prop_assert!(fact.start >= horizon && fact.first_at >= horizon);
            }
        }
        for span in facts.spans().into_iter().flatten() {
            prop_assert!(span.first_at >= horizon);
        }
    }
}
