//! Samples, and the sums of each meter.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::simulate::truth::MeterTruth;

/// Sums samples of `/v1/samples` by meter, type and unit. Values that are no samples are ignored.
pub fn sum_samples(samples: &[Value]) -> Vec<MeterTruth> {
    let mut all: BTreeMap<[Option<&str>; 3], MeterTruth> = BTreeMap::new();
    for sample in samples {
        let text = |field: &str| sample[field].as_str();
        let volume = text("counter_volume").and_then(|volume| volume.parse::<Decimal>().ok());
        let at = text("timestamp").and_then(|at| at.parse::<Timestamp>().ok());
        let (Some(volume), Some(at)) = (volume, at) else { continue };
        let key = ["counter_name", "counter_type", "counter_unit"].map(text);
        let [name, meter_type, unit] = key.map(|text| text.map(str::to_owned));
        let meter = all.entry(key).or_insert_with(|| MeterTruth {
            meter: name.unwrap_or_default(),
            meter_type,
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

/// Compares the items of `/v1/meters` with the truth. Returns a line for each difference. Sums are only
/// compared if an item has one.
pub fn compare_meters(truths: &[MeterTruth], items: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    let key = |item: &Value| ["meter", "type", "unit"].map(|field| item[field].clone());
    let mut unexpected: Vec<&Value> = items.iter().collect();
    for truth in truths {
        let expected = serde_json::to_value(truth).unwrap_or_default();
        let Some(index) = unexpected.iter().position(|item| key(item) == key(&expected)) else {
            found.push(format!("{} is missing, expected {expected}", truth.meter));
            continue;
        };
        let item = unexpected.swap_remove(index);
        for field in ["samples", "first_at", "last_at", "sum"] {
            let (expected, answered) = (&expected[field], &item[field]);
            let is_compared = field != "sum" || !answered.is_null();
            if is_compared && !is_same(expected, answered) {
                found.push(format!("{} {field}: {answered}, expected {expected}", truth.meter));
            }
        }
    }
    found.extend(unexpected.into_iter().map(|item| format!("{item} was never published")));
    found
}

/// Whether two values are equal: times by instant, decimals by value.
fn is_same(expected: &Value, answered: &Value) -> bool {
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
    fn samples_are_summed_by_meter() {
        let found = sum_samples(&[
            sample("0.1", "2026-11-01T00:05:00Z"),
            sample("0.2", "2026-11-01T00:00:00.5Z"),
            json!({"counter_name": "cpu_util", "counter_volume": null}),
        ]);
        let [meter] = &found[..] else { panic!("one meter: {found:?}") };
        assert_eq!((meter.samples, meter.sum), (2, Decimal::new(3, 1)));
        assert_eq!(meter.first_at.to_string(), "2026-11-01T00:00:00.5Z");
        let answer = json!({"meter": "cpu_util", "type": "gauge", "unit": "%", "samples": 2,
            "first_at": "2026-11-01T00:00:00.500000Z", "last_at": "2026-11-01T00:05:00Z"});
        assert_eq!(compare_meters(&found, std::slice::from_ref(&answer)), [""; 0]);
        let with_sum = |sum: &str| {
            let mut answer = answer.clone();
            answer["sum"] = sum.into();
            compare_meters(&found, &[answer])
        };
        assert_eq!(with_sum("0.300"), [""; 0]);
        assert_eq!(with_sum("0.31"), [r#"cpu_util sum: "0.31", expected "0.3""#]);
    }

    #[test]
    fn missing_and_foreign_meters_differ() {
        let truth = sum_samples(&[sample("1", "2026-11-01T00:00:00Z")]);
        let other = json!({"meter": "cpu_util", "type": "gauge", "unit": null, "samples": 1});
        let found = compare_meters(&truth, &[other]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("cpu_util is missing"));
        assert!(found[1].ends_with("never published"));
    }
}
