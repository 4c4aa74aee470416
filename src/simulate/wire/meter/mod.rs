//! Batches of samples as messages, in the shapes of the three routes.

mod metadata;
mod sample;
mod signature;

use jiff::Timestamp;
use serde::Serialize;

use super::{Message, oslo, python};
use crate::simulate::{
    cloud::Cloud,
    meters::{METERS_PATH, Measurements},
    options::Route,
    rng::Rng,
    time::{Micros, instant},
};
use sample::Sample;

/// The parts from which a message with a batch of samples is built.
pub(crate) struct BatchMessage<'a> {
    pub(crate) cloud: &'a Cloud,
    pub(crate) measurements: &'a Measurements,
    pub(crate) seed: u64,
    /// The instant of the simulation's time 0.
    pub(crate) base: Timestamp,
    /// The secret that samples are signed with; `""` for none.
    pub(crate) secret: &'a str,
    /// The batch's number, which determines the message's ids.
    pub(crate) batch: u32,
    pub(crate) route: Route,
    /// Whether another call of the driver publishes the same message again, with another `_unique_id`.
    pub(crate) sent_again: bool,
}

#[derive(Serialize)]
struct Notification<'a, P> {
    message_id: &'a str,
    publisher_id: &'a str,
    event_type: &'a str,
    priority: &'a str,
    payload: P,
    timestamp: String,
    #[serde(rename = "_unique_id")]
    unique_id: String,
}

/// The payload of `telemetry.polling`.
#[derive(Serialize)]
struct PollingPayload<'a> {
    samples: &'a [Sample<'a>],
}

/// A cast of oslo's RPC.
#[derive(Serialize)]
struct RpcCast<'a> {
    method: &'a str,
    args: Arguments<'a>,
    version: &'a str,
    #[serde(rename = "_unique_id")]
    unique_id: String,
    #[serde(rename = "_context_tenant")]
    tenant: Option<&'a str>,
    #[serde(rename = "_context_user")]
    user: Option<&'a str>,
    #[serde(rename = "_context_is_admin")]
    is_admin: bool,
    #[serde(rename = "_context_request_id")]
    request_id: String,
}

#[derive(Serialize)]
struct Arguments<'a> {
    data: Data<'a>,
}

/// The samples of a cast. The collector takes both forms; the first publishers sent each sample alone.
#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    One(&'a Sample<'a>),
    Several(&'a [Sample<'a>]),
}

impl BatchMessage<'_> {
    pub(crate) fn build(&self) -> Message {
        let batch = &self.measurements.batches[self.batch as usize];
        let samples = self.measurements.samples(self.cloud, batch);
        let samples: Vec<Sample> = samples.map(|sample| self.sample(&sample)).collect();
        let id = self.rng(0).uuid().to_string();
        let (routing_key, message_id, body) = match self.route {
            Route::Polling => {
                let payload = PollingPayload { samples: &samples };
                let body =
                    self.notification(&id, "ceilometer.polling", "telemetry.polling", payload);
                ("notifications.sample", id, body)
            }
            Route::Notifier => {
                let publisher = "telemetry.publisher.telemetry-01";
                (
                    "metering.sample",
                    id.clone(),
                    self.notification(&id, publisher, "metering", &samples),
                )
            }
            Route::Rpc => {
                let id = samples.first().map(|sample| sample.message_id.clone());
                ("metering", id.unwrap_or_default(), self.cast(&samples))
            }
        };
        Message {
            exchange: "ceilometer",
            routing_key: routing_key.to_owned(),
            content_type: "application/json",
            body: oslo::envelope(&body).into_bytes(),
            message_id,
        }
    }

    fn notification(
        &self,
        message_id: &str,
        publisher_id: &str,
        event_type: &str,
        payload: impl Serialize,
    ) -> String {
        python::dumps(&Notification {
            message_id,
            publisher_id,
            event_type,
            priority: "SAMPLE",
            payload,
            timestamp: python::str_datetime(instant(self.base, self.sent_at())),
            unique_id: self.unique_id(),
        })
    }

    fn cast(&self, samples: &[Sample]) -> String {
        python::dumps(&RpcCast {
            method: "record_metering_data",
            args: Arguments {
                data: match samples {
                    [one] => Data::One(one),
                    several => Data::Several(several),
                },
            },
            version: "1.0",
            unique_id: self.unique_id(),
            tenant: None,
            user: None,
            is_admin: true,
            request_id: format!("req-{}", self.rng(3).uuid()),
        })
    }

    /// Returns the time of sending: a little after the samples were taken, and later if they were forwarded.
    fn sent_at(&self) -> Micros {
        let delay = match self.route {
            Route::Polling => self.rng(4).between(50_000, 400_000),
            Route::Notifier | Route::Rpc => self.rng(4).between(450_000, 900_000),
        };
        self.measurements.at(&self.measurements.batches[self.batch as usize]) + delay as Micros
    }

    fn unique_id(&self) -> String {
        self.rng(if self.sent_again { 2 } else { 1 }).hex32()
    }

    /// Returns random numbers of this message alone, so that messages can be built in any order.
    fn rng(&self, purpose: u64) -> Rng {
        Rng::new(self.seed, &[METERS_PATH, 5, self.batch.into(), self.route as u64, purpose])
    }
}
