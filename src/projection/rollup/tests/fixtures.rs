//! Made-up events, and the tables that follow from them in memory.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::config::File;
use crate::event::{self, Event, Recorded};
use crate::projection::rollup::PROJECTION;
use crate::projection::rollup::bucket::Bucket;
use crate::projection::rollup::fact::{Facts, Key, Span};
use crate::projection::rollup::resolution::Resolution;

/// Returns a time, in seconds after one second before midnight.
pub fn second(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_763_683_199 + seconds).unwrap()
}

/// Creates an event with this id and data.
pub fn event(id: u128, data: &Value) -> Event {
    let message = json!({
        "specversion": "1.0", "id": id.to_string(), "source": "test", "type": "perf.sampled",
        "time": second(0), "data": data,
    });
    Event {
        id: Uuid::from_u128(id),
        ..event::decode(message.to_string().into_bytes(), None).unwrap()
    }
}

/// A value of one of a few series, or something that is not a value. Its time is often on the edge of a
/// minute, an hour or a day.
fn sample() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        8 => (-999_i64..99_999, 0..4_u32).prop_map(|(units, scale)| {
            json!(rust_decimal::Decimal::new(units, scale))
        }),
        2 => select(vec![json!(1), json!("1.0"), json!(true), json!(0), json!("-7.50")]),
        2 => select(vec![
            json!("79228162514264337593543950335"), json!("-79228162514264337593543950335"),
            json!("0.0000000000000000000000000001"),
        ]),
        1 => select(vec![Value::Null, json!("many"), json!([1])]),
    ];
    let time = prop_oneof![
        3 => select(vec![-59_i64, 1, 61, 3541, 3601]),
        3 => -4000..9000_i64,
    ];
    let micros = prop_oneof![2 => Just(0), 1 => select(vec![1_i64, 500_000, 999_999])];
    (select(vec!["cpu", "mem"]), time, micros, value).prop_map(|(metric, time, micros, value)| {
        let at = Timestamp::from_microsecond(second(time).as_microsecond() + micros).unwrap();
        json!({"metric": metric, "time": at, "value": value})
    })
}

/// Events of two hosts. Some have the same id, as events of different times may.
pub fn events() -> impl Strategy<Value = Vec<Event>> {
    let event_parts = (
        prop::option::weighted(0.2, 0..3_u128),
        select(vec!["a", "A"]),
        prop::collection::vec(sample(), 0..8),
    );
    prop::collection::vec(event_parts, 0..14).prop_map(|events| {
        let numbered = |(number, (id, host, samples)): (u128, (Option<u128>, &str, Vec<Value>))| {
            event(id.unwrap_or(100 + number), &json!({"host": host, "samples": samples}))
        };
        (0..).zip(events).map(numbered).collect()
    })
}

/// Returns when an event arrives: some time around those of its samples.
pub fn arrival(event: &Event) -> Timestamp {
    second(event.id.as_u128() as i64 * 997 % 9000)
}

/// Returns the facts of a stretch with these events.
pub fn facts(events: &[Event]) -> Facts {
    let recorded = |(position, event): (i64, &Event)| Recorded {
        position,
        recorded_at: arrival(event),
        event: event.clone(),
    };
    let events = (1..).zip(events).map(recorded);
    let decoded = PROJECTION.decode_all(&File::default(), events);
    *decoded.facts.downcast().unwrap()
}

/// The tables, without a database.
#[derive(Default)]
pub struct Tables {
    buckets: BTreeMap<(Resolution, Key, Timestamp), Bucket>,
    series: BTreeMap<Key, Span>,
}

impl Tables {
    pub fn apply(&mut self, facts: &Facts) {
        for resolution in Resolution::ALL {
            for fact in facts.by_partition(resolution).into_values().flatten() {
                let key = (resolution, facts.keys[fact.key].clone(), fact.start);
                self.buckets
                    .entry(key)
                    .and_modify(|bucket| bucket.add(&fact.bucket))
                    .or_insert_with(|| fact.bucket.clone());
            }
        }
        for (key, span) in facts.keys.iter().zip(facts.spans()) {
            let span = span.unwrap();
            let known = self.series.entry(key.clone()).or_insert(span);
            *known = known.union(span);
        }
    }

    pub fn series(&self) -> &BTreeMap<Key, Span> {
        &self.series
    }

    /// Returns all rows as text.
    pub fn to_text(&self) -> Vec<String> {
        let buckets = self.buckets.iter().map(|(key, bucket)| format!("{key:?} {}", row(bucket)));
        buckets.chain(self.series.iter().map(|series| format!("{series:?}"))).collect()
    }

    pub fn of(&self, resolution: Resolution) -> impl Iterator<Item = (&Key, Timestamp, &Bucket)> {
        let buckets = self.buckets.iter().filter(move |((known, ..), _)| *known == resolution);
        buckets.map(|((_, key, start), bucket)| (key, *start, bucket))
    }
}

/// Returns a bucket as the text of its row.
pub fn row(bucket: &Bucket) -> String {
    let Bucket { count, sum, min, max, last, edge_count, edge_sum, sketch } = bucket;
    format!(
        "{count} {sum} {} {} {} {} {} {} {edge_count} {edge_sum} {:?}",
        min.normalize(),
        max.normalize(),
        last.value.normalize(),
        last.at,
        last.id,
        last.index,
        sketch.to_bytes()
    )
}
