//! Batches of samples as messages, in the shapes of the three routes.

mod metadata;
mod sample;
mod signature;

use jiff::Timestamp;
use serde::Serialize;

use super::{Message, instant, notification::envelope, python};
use crate::simulate::{
    cloud::Cloud,
    meters::{METERED, Measured, Route},
    rng::Rng,
    scenario::Micros,
};
use sample::Sample;

/// All that makes a message of a batch of samples.
pub(crate) struct Reading<'a> {
    pub(crate) cloud: &'a Cloud,
    pub(crate) measured: &'a Measured,
    pub(crate) seed: u64,
    /// Where the simulation's time 0 lies.
    pub(crate) base: Timestamp,
    /// What samples are signed with, if anything.
    pub(crate) secret: &'a str,
    /// The batch's number: it names the ids.
    pub(crate) batch: u32,
    pub(crate) route: Route,
    /// Published by another call of the driver: the same message with another `_unique_id`.
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

#[derive(Serialize)]
struct Polled<'a> {
    samples: &'a [Sample<'a>],
}

#[derive(Serialize)]
struct Cast<'a> {
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

/// The collector takes both; the first publishers sent every sample by itself.
#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    One(&'a Sample<'a>),
    Several(&'a [Sample<'a>]),
}

impl Reading<'_> {
    pub(crate) fn message(&self) -> Message {
        let batch = &self.measured.batches[self.batch as usize];
        let samples: Vec<Sample> =
            self.measured.samples(self.cloud, batch).map(|it| self.sample(&it)).collect();
        let id = self.rng(0).uuid().to_string();
        let (routing_key, message_id, body) = match self.route {
            Route::Polling => {
                let payload = Polled { samples: &samples };
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
            body: envelope(&body).into_bytes(),
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
        python::dumps(&Cast {
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

    /// A little after the samples were taken, later where they come second-hand.
    fn sent_at(&self) -> Micros {
        let delay = match self.route {
            Route::Polling => self.rng(4).between(50_000, 400_000),
            Route::Notifier | Route::Rpc => self.rng(4).between(450_000, 900_000),
        };
        self.measured.at(&self.measured.batches[self.batch as usize]) + delay as Micros
    }

    fn unique_id(&self) -> String {
        self.rng(if self.sent_again { 2 } else { 1 }).hex32()
    }

    /// Numbers of this message alone, so that messages can be made in any order.
    fn rng(&self, purpose: u64) -> Rng {
        Rng::new(self.seed, &[METERED, 5, self.batch.into(), self.route as u64, purpose])
    }
}
