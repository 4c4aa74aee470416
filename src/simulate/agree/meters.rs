//! Samples, and what is known of each meter.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::simulate::truth::MeterTruth;

/// What samples as `/v1/samples` lists them come to: an entry per meter, type and unit. What is no
/// sample is left out.
pub fn meters(samples: &[Value]) -> Vec<MeterTruth> {
    let mut all: BTreeMap<[Option<&str>; 3], MeterTruth> = BTreeMap::new();
    for sample in samples {
        let text = |field: &str| sample[field].as_str();
        let volume = text("counter_volume").and_then(|volume| volume.parse::<Decimal>().ok());
        let at = text("timestamp").and_then(|at| at.parse::<Timestamp>().ok());
        let (Some(volume), Some(at)) = (volume, at) else { continue };
        let key = ["counter_name", "counter_type", "counter_unit"].map(text);
        let [name, sort, unit] = key.map(|text| text.map(str::to_owned));
        let meter = all.entry(key).or_insert_with(|| MeterTruth {
            meter: name.unwrap_or_default(),
            sort,
            unit,
            samples: 0,
            sum: Decimal::ZERO,
            first_at: at,
            last_at: at,
        });
        meter.samples += 1;
        meter.sum += volume;
        meter.first_at = meter.first_at.min(at);
        meter.last_at = meter.last_at.max(at);
    }
    all.into_values().map(|meter| MeterTruth { sum: meter.sum.normalize(), ..meter }).collect()
}

/// Where `/v1/meters`' items are others than the truth's, one line each; sums only where an item
/// has one.
pub fn meter_differences(truths: &[MeterTruth], items: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    let key = |of: &Value| ["meter", "type", "unit"].map(|field| of[field].clone());
    let mut unasked: Vec<&Value> = items.iter().collect();
    for truth in truths {
        let expected = serde_json::to_value(truth).unwrap_or_default();
        let Some(place) = unasked.iter().position(|item| key(item) == key(&expected)) else {
            found.push(format!("{} is missing, expected {expected}", truth.meter));
            continue;
        };
        let item = unasked.swap_remove(place);
        for field in ["samples", "first_at", "last_at", "sum"] {
            let (expected, answered) = (&expected[field], &item[field]);
            let is_told = field != "sum" || !answered.is_null();
            if is_told && !same(expected, answered) {
                found.push(format!("{} {field}: {answered}, expected {expected}", truth.meter));
            }
        }
    }
    found.extend(unasked.into_iter().map(|item| format!("{item} was never told")));
    found
}

/// Equal as a reader would say it: times by instant, decimals by value.
fn same(expected: &Value, answered: &Value) -> bool {
    let (Some(expected), Some(answered)) = (expected.as_str(), answered.as_str()) else {
        return expected == answered;
    };
    let times = (expected.parse::<Timestamp>(), answered.parse::<Timestamp>());
    let decimals = (expected.parse::<Decimal>(), answered.parse::<Decimal>());
    matches!(times, (Ok(a), Ok(b)) if a == b) || matches!(decimals, (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample(volume: &str, at: &str) -> Value {
        json!({"counter_name": "cpu_util", "counter_type": "gauge", "counter_unit": "%",
               "counter_volume": volume, "timestamp": at})
    }

    #[test]
    fn samples_come_to_meters() {
        let found = meters(&[
            sample("0.1", "2026-11-01T00:05:00Z"),
            sample("0.2", "2026-11-01T00:00:00.5Z"),
            json!({"counter_name": "cpu_util", "counter_volume": null}),
        ]);
        let [meter] = &found[..] else { panic!("one meter: {found:?}") };
        assert_eq!((meter.samples, meter.sum), (2, Decimal::new(3, 1)));
        assert_eq!(meter.first_at.to_string(), "2026-11-01T00:00:00.5Z");
        let answer = json!({"meter": "cpu_util", "type": "gauge", "unit": "%", "samples": 2,
            "first_at": "2026-11-01T00:00:00.500000Z", "last_at": "2026-11-01T00:05:00Z"});
        assert_eq!(meter_differences(&found, std::slice::from_ref(&answer)), [""; 0]);
        let with_sum = |sum: &str| {
            let mut answer = answer.clone();
            answer["sum"] = sum.into();
            meter_differences(&found, &[answer])
        };
        assert_eq!(with_sum("0.300"), [""; 0]);
        assert_eq!(with_sum("0.31"), [r#"cpu_util sum: "0.31", expected "0.3""#]);
    }

    #[test]
    fn missing_and_foreign_meters_differ() {
        let truth = meters(&[sample("1", "2026-11-01T00:00:00Z")]);
        let other = json!({"meter": "cpu_util", "type": "gauge", "unit": null, "samples": 1});
        let found = meter_differences(&truth, &[other]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("cpu_util is missing") && found[1].ends_with("never told"));
    }
}
