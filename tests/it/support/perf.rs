//! Samples of hosts, as an agent sends them.

use serde_json::{Value, json};
use stackledger::event::{self, Event};

/// Returns an event with these data, and an id from the number.
pub fn sampled(number: u64, data: &Value) -> Event {
    let message = json!({
        "specversion": "1.0", "id": number.to_string(), "source": "//agent/test",
        "type": "perf.sampled", "time": "2026-11-20T12:00:00Z", "data": data,
    });
    event::decode(message.to_string().into_bytes(), None).unwrap()
}

/// Returns an event with one value.
pub fn one(number: u64, host: &str, metric: &str, time: &str, value: Value) -> Event {
    let sample = json!({"metric": metric, "time": time, "value": value});
    sampled(number, &json!({"host": host, "samples": [sample]}))
}
