//! The sums of hosts' metrics.

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::simulate::truth::MetricTruth;

const HOUR_S: i64 = 3_600;

/// Returns start and end of the whole hours that contain all samples of a metric: the period to query.
pub fn covering_hours(truth: &MetricTruth) -> (Timestamp, Timestamp) {
    let hour = |at: Timestamp| {
        let second = at.as_second() - at.as_second().rem_euclid(HOUR_S);
        Timestamp::from_second(second).unwrap_or(at)
    };
    (hour(truth.first_at), hour(truth.last_at) + SignedDuration::from_secs(HOUR_S))
}

/// Compares the sums of the buckets in an answer of `/v1/perf/{host}` about one metric with the truth. Returns
/// a line for each difference.
pub fn compare_metric(host: &str, truth: &MetricTruth, answer: &Value) -> Vec<String> {
    let buckets = answer["buckets"].as_array().map_or(&[][..], Vec::as_slice);
    let numbers =
        |field: &'static str| buckets.iter().filter_map(move |bucket| decimal(&bucket[field]));
    let expected = [
        ("count", Some(truth.samples.into())),
        ("sum", Some(truth.sum)),
        ("min", Some(truth.min)),
        ("max", Some(truth.max)),
    ];
    let answered = [
        Some(numbers("count").sum()),
        Some(numbers("sum").sum::<Decimal>()),
        numbers("min").min(),
        numbers("max").max(),
    ];
    let text = |value: Option<Decimal>| value.map_or("none".to_owned(), |value| value.to_string());
    expected
        .into_iter()
        .zip(answered)
        .filter(|((_, expected), found)| expected != found)
        .map(|((field, expected), found)| {
            let (metric, expected, found) = (&truth.metric, text(expected), text(found));
            format!("{host} {metric} {field}: {found}, expected {expected}")
        })
        .collect()
}

/// Returns a number by its digits, whether it is a JSON number or a string.
fn decimal(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => return None,
    };
    text.parse().or_else(|_| Decimal::from_scientific(&text)).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn buckets_are_summed() {
        let truth = MetricTruth {
            metric: "cpu".to_owned(),
            samples: 5,
            sum: Decimal::new(125, 1),
            min: Decimal::new(5, 1),
            max: Decimal::from(9),
            first_at: "2026-11-20T03:05:54Z".parse().unwrap(),
            last_at: "2026-11-20T05:00:00Z".parse().unwrap(),
        };
        let (from, to) = covering_hours(&truth);
        assert_eq!(from.to_string(), "2026-11-20T03:00:00Z");
        assert_eq!(to.to_string(), "2026-11-20T06:00:00Z");
        let mut answer = json!({"buckets": [
            {"start": "2026-11-20T03:00:00Z", "count": 2, "sum": 3.50, "min": 0.5, "max": 3.0},
            {"start": "2026-11-20T05:00:00Z", "count": 3, "sum": 9e0, "min": 1, "max": 9},
        ]});
        assert_eq!(compare_metric("h", &truth, &answer), [""; 0]);
        answer["buckets"][0]["sum"] = json!(3.51);
        assert_eq!(compare_metric("h", &truth, &answer), ["h cpu sum: 12.51, expected 12.5"]);
        assert_eq!(compare_metric("h", &truth, &Value::Null).len(), 4);
    }
}
