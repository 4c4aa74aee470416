//! Buckets of a host.

use jiff::Timestamp;
use tokio_postgres::{GenericClient, Row};

use crate::projection::rollup::resolution::Resolution;

/// A bucket. Numbers are plain decimals, as the database writes them.
pub(in crate::projection::rollup) struct BucketRow(Row);

impl BucketRow {
    pub fn metric(&self) -> &str {
        self.0.get("metric")
    }

    pub fn start(&self) -> Timestamp {
        self.0.get("start")
    }

    pub fn count(&self) -> i64 {
        self.0.get("count")
    }

    pub fn sum(&self) -> &str {
        self.0.get("sum")
    }

    pub fn min(&self) -> &str {
        self.0.get("min")
    }

    pub fn max(&self) -> &str {
        self.0.get("max")
    }

    pub fn last(&self) -> &str {
        self.0.get("last")
    }

    pub fn mean(&self) -> &str {
        self.0.get("mean")
    }

    pub fn sketch(&self) -> &[u8] {
        self.0.get("sketch")
    }
}

/// Reads the buckets of a host's metrics that start in [from, to), by metric and start.
pub(in crate::projection::rollup) async fn read_buckets(
    client: &impl GenericClient,
    (host, metrics): (&str, &[String]),
    resolution: Resolution,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<BucketRow>, tokio_postgres::Error> {
    let rows = client
        .query(
            &format!(
                "-- rollup::read_buckets
                 SELECT metric, start, count, sum::text, min::text, max::text, last::text, sketch,
                        trim_scale(sum / count)::text AS mean
                 FROM rollup.{} WHERE host = $1 AND metric = ANY($2) AND start >= $3 AND start < $4
                 ORDER BY metric, start",
                resolution.table()
            ),
            &[&host, &metrics, &from, &to],
        )
        .await?;
    Ok(rows.into_iter().map(BucketRow).collect())
}

/// The counts and sums of a bucket, with which its edge can be counted to the bucket before. Sums are plain
/// decimals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BucketSums {
    /// The number of samples.
    pub count: i64,
    /// Their sum.
    pub sum: String,
    /// The number of samples exactly on the start of the bucket.
    pub edge_count: i64,
    /// The sum of those samples.
    pub edge_sum: String,
}

/// Reads the buckets of a host's metrics that start in [from, to]. Returns metric, start and content of each,
/// in no particular order.
///
/// # Errors
///
/// When the database does not answer, or there is no read model yet.
pub async fn read_sums(
    client: &impl GenericClient,
    (host, metrics): (&str, &[&String]),
    resolution: Resolution,
    (from, to): (Timestamp, Timestamp),
) -> Result<Vec<(String, Timestamp, BucketSums)>, tokio_postgres::Error> {
    let rows = client
        .query(
            &format!(
                "-- rollup::read_sums
                 SELECT metric, start, count, sum::text, edge_count, edge_sum::text
                 FROM rollup.{}
                 WHERE host = $1 AND metric = ANY($2) AND start >= $3 AND start <= $4",
                resolution.table()
            ),
            &[&host, &metrics, &from, &to],
        )
        .await?;
    let sums = |row: &Row| {
        let sums = BucketSums {
            count: row.get(2),
            sum: row.get(3),
            edge_count: row.get(4),
            edge_sum: row.get(5),
        };
        (row.get(0), row.get(1), sums)
    };
    Ok(rows.iter().map(sums).collect())
}
