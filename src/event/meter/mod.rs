//! Ceilometer's samples: messages of every shape and era, read as one struct.

mod sample;
mod shape;
mod signature;
#[cfg(test)]
mod tests;
mod volume;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::PayloadFault;
pub(super) use shape::{BareSamples, FirstSample};
pub use signature::bad_signatures;

/// One measured value. Texts that are `""` or `null` are `None`. Ids of resources, projects and users longer than
/// [`ID_MAX`](super::ID_MAX) and other texts longer than [`TEXT_MAX`](super::TEXT_MAX) are cut like a header's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The meter, e.g. `cpu`.
    pub counter_name: String,
    /// `gauge`, `delta` or `cumulative`, as sent.
    pub counter_type: Option<String>,
    /// The unit, e.g. `ns`. `MB` and `GB` become `MiB` and `GiB`, Ceilometer's later names for the unit
    /// of the same numbers.
    pub counter_unit: Option<String>,
    /// The value in that unit, digit for digit as far as a [`Decimal`] has room for them, rounded
    /// beyond.
    pub counter_volume: Decimal,
    /// The user who owns the resource.
    pub user_id: Option<String>,
    /// The user's name, which Ceilometer adds if `identity_name_discovery` is set.
    pub user_name: Option<String>,
    /// The tenant, if the sample has one.
    pub project_id: Option<String>,
    /// The tenant's name, likewise.
    pub project_name: Option<String>,
    /// The measured resource: an instance, a disk of it, a volume, an image, a project.
    pub resource_id: String,
    /// The definer of the sample, usually `openstack`.
    pub source: Option<String>,
    /// When it was measured, by the sender's clock; a time without a zone is UTC.
    pub timestamp: Timestamp,
    /// The sample's own id. Copies of one sample that travel by different routes have different ids.
    pub message_id: Option<String>,
    /// `resource_metadata` as in the text, except for the parts that only Python accepts (see
    /// [`json`](super::json)); `None` if it is empty.
    pub metadata: Option<String>,
}

/// A sample that does not count, with the parts of it that could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the sample's, by the same names")]
pub struct InvalidSample {
    /// Why it does not count, one clause.
    pub reason: &'static str,
    pub counter_name: Option<String>,
    pub project_id: Option<String>,
    pub resource_id: Option<String>,
    pub message_id: Option<String>,
    pub timestamp: Option<Timestamp>,
    /// The value as it was written, without the quotes of a string.
    pub counter_volume: Option<String>,
}

/// Returns every sample of an event of family `meter`, in order, each read by itself: an invalid sample
/// does not affect its neighbours. The log's `bad_signatures` are indexes into this list.
///
/// # Errors
///
/// When the body cannot be read as a message at all, or contains more samples than one may.
pub fn samples(body: &[u8]) -> Result<Vec<Result<Sample, Box<InvalidSample>>>, PayloadFault> {
    let elements = shape::elements(body).map_err(PayloadFault::unreadable("body"))?;
    Ok(elements.into_iter().map(|span| sample::read(&body[span])).collect())
}
