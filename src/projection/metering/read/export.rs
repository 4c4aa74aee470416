//! Samples in order of positions, a stretch at a time: for copies of the read model in other databases.

use jiff::Timestamp;
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

/// A sample, with the nine columns of the exported table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The meter.
    pub counter_name: String,
    /// gauge, delta, cumulative, or any other type that was sent.
    pub counter_type: Option<String>,
    /// The unit.
    pub counter_unit: Option<String>,
    /// The volume with every digit, never with an exponent.
    pub counter_volume: String,
    /// The sender's id of the sample.
    pub message_id: String,
    /// The tenant.
    pub project_id: Option<String>,
    /// The resource that was metered.
    pub resource_id: String,
    /// The service that metered it.
    pub source: Option<String>,
    /// The time of measurement.
    pub timestamp: Timestamp,
}

/// A sample, its metadata, and the position that it is ordered by.
#[derive(Clone, Debug)]
pub struct SampleRow {
    /// The sample.
    pub sample: Sample,
    /// Its metadata's id, if it has metadata; see [`load_metadata`].
    pub metadata_id: Option<Uuid>,
    /// The position of the event that sent it, or that superseded it ([`Rows::Superseded`]).
    pub position: i64,
}

/// The rows of a range of positions.
#[derive(Clone, Copy, Debug)]
pub enum Rows {
    /// Samples that count now, by the position of the event that sent them.
    Samples,
    /// Samples that counted when the read model was at this position.
    AsOf(i64),
    /// Samples that were superseded, by the position of the event that did it.
    Superseded,
}

impl Rows {
    fn statement(self) -> String {
        let columns = r#"counter_name, counter_type, counter_unit, counter_volume::text AS counter_volume,
            message_id, project_id, resource_id, source, "timestamp", metadata_id, increase"#;
        let now = format!(
            "SELECT {columns}, position FROM metering.sample WHERE position > $1 AND position <= $2"
        );
        let rows = match self {
            Rows::Samples => now,
            Rows::AsOf(as_of) => format!(
                "{now} UNION ALL
                 SELECT {columns}, position FROM metering.superseded
                 WHERE superseded_at > {as_of} AND position > $1 AND position <= $2"
            ),
            Rows::Superseded => format!(
                "SELECT {columns}, superseded_at AS position FROM metering.superseded
                 WHERE superseded_at > $1 AND superseded_at <= $2"
            ),
        };
        // The order is total: which message id comes first must not depend on chance.
        format!(
            r#"-- metering::export_stretch
               {rows} ORDER BY position, counter_name, resource_id, "timestamp", project_id,
                   increase LIMIT $3"#
        )
    }
}

/// Returns the rows of positions in `(from, until]` and the last position that they cover. If they are more
/// than `batch`, the stretch ends earlier. A position is never split: one that has more than `batch` rows is
/// a stretch of its own.
///
/// # Errors
///
/// When the database does not answer.
pub async fn load_stretch(
    tx: &Transaction<'_>,
    rows: Rows,
    from: i64,
    until: i64,
    batch: usize,
) -> Result<(i64, Vec<SampleRow>), tokio_postgres::Error> {
    let statement = tx.prepare(&rows.statement()).await?;
    let limit = Some(batch as i64 + 1);
    let found = tx.query(&statement, &[&from, &until, &limit]).await?;
    let mut found: Vec<SampleRow> = found.iter().map(SampleRow::from).collect();
    let Some(last) = found.get(batch).map(|row| row.position) else { return Ok((until, found)) };
    found.retain(|row| row.position < last);
    if let Some(whole) = found.last() {
        return Ok((whole.position, found));
    }
    // One event sent more samples than a batch contains.
    let found = tx.query(&statement, &[&from, &last, &None::<i64>]).await?;
    Ok((last, found.iter().map(SampleRow::from).collect()))
}

/// Returns the metadata of these ids, each as the text that was sent.
///
/// # Errors
///
/// When the database does not answer.
pub async fn load_metadata(
    tx: &Transaction<'_>,
    ids: &[Uuid],
) -> Result<Vec<(Uuid, String)>, tokio_postgres::Error> {
    let statement = "-- metering::export_metadata
        SELECT metadata_id, body FROM metering.metadata WHERE metadata_id = ANY($1)";
    let rows = tx.query(statement, &[&ids]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

impl From<&Row> for SampleRow {
    fn from(row: &Row) -> Self {
        SampleRow {
            sample: Sample {
                counter_name: row.get("counter_name"),
                counter_type: row.get("counter_type"),
                counter_unit: row.get("counter_unit"),
                counter_volume: row.get("counter_volume"),
                message_id: row.get("message_id"),
                project_id: row.get("project_id"),
                resource_id: row.get("resource_id"),
                source: row.get("source"),
                timestamp: row.get("timestamp"),
            },
            metadata_id: row.get("metadata_id"),
            position: row.get("position"),
        }
    }
}
