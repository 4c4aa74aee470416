//! A valid sample, and which of several of one identity counts.

use jiff::Timestamp;
use rust_decimal::Decimal;
use uuid::Uuid;

/// A row of `sample`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub timestamp: Timestamp,
    pub project_id: Option<String>,
    pub resource_id: String,
    pub counter_name: String,
    pub counter_type: Option<String>,
    pub counter_unit: Option<String>,
    pub counter_volume: Decimal,
    pub user_id: Option<String>,
    pub source: Option<String>,
    pub message_id: String,
    pub trusted: bool,
    pub metadata_id: Option<Uuid>,
    pub event_id: Uuid,
    pub position: i64,
}

/// Resource, meter, time, volume of an increase, and project of a sample, in the order of the index. Of the
/// samples of one identity only one counts.
pub(super) type Identity<'a> = (&'a str, &'a str, Timestamp, Option<Decimal>, Option<&'a str>);

/// The type of a sample whose volume is an increase: what was used since the sample before.
const DELTA: &str = "delta";

/// A meter's name, type and unit.
pub(super) type MeterKey<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

impl Sample {
    /// Returns the sample's [`Identity`].
    pub fn identity(&self) -> Identity<'_> {
        let project_id = self.project_id.as_deref();
        (&self.resource_id, &self.counter_name, self.timestamp, self.increase(), project_id)
    }

    /// Returns the volume of an increase. It is part of the identity: a level or the state of a counter has
    /// one value at a time, but a resource may have several increases that are measured at one time, and
    /// those of different volumes cannot be copies of each other.
    pub fn increase(&self) -> Option<Decimal> {
        (self.counter_type.as_deref() == Some(DELTA)).then_some(self.counter_volume)
    }

    /// Returns the key of the sample's meter.
    pub fn meter(&self) -> MeterKey<'_> {
        (&self.counter_name, self.counter_type.as_deref(), self.counter_unit.as_deref())
    }

    /// Whether this sample counts in place of the other one of its identity: a trusted one before
    /// others, then the one of the smallest message id, then of the smallest event id. Two that are still
    /// equal were sent by two messages of one id; their content decides, so that the order of arrival
    /// never does.
    pub fn beats(&self, other: &Sample) -> bool {
        self.rank() < other.rank()
    }

    fn rank(&self) -> impl Ord + '_ {
        (
            (!self.trusted, &self.message_id, self.event_id),
            (self.counter_volume, &self.counter_type, &self.counter_unit),
            (&self.user_id, &self.source, self.metadata_id),
        )
    }
}
