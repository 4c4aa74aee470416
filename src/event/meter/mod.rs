//! Ceilometer's samples: every shape and era of its messages as one struct.

mod sample;
mod shape;
mod signature;
#[cfg(test)]
mod tests;
mod volume;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::PayloadFault;
pub use signature::bad_signatures;

/// One measured value. Texts that are `""` or `null` are `None`; longer ones than
/// [`TEXT_MAX`](super::TEXT_MAX) are cut as a header's are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The meter, e.g. `cpu`.
    pub counter_name: String,
    /// `gauge`, `delta` or `cumulative`, as sent.
    pub counter_type: Option<String>,
    /// The unit, e.g. `ns`. `MB` and `GB` are `MiB` and `GiB`, which the same numbers were called
    /// later on.
    pub counter_unit: Option<String>,
    /// The value in that unit, digit for digit as far as a [`Decimal`] holds them, rounded beyond.
    pub counter_volume: Decimal,
    /// The user whose resource it is.
    pub user_id: Option<String>,
    /// The tenant; `None`: a sample of no tenant.
    pub project_id: Option<String>,
    /// What was measured: an instance, a disk of it, a volume, an image, a project.
    pub resource_id: String,
    /// Who defined the sample, `openstack` as a rule.
    pub source: Option<String>,
    /// When it was measured, by the sender's clock; without a zone it is UTC.
    pub timestamp: Timestamp,
    /// The sample's own id. The copies of one sample that travel by another route have another one.
    pub message_id: Option<String>,
    /// `resource_metadata` as it stands in the text, but for what only Python reads (see
    /// [`json`](super::json)); `None` where it holds nothing.
    pub metadata: Option<String>,
}

/// A sample that cannot be counted: why, and what could be read of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the sample's, by the same names")]
pub struct Invalid {
    /// Why not, one clause.
    pub reason: &'static str,
    pub counter_name: Option<String>,
    pub project_id: Option<String>,
    pub resource_id: Option<String>,
    pub message_id: Option<String>,
    pub timestamp: Option<Timestamp>,
    /// The value as it is written, without the quotes of a string.
    pub counter_volume: Option<String>,
}

/// Every sample of an event of family `meter`, in order, each by itself: one that cannot be read
/// changes nothing about its neighbours. The index within this list is what the log's
/// `bad_signatures` counts by.
///
/// # Errors
///
/// When the body cannot be read as a message at all, or contains more samples than one may.
pub fn samples(body: &[u8]) -> Result<Vec<Result<Sample, Box<Invalid>>>, PayloadFault> {
    let elements = shape::elements(body).map_err(PayloadFault::unreadable("body"))?;
    Ok(elements.into_iter().map(|span| sample::read(&body[span])).collect())
}
