//! A sample as an event.

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use super::machine::Metrics;
use crate::event::ours::{Layout, OwnEvent};
use crate::event::perf;

/// One `perf.sampled` event that waits to be delivered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    /// Its identity, together with the host: delivered several times, it is still one event.
    pub id: String,
    /// The time at which the values were read.
    pub at: Timestamp,
    /// A CloudEvent in structured JSON, on one line.
    pub body: Bytes,
}

impl Sample {
    /// Creates the sample of a host's metrics at a time. `dropped` is the number of events that the agent has
    /// dropped since its start; it is included so that a gap explains itself.
    pub fn new(host: &str, at: Timestamp, mut metrics: Metrics, dropped: u64) -> Sample {
        metrics.insert("agent.dropped".to_owned(), dropped.into());
        let time = at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        let data = json!({"host": host, "time": time, "metrics": metrics}).to_string();
        let event = OwnEvent {
            layout: Layout::SortedWithContentType,
            id: &time,
            source: &format!("agent/{host}"),
            kind: perf::SAMPLED,
            time: &time,
            data: data.as_bytes(),
        };
        let body = event.to_body().into();
        Sample { id: time, at, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Family, decode};

    #[test]
    fn a_sample_is_the_same_event_whenever_it_is_created() {
        let at = "2026-11-20T03:05:54.000125+01:00".parse().unwrap();
        let metrics: Metrics = [("cpu".to_owned(), json!(12.5))].into_iter().collect();
        let sample = Sample::new("näme/1", at, metrics.clone(), 3);
        assert_eq!(sample, Sample::new("näme/1", at, metrics, 3));
        let event = decode(sample.body.to_vec(), None).unwrap();
        assert_eq!((event.family, event.kind.as_str()), (Family::Perf, "perf.sampled"));
        assert_eq!(
            (event.source.as_str(), event.stream.as_deref()),
            ("agent/näme/1", Some("näme/1"))
        );
        assert_eq!(event.occurred_at.unwrap(), at);
        let body: serde_json::Value = serde_json::from_slice(&sample.body).unwrap();
        assert_eq!(
            body["data"],
            json!({"host": "näme/1", "time": "2026-11-20T02:05:54.000125Z",
                   "metrics": {"cpu": 12.5, "agent.dropped": 3}})
        );
        let later =
            Sample::new("näme/1", "2026-11-20T02:05:55Z".parse().unwrap(), Metrics::new(), 3);
        assert_ne!(later.id, sample.id);
        assert_eq!(later.id, "2026-11-20T02:05:55.000000Z");
    }

    #[test]
    fn the_bytes_of_the_body_never_change() {
        let at = "2026-11-20T03:05:54.000125+01:00".parse().unwrap();
        let metrics = [("mem".to_owned(), json!(4.980)), ("cpu".to_owned(), json!(12))];
        let sample = Sample::new("nä\"1", at, metrics.into_iter().collect(), 3);
        let expected = r#"{"data":{"host":"nä\"1","metrics":{"agent.dropped":3,"cpu":12,"mem":4.98},"time":"2026-11-20T02:05:54.000125Z"},"datacontenttype":"application/json","id":"2026-11-20T02:05:54.000125Z","source":"agent/nä\"1","specversion":"1.0","time":"2026-11-20T02:05:54.000125Z","type":"perf.sampled"}"#;
        assert_eq!(std::str::from_utf8(&sample.body).unwrap(), expected);
    }
}
