//! Usage of whole windows, summed by the database.

use std::collections::BTreeMap;
use std::pin::pin;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use tokio_postgres::{GenericClient, Row};

use super::ReadError;
use crate::billing::{Span, Usage, Volume};

/// Reads the first window in which a tenant used something, by its start.
///
/// # Errors
///
/// When the database does not answer.
pub async fn first_usage(
    client: &impl GenericClient,
    tenant_id: &str,
) -> Result<Option<Timestamp>, tokio_postgres::Error> {
    let statement = "-- metering::first_usage
        SELECT \"window\" FROM metering.usage_window
        WHERE project_id = $1 AND service IS NOT NULL ORDER BY \"window\" LIMIT 1";
    Ok(client.query_opt(statement, &[&tenant_id]).await?.map(|row| row.get(0)))
}

/// What a resource used of a service in several whole windows.
#[derive(Clone, Debug)]
pub struct UsageSum<'r> {
    /// The mapping's index in the configuration.
    pub mapping: usize,
    /// The resource's id, as the samples have it.
    pub resource_id: &'r str,
    /// The service, and the sum of its volumes.
    pub usage: Usage,
    /// From the start of the first of the windows to the end of the last.
    pub span: Span,
    /// The start of the last of the windows.
    pub last: Timestamp,
    /// The number of windows.
    pub windows: u32,
}

/// The columns of a [`UsageSum`].
const SUM: &str = "mapping, resource_id, service, sum(volume)::text, sum(covered_us)::bigint,
    count(*), min(\"window\"), max(\"window\"), type_id, negative";

impl<'r> UsageSum<'r> {
    /// Reads [`SUM`].
    fn read(row: &'r Row) -> Result<Self, ReadError> {
        let volume = Volume::from_numeric(row.get(3)).ok_or(ReadError::Defect("a volume"))?;
        let windows = u32::try_from(row.get::<_, i64>(5));
        let (first, last): (Timestamp, Timestamp) = (row.get(6), row.get(7));
        Ok(UsageSum {
            mapping: mapping_index(row.get(0))?,
            resource_id: row.get(1),
            usage: Usage {
                service: row.get(2),
                type_id: row.get(8),
                is_negative: row.get(9),
                volume,
                covered_us: row.get(4),
            },
            span: Span { from: first, to: Span::hour_of(last).to },
            last,
            windows: windows.map_err(|_| ReadError::Defect("too many windows"))?,
        })
    }
}

/// What the samples of a resource reported about it in several windows, by field.
#[derive(Clone, Debug)]
pub struct Description<'r> {
    /// The mapping's index in the configuration.
    pub mapping: usize,
    /// The resource's id, as the samples have it.
    pub resource_id: &'r str,
    /// The start of the last of the windows.
    pub last: Timestamp,
    /// The values of the mapping's metadata fields.
    pub fields: BTreeMap<String, String>,
}

fn mapping_index(mapping: i16) -> Result<usize, ReadError> {
    usize::try_from(mapping).map_err(|_| ReadError::Defect("a mapping"))
}

fn description_fields(json: Option<&str>) -> Result<BTreeMap<String, String>, ReadError> {
    let fields = json.map(serde_json::from_str).transpose();
    Ok(fields.map_err(|_| ReadError::Defect("a description"))?.unwrap_or_default())
}

/// Sums a tenant's usage of whole windows, by service, description and part of the span. `first` and
/// `last` are the starts of the first and the last window; windows that start at a time of `left_out` are
/// left out. `changes` are the starts of the parts, in order. Each sum goes to `each` as it arrives.
///
/// # Errors
///
/// When the database does not answer, a row cannot be read, or `each` fails.
pub async fn sums_by_description<E: From<ReadError>>(
    client: &impl GenericClient,
    tenant_id: &str,
    (first, last): (Timestamp, Timestamp),
    left_out: &[Timestamp],
    changes: &[Timestamp],
    mut each: impl FnMut(UsageSum<'_>, &BTreeMap<String, String>) -> Result<(), E>,
) -> Result<(), E> {
    let statement = format!(
        "-- metering::sums_by_description
         SELECT {SUM}, description
         FROM metering.usage_window
         WHERE project_id = $1 AND \"window\" >= $2 AND \"window\" <= $3
           AND \"window\" <> ALL ($4) AND service IS NOT NULL
         GROUP BY mapping, resource_id, service, type_id, negative, description,
                  width_bucket(\"window\", $5::timestamptz[])"
    );
    let parameters: [&(dyn ToSql + Sync); 5] = [&tenant_id, &first, &last, &left_out, &changes];
    let rows = client.query_raw(&statement, parameters).await.map_err(ReadError::from)?;
    let mut rows = pin!(rows);
    while let Some(row) = rows.try_next().await.map_err(ReadError::from)? {
        let fields = description_fields(row.get(10))?;
        each(UsageSum::read(&row)?, &fields)?;
    }
    Ok(())
}

/// Sums a tenant's usage of the whole windows of a span, by service. Each sum goes to `each` as it
/// arrives.
///
/// # Errors
///
/// When the database does not answer, a row cannot be read, or `each` fails.
pub async fn sums_by_service<E: From<ReadError>>(
    client: &impl GenericClient,
    tenant_id: &str,
    span: Span,
    mut each: impl FnMut(UsageSum<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let statement = format!(
        "-- metering::sums_by_service
         SELECT {SUM}
         FROM metering.usage_window
         WHERE project_id = $1 AND \"window\" >= $2 AND \"window\" < $3 AND service IS NOT NULL
         GROUP BY mapping, resource_id, service, type_id, negative"
    );
    let parameters: [&(dyn ToSql + Sync); 3] = [&tenant_id, &span.from, &span.to];
    let rows = client.query_raw(&statement, parameters).await.map_err(ReadError::from)?;
    let mut rows = pin!(rows);
    while let Some(row) = rows.try_next().await.map_err(ReadError::from)? {
        each(UsageSum::read(&row)?)?;
    }
    Ok(())
}

/// Reads the descriptions of the resources that a tenant used in the whole windows of a span, each with
/// the last window it is of. Each goes to `each` as it arrives.
///
/// # Errors
///
/// When the database does not answer, or a row cannot be read.
pub async fn descriptions(
    client: &impl GenericClient,
    tenant_id: &str,
    span: Span,
    mut each: impl FnMut(Description<'_>),
) -> Result<(), ReadError> {
    let statement = "-- metering::descriptions
        SELECT mapping, resource_id, description, max(\"window\")
        FROM metering.usage_window
        WHERE project_id = $1 AND \"window\" >= $2 AND \"window\" < $3 AND service IS NOT NULL
        GROUP BY mapping, resource_id, description";
    let parameters: [&(dyn ToSql + Sync); 3] = [&tenant_id, &span.from, &span.to];
    let mut rows = pin!(client.query_raw(statement, parameters).await?);
    while let Some(row) = rows.try_next().await? {
        each(Description {
            mapping: mapping_index(row.get(0))?,
            resource_id: row.get(1),
            last: row.get(3),
            fields: description_fields(row.get(2))?,
        });
    }
    Ok(())
}
