//! Series of samples: the meters of a tenant's resources, and those with samples that arrived late.

use std::ops::Range;

use jiff::Timestamp;
use tokio_postgres::{GenericClient, Row};

/// One meter of one resource of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    /// The resource's id, as the samples have it.
    pub resource_id: String,
    /// The meter's name.
    pub meter: String,
}

/// Reads the series of a tenant that are of one of the meters and have samples before a time, or may have
/// some; in order.
///
/// # Errors
///
/// When the database does not answer.
pub async fn series_of_tenant(
    client: &impl GenericClient,
    tenant_id: &str,
    meters: &[&str],
    until: Timestamp,
) -> Result<Vec<Series>, tokio_postgres::Error> {
    let statement = "-- metering::series_of_tenant
        SELECT r.resource_id, m.meter
        FROM metering.resource AS r, unnest(r.meters) AS m (meter)
        WHERE r.project_id = $1 AND r.first_at < $3 AND m.meter = ANY($2)
        ORDER BY 1, 2";
    let rows = client.query(statement, &[&tenant_id, &meters, &until]).await?;
    Ok(rows.iter().map(|row| Series { resource_id: row.get(0), meter: row.get(1) }).collect())
}

/// A project that has samples of a resource, and their meters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The resource's id, as the samples have it.
    pub resource_id: String,
    /// The project.
    pub project_id: String,
    /// The meters' names.
    pub meters: Vec<String>,
}

/// Reads the projects that have samples of the resources; in order.
///
/// # Errors
///
/// When the database does not answer.
pub async fn owners(
    client: &impl GenericClient,
    resource_ids: &[&str],
) -> Result<Vec<Owner>, tokio_postgres::Error> {
    let statement = "-- metering::owners
        SELECT resource_id, project_id, meters FROM metering.resource
        WHERE resource_id = ANY ($1) AND project_id IS NOT NULL ORDER BY 1, 2";
    let rows = client.query(statement, &[&resource_ids]).await?;
    let owner =
        |row: &Row| Owner { resource_id: row.get(0), project_id: row.get(1), meters: row.get(2) };
    Ok(rows.iter().map(owner).collect())
}

/// A series that readings determine a window of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowSeries {
    /// The resource's id, as the samples have it.
    pub resource_id: String,
    /// The mapping's index in the configuration; its meter is the series'.
    pub mapping: i16,
}

/// Reads the series of a tenant that have rows for one window, whether something was used or not.
///
/// # Errors
///
/// When the database does not answer.
pub async fn series_of_window(
    client: &impl GenericClient,
    tenant_id: &str,
    window: Timestamp,
) -> Result<Vec<WindowSeries>, tokio_postgres::Error> {
    let statement = "-- metering::series_of_window
        SELECT DISTINCT resource_id, mapping FROM metering.usage_window
        WHERE project_id = $1 AND \"window\" = $2";
    let rows = client.query(statement, &[&tenant_id, &window]).await?;
    Ok(rows
        .iter()
        .map(|row| WindowSeries { resource_id: row.get(0), mapping: row.get(1) })
        .collect())
}

/// The windows of a resource and mapping that were computed anew after a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateWindows {
    /// The resource's id, as the samples have it.
    pub resource_id: String,
    /// The mapping's index in the configuration.
    pub mapping: i16,
    /// The start of the first of these windows.
    pub first: Timestamp,
}

/// Reads which windows of a tenant that begin before a time depend on a reading after the position.
///
/// # Errors
///
/// When the database does not answer.
pub async fn late_windows(
    client: &impl GenericClient,
    tenant_id: &str,
    before: Timestamp,
    position: i64,
) -> Result<Vec<LateWindows>, tokio_postgres::Error> {
    let statement = "-- metering::late_windows
        SELECT resource_id, mapping, min(\"window\") FROM metering.usage_window
        WHERE project_id = $1 AND \"window\" < $2 AND position > $3 GROUP BY 1, 2";
    let rows = client.query(statement, &[&tenant_id, &before, &position]).await?;
    let windows =
        |row: &Row| LateWindows { resource_id: row.get(0), mapping: row.get(1), first: row.get(2) };
    Ok(rows.iter().map(windows).collect())
}

/// A series with readings that became known late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateSeries {
    /// The series.
    pub series: Series,
    /// The time of the earliest of these readings.
    pub first: Timestamp,
}

/// Reads which series of a tenant, of the meters or of all, have, as of the last of the positions, readings
/// before a time whose events come after the first of the positions.
///
/// # Errors
///
/// When the database does not answer.
pub async fn late_samples(
    client: &impl GenericClient,
    tenant_id: &str,
    meters: Option<&[&str]>,
    before: Timestamp,
    positions: Range<i64>,
) -> Result<Vec<LateSeries>, tokio_postgres::Error> {
    let statement = "-- metering::late_samples
        SELECT resource_id, counter_name, min(\"timestamp\") FROM (
            SELECT resource_id, counter_name, \"timestamp\" FROM metering.sample
            WHERE position > $4 AND position <= $5 AND project_id = $1
              AND ($2::text[] IS NULL OR counter_name = ANY ($2)) AND \"timestamp\" < $3 AND trusted
            UNION ALL
            SELECT resource_id, counter_name, \"timestamp\" FROM metering.superseded
            WHERE superseded_at > $5 AND position > $4 AND position <= $5 AND project_id = $1
              AND ($2::text[] IS NULL OR counter_name = ANY ($2)) AND \"timestamp\" < $3 AND trusted
        ) AS late GROUP BY 1, 2";
    let rows = client
        .query(statement, &[&tenant_id, &meters, &before, &positions.start, &positions.end])
        .await?;
    let series = |row: &Row| LateSeries {
        series: Series { resource_id: row.get(0), meter: row.get(1) },
        first: row.get(2),
    };
    Ok(rows.iter().map(series).collect())
}

/// A resource of a tenant that another project has samples of as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedResource {
    /// The resource's id, as the samples have it.
    pub resource_id: String,
    /// The other project.
    pub project_id: String,
}

/// Reads the resources of a tenant that other projects have samples of as well; in order.
///
/// # Errors
///
/// When the database does not answer.
pub async fn shared_resources(
    client: &impl GenericClient,
    tenant_id: &str,
) -> Result<Vec<SharedResource>, tokio_postgres::Error> {
    let statement = "-- metering::shared_resources
        SELECT other.resource_id, other.project_id
        FROM metering.resource AS own JOIN metering.resource AS other USING (resource_id)
        WHERE own.project_id = $1 AND other.project_id <> $1 ORDER BY 1, 2";
    let rows = client.query(statement, &[&tenant_id]).await?;
    let shared = |row: &Row| SharedResource { resource_id: row.get(0), project_id: row.get(1) };
    Ok(rows.iter().map(shared).collect())
}
