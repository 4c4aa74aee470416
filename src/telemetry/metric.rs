//! The table of all metrics.

use MetricKind::{Counter, Gauge, Histogram};

/// A metric, as `/metrics` and docs/operating.md describe it.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: MetricKind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// Its meaning, in a clause or two.
    pub help: &'static str,
}

/// The types of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counts of values up to each of several limits.
    Histogram,
}

/// Every metric: those of the process, then those that are read from the database, which are the same on every process.
pub const METRICS: &[Metric] = &[
    Metric {
        name: "stackledger_build_info",
        kind: Gauge,
        labels: &["version"],
        help: "1; the version is in the label",
    },
    Metric {
        name: "stackledger_ready",
        kind: Gauge,
        labels: &[],
        help: "1 if `/readyz` answers 200, else 0",
    },
    Metric {
        name: "stackledger_tasks_begun_again_total",
        kind: Counter,
        labels: &["task"],
        help: "tasks that panicked or ended unasked and were begun again",
    },
    Metric {
        name: "stackledger_log_lines_lost_total",
        kind: Counter,
        labels: &[],
        help: "log lines that could not be written to stderr",
    },
    Metric {
        name: "stackledger_broker_connected",
        kind: Gauge,
        labels: &["broker"],
        help: "1 while the process is connected to the broker or cluster, else 0",
    },
    Metric {
        name: "stackledger_queue_messages",
        kind: Gauge,
        labels: &["broker", "queue"],
        help: "messages that wait in the queue, without those that were sent ahead; read every 15 s",
    },
    Metric {
        name: "stackledger_messages_total",
        kind: Counter,
        labels: &["queue"],
        help: "messages received",
    },
    Metric {
        name: "stackledger_last_message_age_seconds",
        kind: Gauge,
        labels: &["queue"],
        help: "time since messages were received last; from the first ones on",
    },
    Metric {
        name: "stackledger_events_appended_total",
        kind: Counter,
        labels: &[],
        help: "events that were new",
    },
    Metric {
        name: "stackledger_duplicates_total",
        kind: Counter,
        labels: &[],
        help: "events that were known already",
    },
    Metric {
        name: "stackledger_dead_letters_total",
        kind: Counter,
        labels: &[],
        help: "messages that became dead letters, repeated ones included",
    },
    Metric {
        name: "stackledger_bad_signatures_total",
        kind: Counter,
        labels: &[],
        help: "samples whose signature is missing or wrong, repeated ones included",
    },
    Metric {
        name: "stackledger_append_seconds",
        kind: Histogram,
        labels: &[],
        help: "time per append, including the wait for the head",
    },
    Metric {
        name: "stackledger_projection_events_total",
        kind: Counter,
        labels: &["projection"],
        help: "events applied",
    },
    Metric {
        name: "stackledger_projection_set_aside_total",
        kind: Counter,
        labels: &["projection"],
        help: "events that read models go without, see `/v1/skipped`",
    },
    Metric {
        name: "stackledger_projection_step_seconds",
        kind: Histogram,
        labels: &["projection"],
        help: "time per step",
    },
    Metric {
        name: "stackledger_rollup_frozen_samples_total",
        kind: Counter,
        labels: &[],
        help: "samples of hosts that came after their buckets were frozen",
    },
    Metric {
        name: "stackledger_http_requests_total",
        kind: Counter,
        labels: &["route", "status"],
        help: "requests answered",
    },
    Metric {
        name: "stackledger_http_request_seconds",
        kind: Histogram,
        labels: &["route"],
        help: "time per request",
    },
    Metric {
        name: "stackledger_database_up",
        kind: Gauge,
        labels: &[],
        help: "1 if the database answers within 2 s, else 0",
    },
    Metric {
        name: "stackledger_read_standby_up",
        kind: Gauge,
        labels: &[],
        help: "1 if the standby of READ_DATABASE_URL accepted the last connection, else 0",
    },
    Metric {
        name: "stackledger_database_read_age_seconds",
        kind: Gauge,
        labels: &[],
        help: "age of the values that are read from the database",
    },
    Metric {
        name: "stackledger_log_head",
        kind: Gauge,
        labels: &[],
        help: "last position of the log",
    },
    Metric {
        name: "stackledger_dead_letters_open",
        kind: Gauge,
        labels: &[],
        help: "open dead letters",
    },
    Metric {
        name: "stackledger_projection_checkpoint",
        kind: Gauge,
        labels: &["projection"],
        help: "last position that is applied to the live tables",
    },
    Metric {
        name: "stackledger_projection_lag_events",
        kind: Gauge,
        labels: &["projection"],
        help: "positions that are not applied yet",
    },
    Metric {
        name: "stackledger_projection_lag_seconds",
        kind: Gauge,
        labels: &["projection"],
        help: "age of the oldest append that is not applied",
    },
    Metric {
        name: "stackledger_projection_failed",
        kind: Gauge,
        labels: &["projection"],
        help: "1 while an error stops it, else 0",
    },
    Metric {
        name: "stackledger_projection_skipped",
        kind: Gauge,
        labels: &["projection"],
        help: "events that it could not use, or not as a whole",
    },
    Metric {
        name: "stackledger_config_conflict",
        kind: Gauge,
        labels: &["projection"],
        help: "processes that stand by because their configuration is another one",
    },
    Metric {
        name: "stackledger_database_bytes",
        kind: Gauge,
        labels: &[],
        help: "size of the database; sizes are read once a minute",
    },
    Metric {
        name: "stackledger_log_bytes",
        kind: Gauge,
        labels: &["family"],
        help: "size of the log's events with their indexes",
    },
    Metric {
        name: "stackledger_projection_bytes",
        kind: Gauge,
        labels: &["projection"],
        help: "size of the live tables with their indexes",
    },
    Metric {
        name: "stackledger_export_position",
        kind: Gauge,
        labels: &["target", "table"],
        help: "last position that is in a table of another database",
    },
    Metric {
        name: "stackledger_export_lag_events",
        kind: Gauge,
        labels: &["target", "table"],
        help: "positions that are not there yet",
    },
    Metric {
        name: "stackledger_export_failing",
        kind: Gauge,
        labels: &["target", "table"],
        help: "1 while an error stops the export, else 0",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_lists_every_metric() {
        let mut expected = "| name | labels | |\n|---|---|---|\n".to_owned();
        for Metric { name, labels, help, .. } in METRICS {
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            expected.push_str(&format!("| `{name}` | {} | {help} |\n", labels.join(", ")));
        }
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/operating.md");
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            text.contains(&expected),
            "docs/operating.md has to contain this table:\n{expected}"
        );
    }

    #[test]
    fn the_metrics_of_the_alarms_exist() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/alarms.md");
        let text = std::fs::read_to_string(path).unwrap();
        let is_of_name = |c: char| c.is_ascii_lowercase() || c == '_';
        let mut count = 0;
        for found in text.match_indices("stackledger_").map(|(at, _)| &text[at..]) {
            let name = found.split(|c| !is_of_name(c)).next().unwrap_or_default();
            let of = |suffix| name.strip_suffix(suffix).unwrap_or(name);
            let is_known = |name: &str| METRICS.iter().any(|metric| metric.name == name);
            assert!([name, of("_sum"), of("_count")].into_iter().any(is_known), "{name}");
            count += 1;
        }
        assert!(count > 15, "{count} names are found");
    }
}
