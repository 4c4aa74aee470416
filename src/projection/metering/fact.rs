//! Facts: what the projection needs of events, without their bodies.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::sample::Sample;
use super::{fold, meter, resource};
use crate::config::Metering;
use crate::event::meter::{self as wire, InvalidSample};
use crate::event::{Event, Recorded};
use crate::projection::{Decode, Decoded};

/// What a stretch of the log says.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The valid samples, as [`fold::sort`] leaves them.
    pub samples: Vec<Sample>,
    /// The resources they are of.
    pub resources: Vec<resource::Resource>,
    /// The meters they are of.
    pub meters: Vec<meter::Meter>,
    /// Their metadata, each text once.
    pub metadata: HashMap<Uuid, String>,
    /// What does not count.
    pub rejected: Vec<Rejected>,
}

/// A row of `rejected`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rejected {
    pub event_id: Uuid,
    pub index: i32,
    pub position: i64,
    /// Why, and what could be read of it.
    pub said: Box<InvalidSample>,
}

/// Why a sample whose text can be read may still not count.
const BAD_SIGNATURE: &str = "its signature is wrong";

/// The facts of a stretch of the log.
pub(super) struct Decoder<'a> {
    metering: &'a Metering,
    facts: Facts,
    skipped: u64,
}

impl<'a> Decoder<'a> {
    /// Trusts whom the configuration trusts.
    pub fn new(metering: &'a Metering) -> Self {
        Decoder { metering, facts: Facts::default(), skipped: 0 }
    }
}

impl Decode for Decoder<'_> {
    fn read(&mut self, Recorded { position, event, .. }: Recorded) {
        match wire::samples(&event.body) {
            Ok(samples) => self.facts.add(self.metering, position, &event, samples),
            Err(_) => self.skipped += 1,
        }
    }

    fn finish(self: Box<Self>) -> Decoded {
        let Decoder { mut facts, skipped, .. } = *self;
        fold::sort(&mut facts.samples);
        facts.resources = resource::seen(&facts.samples);
        facts.meters = meter::seen(&facts.samples);
        Decoded { facts: Box::new(facts), skipped }
    }
}

impl Facts {
    /// Adds what one event says.
    fn add(
        &mut self,
        metering: &Metering,
        position: i64,
        event: &Event,
        samples: Vec<Result<wire::Sample, Box<InvalidSample>>>,
    ) {
        for (index, sample) in (0..).zip(samples) {
            let rejected = |said| Rejected { event_id: event.id, index, position, said };
            match sample {
                Ok(sample) if is_signed_badly(event, index) => {
                    self.rejected.push(rejected(signed_badly(sample)));
                }
                Ok(sample) => {
                    let metadata_id = sample.metadata.map(|body| self.add_metadata(body));
                    self.samples.push(Sample {
                        trusted: metering.trusts(sample.source.as_deref()),
                        timestamp: sample.timestamp,
                        project_id: sample.project_id,
                        resource_id: sample.resource_id,
                        counter_name: sample.counter_name,
                        counter_type: sample.counter_type,
                        counter_unit: sample.counter_unit,
                        // 5.0 and 5 are the same volume and show so.
                        counter_volume: sample.counter_volume.normalize(),
                        user_id: sample.user_id,
                        source: sample.source,
                        message_id: sample
                            .message_id
                            .unwrap_or_else(|| format!("{}.{index}", event.id)),
                        metadata_id,
                        event_id: event.id,
                        position,
                    });
                }
                Err(invalid) => self.rejected.push(rejected(invalid)),
            }
        }
    }

    fn add_metadata(&mut self, body: String) -> Uuid {
        let id = metadata_id(&body);
        self.metadata.entry(id).or_insert(body);
        id
    }
}

/// The row of `metadata` that holds this text.
fn metadata_id(body: &str) -> Uuid {
    let hash: [u8; 32] = Sha256::digest(body).into();
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    Uuid::from_bytes(id)
}

/// Whether the one who appended the event found the sample's signature wrong.
fn is_signed_badly(event: &Event, index: i32) -> bool {
    event.bad_signatures.as_ref().is_some_and(|bad| bad.binary_search(&index).is_ok())
}

/// What is shown of a valid sample that does not count for its signature.
fn signed_badly(sample: wire::Sample) -> Box<InvalidSample> {
    Box::new(InvalidSample {
        reason: BAD_SIGNATURE,
        counter_name: Some(sample.counter_name),
        project_id: sample.project_id,
        resource_id: Some(sample.resource_id),
        message_id: sample.message_id,
        timestamp: Some(sample.timestamp),
        counter_volume: Some(sample.counter_volume.to_string()),
    })
}
