//! Samples, as the dictionaries that Ceilometer publishes.

use serde::Serialize;
use serde_json::Number;

use super::{BatchMessage, metadata::Metadata, signature::sign};
use crate::simulate::{
    meters::{self, Kind, METERS_PATH, Quantity},
    options::Route,
    rng::Rng,
    time::instant,
    wire::python,
};

/// A sample. Its fields are in Ceilometer's order.
#[derive(Serialize)]
pub(super) struct Sample<'a> {
    source: &'static str,
    counter_name: &'static str,
    counter_type: &'static str,
    counter_unit: &'static str,
    counter_volume: Number,
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_name: UnresolvedName,
    project_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    project_name: UnresolvedName,
    resource_id: String,
    timestamp: String,
    resource_metadata: Metadata<'a>,
    pub(super) message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    monotonic_time: Option<Option<Number>>,
    message_signature: String,
}

/// A name that is absent (before 2022), or present and null: it is only resolved if that is configured.
type UnresolvedName = Option<Option<&'static str>>;

impl<'a> BatchMessage<'a> {
    /// Returns the sample as this route publishes it.
    pub(super) fn sample(&self, sample: &meters::Sample<'a>) -> Sample<'a> {
        let meters::Sample { meter, resource, part, .. } = *sample;
        // RPC publishers were removed in 2016, before some fields and the present units were introduced.
        let is_old = self.route == Route::Rpc;
        let project = &self.cloud.projects[resource.project];
        let at = instant(self.base, sample.at);
        let mut published = Sample {
            source: "openstack",
            counter_name: meter.name,
            counter_type: meter.meter_type,
            counter_unit: if is_old { old_unit(meter.unit) } else { meter.unit },
            counter_volume: sample.quantity.json(),
            user_id: matches!(resource.kind, Kind::Instance(_) | Kind::Volume(_))
                .then_some(&project.user_id),
            user_name: (!is_old).then_some(None),
            project_id: &project.id,
            project_name: (!is_old).then_some(None),
            resource_id: resource.resource_id(self.cloud, part),
            timestamp: match meter.is_notified() {
                true => format!("{}+00:00", python::isoformat(at)),
                false => python::isoformat(at),
            },
            resource_metadata: self.metadata(sample),
            message_id: self.sample_id(sample),
            monotonic_time: (!is_old).then(|| monotonic_time(sample)),
            message_signature: String::new(),
        };
        published.message_signature = sign(&published, self.secret);
        published
    }

    /// Returns the sample's id. The notifier and the RPC publisher are behind the same pipeline, which gives
    /// the samples that it forwards ids of its own.
    fn sample_id(&self, sample: &meters::Sample<'_>) -> String {
        let pipeline = u64::from(self.route != Route::Polling);
        let batch = u64::from(self.batch);
        let (number, part) = (u64::from(sample.resource.number), sample.part.number());
        Rng::new(self.seed, &[METERS_PATH, 6, pipeline, batch, number, part]).uuid1().to_string()
    }
}

/// Returns the name of a unit before Ceilometer 26.
fn old_unit(unit: &'static str) -> &'static str {
    match unit {
        "MiB" => "MB",
        "GiB" => "GB",
        same => same,
    }
}

/// Returns the time of the polling agent's monotonic clock, which only samples from the hypervisor have.
fn monotonic_time(sample: &meters::Sample<'_>) -> Option<Number> {
    let is_instance = matches!(sample.resource.kind, Kind::Instance(_));
    let digits = 1_000_000_000 + sample.at;
    is_instance.then(|| Quantity::Float { digits, scale: 6 }.json())
}
