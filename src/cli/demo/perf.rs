//! Rollups of the samples of hosts.

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::answer::{REQUESTS_MAX, ROWS_MAX, get, to_cell};
use crate::cli::client::Client;
use crate::cli::output::{print_table, say};
use crate::simulate::truth::{MetricTruth, Truth};
use crate::simulate::{compare_metric, covering_hours};

/// The answers about the metrics of this cloud's hosts, by the hour.
pub(super) struct Perf {
    /// An answer per host and metric.
    answers: Vec<Value>,
}

impl Perf {
    pub async fn ask(client: &Client, truth: &Truth) -> Result<Perf> {
        let answers = stream::iter(series(truth)).map(|(host, metric)| async move {
            let (from, to) = covering_hours(metric);
            let (from, to) = (from.to_string(), to.to_string());
            let query = [
                ("metric", metric.metric.as_str()),
                ("resolution", "1h"),
                ("from", from.as_str()),
                ("to", to.as_str()),
            ];
            get(client, &format!("/v1/perf/{host}"), &query).await
        });
        Ok(Perf { answers: answers.buffered(REQUESTS_MAX).try_collect().await? })
    }

    /// Returns the differences to the published messages, each in a line.
    pub fn differences(&self, truth: &Truth) -> Vec<String> {
        let pairs = series(truth).zip(&self.answers);
        pairs.flat_map(|((host, metric), answer)| compare_metric(host, metric, answer)).collect()
    }

    pub fn print(&self) {
        if self.answers.is_empty() {
            return;
        }
        say!("\nHosts, their newest hour (/v1/perf/HOST?resolution=1h)");
        let rows: Vec<Vec<String>> =
            self.answers.iter().filter_map(to_row).take(ROWS_MAX).collect();
        print_table(&["host", "metric", "hour", "samples", "mean", "p95", "max"], &rows);
        if self.answers.len() > ROWS_MAX {
            say!("  … and {} more", self.answers.len() - ROWS_MAX);
        }
    }
}

/// Returns each metric of each host, with the host's name.
fn series(truth: &Truth) -> impl Iterator<Item = (&str, &MetricTruth)> {
    truth
        .hosts
        .iter()
        .flat_map(move |host| host.metrics.iter().map(|metric| (host.host.as_str(), metric)))
}

/// Returns the newest bucket of a metric as a row of the table.
fn to_row(answer: &Value) -> Option<Vec<String>> {
    let newest = answer["buckets"].as_array()?.last()?;
    let mut row = [&answer["host"], &answer["metric"], &newest["start"], &newest["count"]]
        .map(to_cell)
        .to_vec();
    row.extend(["mean", "p95", "max"].map(|field| to_decimals(&newest[field])));
    Some(row)
}

/// Formats a number with two decimals.
fn to_decimals(value: &Value) -> String {
    value.as_f64().map_or_else(|| to_cell(value), |value| format!("{value:.2}"))
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
            to_row(&answer).unwrap(),
            ["compute-01", "cpu", "2026-11-20T04:00:00Z", "360", "12.50", "30.25", "99.50"]
        );
        assert_eq!(to_row(&json!({"host": "h", "buckets": []})), None);
        assert_eq!(to_row(&Value::Null), None, "the host does not exist yet");
    }
}
