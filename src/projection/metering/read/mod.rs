//! Queries on the tables of metering, as functions that return typed rows. No statement elsewhere in the
//! program names these tables; only the projection itself has statements on the rows that it writes.
//!
//! Functions take any connection. Several queries of one answer share a transaction
//! ([`Reader`](super::Reader)), and are then of one moment.

pub mod export;
mod metadata;
mod meters;
mod names;
mod readings;
mod rejected;
mod resources;
mod samples;
mod series;
mod tenants;
mod usage;

pub use metadata::metadata;
pub use names::{project_name, volume_type_names};
pub use readings::{
    EvidenceRow, HostKey, ReadingKey, ReadingRow, SeriesReading, last_of_hosts_as_of,
    readings_as_of, superseded_readings, timeline,
};
pub use samples::{Sample, SeriesAsOf, last_sample_before, samples_as_of};
pub use series::{
    LateSeries, LateWindows, Owner, Series, SharedResource, WindowSeries, late_samples,
    late_windows, owners, series_of_tenant, series_of_window, shared_resources,
};
pub use tenants::{Tenant, first_sample_of, is_known_tenant, tenants};
pub use usage::{
    Description, UsageSum, descriptions, first_usage, sums_by_description, sums_by_service,
};

pub(super) use metadata::metadata_by_id;
pub(super) use meters::{Meter, MeterKey, meters};
pub(super) use readings::{HostKeys, SpanKeys, last_of_hosts, next_of_hosts, readings_of_spans};
pub(super) use rejected::{RejectedSample, rejected_samples};
pub(super) use resources::{Resource, ResourceFilter, ResourceKey, resources};
pub(super) use samples::{SampleFilter, SampleKey, samples};

use serde_json::value::{RawValue, to_raw_value};

/// The schema that a statement reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Schema {
    /// The one of the live tables.
    Live,
    /// The one that the search path names: a replay reads the tables that it fills.
    SearchPath,
}

impl Schema {
    /// Returns the part of a table's name before the table.
    const fn prefix(self) -> &'static str {
        match self {
            Schema::Live => "metering.",
            Schema::SearchPath => "",
        }
    }
}

/// Why rows cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The database does not answer, or refuses the statement.
    #[error(transparent)]
    Database(#[from] tokio_postgres::Error),
    /// A row contains a value that the projection does not write.
    #[error("metering.usage_window contains {0} that cannot be read")]
    Defect(&'static str),
}

/// Returns metadata as the JSON that it is, or as a JSON string if it is not JSON.
fn json(body: &str) -> Option<Box<RawValue>> {
    serde_json::from_str(body).or_else(|_| to_raw_value(body)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_comes_back_as_it_was_sent() {
        for (body, shown) in [
            (r#"{"b": 1.50, "a": [1e400]}"#, r#"{"b": 1.50, "a": [1e400]}"#),
            ("{'a': 1}", r#""{'a': 1}""#),
            ("", r#""""#),
        ] {
            assert_eq!(json(body).unwrap().get(), shown);
        }
    }
}
