//! A host's metrics, as a CloudEvent in one of its two forms.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::{Message, cloudevent};
use crate::simulate::{
    hosts::{HOSTS_PATH, HostSample, HostSamples, METRICS},
    rng::Rng,
    time::instant,
};

/// The parts from which a message with the metrics of a host is built.
pub(crate) struct HostMessage<'a> {
    pub(crate) host_samples: &'a HostSamples,
    pub(crate) seed: u64,
    /// The instant of the simulation's time 0.
    pub(crate) base: Timestamp,
    pub(crate) sample: HostSample,
}

impl HostMessage<'_> {
    pub(crate) fn build(&self) -> Message {
        let (host, tick) = (self.sample.host, self.sample.tick);
        let id = Rng::new(self.seed, &[HOSTS_PATH, 4, host.into(), tick.into()]).uuid().to_string();
        let name = &self.host_samples.hosts[host as usize];
        let time = cloudevent::time(instant(self.base, self.host_samples.at(self.sample)));
        // One host of three has an agent that lists each metric with a time of its own.
        let values =
            if host % 3 == 1 { self.samples_member(&time) } else { self.metrics_member(&time) };
        let data = RawValue::from_string(format!(r#"{{"host":"{name}",{values}}}"#))
            .expect("neither names nor times nor numbers need escaping");
        let source = format!("agent/{name}");
        cloudevent::message("perf.sampled", id, &source, &time, &data)
    }

    /// Returns `"time": …, "metrics": {name: value, …}`.
    fn metrics_member(&self, time: &str) -> String {
        let mut text = format!(r#""time":"{time}","metrics":"#);
        for (index, metric) in METRICS.iter().enumerate() {
            let open = if index == 0 { '{' } else { ',' };
            let value = metric.decimal(self.host_samples.value(index, self.sample));
            write!(text, r#"{open}"{}":{value}"#, metric.name)
                .expect("writing to a String does not fail");
        }
        text + "}"
    }

    /// Returns `"samples": [{"metric": …, "time": …, "value": …}, …]`.
    fn samples_member(&self, time: &str) -> String {
        let mut text = r#""samples":"#.to_owned();
        for (index, metric) in METRICS.iter().enumerate() {
            let open = if index == 0 { '[' } else { ',' };
            let value = metric.decimal(self.host_samples.value(index, self.sample));
            let name = metric.name;
            write!(text, r#"{open}{{"metric":"{name}","time":"{time}","value":{value}}}"#)
                .expect("writing to a String does not fail");
        }
        text + "]"
    }
}
