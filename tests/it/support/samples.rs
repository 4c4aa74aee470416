//! Samples, as Ceilometer's polling agent sends them.

use serde_json::{Value, json};
use stackledger::event::{self, Event};
use uuid::Uuid;

/// Returns a sample of `cpu` of a resource of project `p`, that many minutes after midnight.
pub fn sample(minute: u32, resource_id: &str, volume: Value) -> Value {
    let (hour, minute) = (minute / 60, minute % 60);
    json!({
        "counter_name": "cpu", "counter_type": "cumulative", "counter_unit": "ns",
        "counter_volume": volume, "user_id": "u", "project_id": "p",
        "resource_id": resource_id, "source": "openstack",
        "timestamp": format!("2026-11-20T{hour:02}:{minute:02}:00.5"),
        "message_id": format!("{resource_id}-{hour}-{minute}"),
        "resource_metadata": {"flavor": {"name": "m1.small"}}, "message_signature": "",
    })
}

/// Returns the sample with other values for these keys.
pub fn with(mut sample: Value, values: &Value) -> Value {
    for (key, value) in values.as_object().unwrap() {
        sample[key] = value.clone();
    }
    sample
}

/// Returns the event with these samples, and an id from the number.
pub fn polled(number: u128, samples: &[Value]) -> Event {
    let message = json!({
        "message_id": Uuid::from_u128(number), "publisher_id": "ceilometer.polling",
        "event_type": "telemetry.polling", "priority": "SAMPLE",
        "timestamp": "2026-11-20 12:00:00.000001", "payload": {"samples": samples},
    });
    event::decode(message.to_string().into_bytes(), None).unwrap()
}
