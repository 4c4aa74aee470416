//! The dictionary that is a sample.

use serde::Serialize;
use serde_json::Number;

use super::{Reading, instant, metadata::Metadata, python, signature::signature};
use crate::simulate::{
    meters::{self, Kind, METERED, Quantity, Route},
    rng::Rng,
};

/// In Ceilometer's order.
#[derive(Serialize)]
pub(super) struct Sample<'a> {
    source: &'static str,
    counter_name: &'static str,
    counter_type: &'static str,
    counter_unit: &'static str,
    counter_volume: Number,
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: Since2022,
    project_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_name: Since2022,
    resource_id: String,
    timestamp: String,
    resource_metadata: Metadata<'a>,
    pub(super) message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    monotonic_time: Option<Option<Number>>,
    message_signature: String,
}

/// Absent, or present and null: names are looked up only where that is configured.
type Since2022 = Option<Option<&'static str>>;

impl<'a> Reading<'a> {
    /// The sample as this route tells it.
    pub(super) fn sample(&self, it: &meters::Sample<'a>) -> Sample<'a> {
        // RPC publishers went away in 2016, before some fields and today's units came.
        let is_old = self.route == Route::Rpc;
        let project = &self.cloud.projects[it.resource.project];
        let at = instant(self.base, it.at);
        let mut sample = Sample {
            source: "openstack",
            counter_name: it.meter.name,
            counter_type: it.meter.sort,
            counter_unit: if is_old { unit_of_old(it.meter.unit) } else { it.meter.unit },
            counter_volume: it.quantity.json(),
            user_id: matches!(it.resource.kind, Kind::Instance(_) | Kind::Volume(_))
                .then_some(&project.user_id),
            user_name: (!is_old).then_some(None),
            project_id: &project.id,
            project_name: (!is_old).then_some(None),
            resource_id: it.resource.resource_id(self.cloud, it.part),
            timestamp: match it.meter.is_notified() {
                true => format!("{}+00:00", python::isoformat(at)),
                false => python::isoformat(at),
            },
            resource_metadata: self.metadata(it),
            message_id: self.sample_id(it),
            monotonic_time: (!is_old).then(|| monotonic(it)),
            message_signature: String::new(),
        };
        sample.message_signature = signature(&sample, self.secret);
        sample
    }

    /// The notifier and the RPC publisher stand behind the same pipeline, which gives what it was
    /// sent ids of its own.
    fn sample_id(&self, it: &meters::Sample<'_>) -> String {
        let pipeline = u64::from(self.route != Route::Polling);
        let batch = u64::from(self.batch);
        let (number, part) = (u64::from(it.resource.number), it.part.number());
        Rng::new(self.seed, &[METERED, 6, pipeline, batch, number, part]).uuid1().to_string()
    }
}

/// What the unit was called before Ceilometer 26.
fn unit_of_old(unit: &'static str) -> &'static str {
    match unit {
        "MiB" => "MB",
        "GiB" => "GB",
        same => same,
    }
}

/// The polling agent's own clock, where the hypervisor was asked.
fn monotonic(it: &meters::Sample<'_>) -> Option<Number> {
    let is_instance = matches!(it.resource.kind, Kind::Instance(_));
    let digits = 1_000_000_000 + it.at;
    is_instance.then(|| Quantity::Float { digits, scale: 6 }.json())
}
