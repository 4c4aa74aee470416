//! Facts: the parts of events that the projection needs, without the bodies.

use std::collections::HashMap;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use uuid::Uuid;

use super::metadata_text::MetadataText;
use super::name::{Report, ReportedName};
use super::reports::Reports;
use super::sample::Sample;
use super::{fold, meter, resource};
use crate::config::Metering;
use crate::event::meter::{self as wire, InvalidSample};
use crate::event::{Event, Family, Recorded, is_cloud_event, ours};
use crate::projection::engine::table::{Columns, TableRow, table};
use crate::projection::{Decode, StretchFacts, UnusedEvents};

/// The facts of a stretch of the log.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// The valid samples, in the order of [`fold::sort`].
    pub samples: Vec<Sample>,
    /// The resources of the samples.
    pub resources: Vec<resource::Resource>,
    /// The meters of the samples.
    pub meters: Vec<meter::Meter>,
    /// The metadata of the samples, each text once.
    pub metadata: HashMap<Uuid, MetadataText>,
    /// The samples that do not count.
    pub rejected: Vec<RejectedSample>,
    /// The names that events report, in the order of their positions.
    pub names: Vec<ReportedName>,
}

table! {
    /// A sample that does not count, and as much of it as could be read.
    RejectedSample in metering.rejected;
    event_id: Uuid = UUID,
    /// Its index among the event's samples, from 0.
    index: i32 = INT4,
    position: i64 = INT8,
    reason: String = TEXT,
    counter_name: Option<String> = TEXT,
    project_id: Option<String> = TEXT,
    resource_id: Option<String> = TEXT,
    timestamp: Option<Timestamp> = TIMESTAMPTZ,
    message_id: Option<String> = TEXT,
    counter_volume: Option<String> = TEXT,
}

/// The reason for rejecting a valid sample that was not signed by its sender.
const BAD_SIGNATURE: &str = "its signature is wrong";

/// Reads the facts of a stretch of the log.
pub(super) struct Decoder<'a> {
    metering: &'a Metering,
    facts: Facts,
    unused: UnusedEvents,
    reports: Reports,
}

impl<'a> Decoder<'a> {
    /// Creates a decoder that trusts the sources and times that the configuration trusts.
    pub fn new(metering: &'a Metering) -> Self {
        Decoder {
            metering,
            facts: Facts::default(),
            unused: UnusedEvents::default(),
            reports: Reports::default(),
        }
    }
}

impl Decode for Decoder<'_> {
    fn read(&mut self, Recorded { position, event, .. }: Recorded) {
        self.reports.add_context(&event, position);
        match event.family {
            Family::Meter => match wire::samples(&event.body) {
                Ok(samples) => {
                    self.facts.add(self.metering, position, &event, samples, &mut self.reports);
                }
                Err(fault) => self.unused.add(position, fault),
            },
            Family::Other if is_of_unknown_type(&event) => {
                let kind = &event.kind;
                self.unused.add(position, format_args!("no read model uses the type {kind}"));
            }
            _ => {}
        }
        self.reports.end_event();
    }

    fn finish(self: Box<Self>) -> StretchFacts {
        let Decoder { mut facts, unused, reports, .. } = *self;
        facts.names = reports.into_names();
        fold::sort(&mut facts.samples);
        facts.resources = resource::resources_of(&facts.samples, &facts.metadata);
        facts.meters = meter::meters_of(&facts.samples);
        StretchFacts { facts: Box::new(facts), unused }
    }
}

/// Whether an event of the family `other` was meant for us, with a type that is none of ours. Notifications of this
/// family are the cloud's, which sends many that nobody asks for.
fn is_of_unknown_type(event: &Event) -> bool {
    !event.kind.starts_with(ours::TYPES) && is_cloud_event(&event.body)
}

impl Facts {
    /// Adds the samples of one event.
    fn add(
        &mut self,
        metering: &Metering,
        position: i64,
        event: &Event,
        samples: Vec<Result<wire::Sample, Box<InvalidSample>>>,
        reports: &mut Reports,
    ) {
        let sent_at = sent_at(event);
        for (index, sample) in (0..).zip(samples) {
            match sample {
                Ok(mut sample) => {
                    let wrong_clock = || metering.explain_wrong_clock(sample.timestamp, sent_at);
                    let reason = has_bad_signature(event, index)
                        .then_some(BAD_SIGNATURE)
                        .or_else(wrong_clock);
                    if let Some(reason) = reason {
                        let invalid = to_invalid(sample, reason);
                        self.rejected.push(RejectedSample::new(event.id, index, position, invalid));
                        continue;
                    }
                    let trusted = metering.trusts(sample.source.as_deref());
                    let message_id =
                        sample.message_id.take().unwrap_or_else(|| format!("{}.{index}", event.id));
                    let metadata_id = sample.metadata.take().map(|body| self.add_metadata(body));
                    if trusted {
                        let metadata = metadata_id
                            .and_then(|id| Some((id, self.metadata.get(&id)?.body.as_str())));
                        let report = Report {
                            at: sample.timestamp,
                            message_id: &message_id,
                            event_id: event.id,
                            position,
                        };
                        reports.add_sample(&sample, metadata, report);
                    }
                    self.samples.push(Sample {
                        trusted,
                        timestamp: sample.timestamp,
                        project_id: sample.project_id,
                        resource_id: sample.resource_id,
                        counter_name: sample.counter_name,
                        counter_type: sample.counter_type,
                        counter_unit: sample.counter_unit,
                        // 5.0 and 5 are the same volume, and are to look the same.
                        counter_volume: sample.counter_volume.normalize(),
                        user_id: sample.user_id,
                        source: sample.source,
                        message_id,
                        metadata_id,
                        event_id: event.id,
                        position,
                    });
                }
                Err(invalid) => {
                    self.rejected.push(RejectedSample::new(event.id, index, position, *invalid));
                }
            }
        }
    }

    fn add_metadata(&mut self, body: String) -> Uuid {
        let id = metadata_id(&body);
        self.metadata.entry(id).or_insert_with(|| MetadataText::new(body));
        id
    }
}

impl RejectedSample {
    fn new(event_id: Uuid, index: i32, position: i64, invalid: InvalidSample) -> Self {
        RejectedSample {
            event_id,
            index,
            position,
            reason: invalid.reason.to_owned(),
            counter_name: invalid.counter_name,
            project_id: invalid.project_id,
            resource_id: invalid.resource_id,
            timestamp: invalid.timestamp,
            message_id: invalid.message_id,
            counter_volume: invalid.counter_volume,
        }
    }
}

/// Returns the id of the row of `metadata` with this text: the first 16 bytes of its SHA-256.
fn metadata_id(body: &str) -> Uuid {
    let hash: [u8; 32] = Sha256::digest(body).into();
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    Uuid::from_bytes(id)
}

/// Returns when the message was sent, by its own time. An RPC cast has only the time of its context, which may be
/// that of the beginning of the sender's process.
fn sent_at(event: &Event) -> Option<Timestamp> {
    event.occurred_at.filter(|_| !event.kind.starts_with("rpc."))
}

/// Whether the sample's signature was found to be wrong when the event was appended.
fn has_bad_signature(event: &Event, index: i32) -> bool {
    event.bad_signatures.as_ref().is_some_and(|bad| bad.binary_search(&index).is_ok())
}

/// Returns a valid sample as one that is rejected for a reason beside its content.
fn to_invalid(sample: wire::Sample, reason: &'static str) -> InvalidSample {
    InvalidSample {
        reason,
        counter_name: Some(sample.counter_name),
        project_id: sample.project_id,
        resource_id: Some(sample.resource_id),
        message_id: sample.message_id,
        timestamp: Some(sample.timestamp),
        counter_volume: Some(sample.counter_volume.to_string()),
    }
}
