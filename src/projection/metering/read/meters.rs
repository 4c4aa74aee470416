//! Meters, by name, type and unit.

use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::{GenericClient, Row};
use utoipa::ToSchema;

/// A meter, in one type and unit.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Meter {
    /// The meter's name.
    pub meter: String,
    /// `gauge`, `delta` or `cumulative`.
    pub r#type: Option<String>,
    /// The unit of its samples.
    pub unit: Option<String>,
    /// The number of its samples that count.
    pub samples: i64,
    /// The time of its earliest sample.
    #[schema(value_type = String, format = DateTime)]
    pub first_at: Timestamp,
    /// The time of its latest sample.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
}

/// The sort key of a meter: name, type and unit; empty where there is none.
pub type MeterKey = [String; 3];

impl Meter {
    /// Returns the meter's sort key.
    pub fn key(&self) -> MeterKey {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        [self.meter.clone(), text(&self.r#type), text(&self.unit)]
    }
}

/// Reads a page of the meters that come after `after`, in order.
///
/// # Errors
///
/// When the database does not answer.
pub async fn meters(
    client: &impl GenericClient,
    after: Option<MeterKey>,
    limit: i64,
) -> Result<Vec<Meter>, tokio_postgres::Error> {
    let [name, kind, unit] = after.map_or([const { None }; 3], |key| key.map(Some));
    let statement = "-- metering::meters
        SELECT counter_name, counter_type, counter_unit, samples, first_at, last_at
        FROM metering.meter
        WHERE $1::text IS NULL
           OR (counter_name, coalesce(counter_type, ''), coalesce(counter_unit, '')) > ($1, $2::text, $3::text)
        ORDER BY counter_name, coalesce(counter_type, ''), coalesce(counter_unit, '') LIMIT $4";
    let rows = client.query(statement, &[&name, &kind, &unit, &limit]).await?;
    let meter = |row: &Row| Meter {
        meter: row.get(0),
        r#type: row.get(1),
        unit: row.get(2),
        samples: row.get(3),
        first_at: row.get(4),
        last_at: row.get(5),
    };
    Ok(rows.iter().map(meter).collect())
}
