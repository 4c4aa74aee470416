//! What a host says about itself, as a CloudEvent in either of its two forms.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::{Message, cloudevent, instant};
use crate::simulate::{
    hosts::{Look, METRICS, MONITORED, Monitored},
    rng::Rng,
};

/// All that makes a message of a look at a host.
pub(crate) struct Sampling<'a> {
    pub(crate) monitored: &'a Monitored,
    pub(crate) seed: u64,
    /// Where the simulation's time 0 lies.
    pub(crate) base: Timestamp,
    pub(crate) look: Look,
}

impl Sampling<'_> {
    pub(crate) fn message(&self) -> Message {
        let (host, tick) = (self.look.host, self.look.tick);
        let id = Rng::new(self.seed, &[MONITORED, 4, host.into(), tick.into()]).uuid().to_string();
        let name = &self.monitored.hosts[host as usize];
        let time = cloudevent::time(instant(self.base, self.monitored.at(self.look)));
        // Of three hosts one is of those whose agent tells each metric by itself.
        let values = if host % 3 == 1 { self.listed(&time) } else { self.named(&time) };
        let data = RawValue::from_string(format!(r#"{{"host":"{name}",{values}}}"#))
            .expect("neither names nor times nor numbers need escaping");
        let source = format!("agent/{name}");
        cloudevent::message("perf.sampled", id, &source, &time, &data)
    }

    /// `"time": …, "metrics": {name: value, …}`
    fn named(&self, time: &str) -> String {
        let mut text = format!(r#""time":"{time}","metrics":"#);
        for (place, metric) in METRICS.iter().enumerate() {
            let open = if place == 0 { '{' } else { ',' };
            let value = metric.decimal(self.monitored.value(place, self.look));
            write!(text, r#"{open}"{}":{value}"#, metric.name).expect("a String takes all");
        }
        text + "}"
    }

    /// `"samples": [{"metric": …, "time": …, "value": …}, …]`
    fn listed(&self, time: &str) -> String {
        let mut text = r#""samples":"#.to_owned();
        for (place, metric) in METRICS.iter().enumerate() {
            let open = if place == 0 { '[' } else { ',' };
            let value = metric.decimal(self.monitored.value(place, self.look));
            let name = metric.name;
            write!(text, r#"{open}{{"metric":"{name}","time":"{time}","value":{value}}}"#)
                .expect("a String takes all");
        }
        text + "]"
    }
}
