//! Rollups of what hosts say.

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::{SHOWN, get, shown};
use crate::cli::client::Client;
use crate::cli::output::{say, table};
use crate::simulate::truth::{MetricTruth, Truth};
use crate::simulate::{hours, perf_differences};

/// What is answered about each metric of this cloud's hosts, by the hour.
pub(super) struct Perf {
    answers: Vec<Value>,
}

impl Perf {
    pub async fn ask(client: &Client, truth: &Truth) -> Result<Perf> {
        let asked = stream::iter(series(truth)).map(|(host, metric)| async move {
            let (from, to) = hours(metric);
            let (from, to) = (from.to_string(), to.to_string());
            let query = [
                ("metric", metric.metric.as_str()),
                ("resolution", "1h"),
                ("from", from.as_str()),
                ("to", to.as_str()),
            ];
            get(client, &format!("/v1/perf/{host}"), &query).await
        });
        Ok(Perf { answers: asked.buffered(8).try_collect().await? })
    }

    /// Where they differ from what was published.
    pub fn differences(&self, truth: &Truth) -> Vec<String> {
        let told = series(truth).zip(&self.answers);
        told.flat_map(|((host, metric), answer)| perf_differences(host, metric, answer)).collect()
    }

    pub fn show(&self) {
        if self.answers.is_empty() {
            return;
        }
        say!("\nHosts, their newest hour (/v1/perf/HOST?resolution=1h)");
        let rows: Vec<Vec<String>> = self.answers.iter().filter_map(row).take(SHOWN).collect();
        table(&["host", "metric", "hour", "samples", "mean", "p95", "max"], &rows);
        if self.answers.len() > SHOWN {
            say!("  … and {} more", self.answers.len() - SHOWN);
        }
    }
}

fn series(truth: &Truth) -> impl Iterator<Item = (&str, &MetricTruth)> {
    truth
        .hosts
        .iter()
        .flat_map(move |host| host.metrics.iter().map(|metric| (host.host.as_str(), metric)))
}

/// The newest bucket of a metric.
fn row(answer: &Value) -> Option<Vec<String>> {
    let newest = answer["buckets"].as_array()?.last()?;
    let mut row = [&answer["host"], &answer["metric"], &newest["start"], &newest["count"]]
        .map(shown)
        .to_vec();
    row.extend(["mean", "p95", "max"].map(|field| decimals(&newest[field])));
    Some(row)
}

/// A number as people read it.
fn decimals(value: &Value) -> String {
    value.as_f64().map_or_else(|| shown(value), |value| format!("{value:.2}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_the_newest_hour() {
        let bucket = |start: &str| {
            json!({"start": start, "count": 360, "sum": 4500.4, "min": 1, "max": 99.5,
                   "mean": 12.501111111111111, "p50": 12, "p95": 30.25, "p99": 31, "last": 3})
        };
        let answer = json!({"host": "compute-01", "metric": "cpu", "resolution": "1h",
            "buckets": [bucket("2026-11-20T03:00:00Z"), bucket("2026-11-20T04:00:00Z")]});
        assert_eq!(
            row(&answer).unwrap(),
            ["compute-01", "cpu", "2026-11-20T04:00:00Z", "360", "12.50", "30.25", "99.50"]
        );
        assert_eq!(row(&json!({"host": "h", "buckets": []})), None);
        assert_eq!(row(&Value::Null), None, "it is not there yet");
    }
}
