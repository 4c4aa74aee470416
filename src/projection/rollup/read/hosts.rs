//! Hosts and the metrics measured on them.

use jiff::Timestamp;
use tokio_postgres::GenericClient;
use uuid::Uuid;

/// A host with the span of its samples.
pub(in crate::projection::rollup) struct HostRow {
    pub host: String,
    /// In order.
    pub metrics: Vec<String>,
    /// The time of its first sample; `None` if none counts.
    pub first_at: Option<Timestamp>,
    /// The latest time at which a sample shows that it was alive: its own time or, if the host's clock was
    /// ahead, that of its arrival.
    pub alive_at: Option<Timestamp>,
    /// The latest time of a sample.
    pub latest_at: Option<Timestamp>,
}

/// The values of a host and metric that do not count, for one reason.
pub(in crate::projection::rollup) struct RejectionRow {
    pub host: String,
    pub metric: Option<String>,
    pub reason: String,
    pub count: i64,
    /// Time and event of the latest value.
    pub last_at: Option<Timestamp>,
    pub last_id: Uuid,
}

/// Reads at most `rows` hosts that sent values, in order of their names, after the name `after`. Samples later
/// than `until` count for [`HostRow::latest_at`] alone.
pub(in crate::projection::rollup) async fn list_hosts(
    client: &impl GenericClient,
    until: Timestamp,
    after: Option<&str>,
    rows: i64,
) -> Result<Vec<HostRow>, tokio_postgres::Error> {
    // PostgreSQL's calendar does not begin as early as ours, and no sample is older than this.
    let until = until.max(Timestamp::UNIX_EPOCH);
    let rows = client.query(include_str!("hosts.sql"), &[&after, &rows, &until]).await?;
    let host = |row: &tokio_postgres::Row| HostRow {
        host: row.get("host"),
        metrics: row.get("metrics"),
        first_at: row.get("first_at"),
        alive_at: row.get("alive_at"),
        latest_at: row.get("latest_at"),
    };
    Ok(rows.iter().map(host).collect())
}

/// Reads the rejected values of hosts, by host, metric and reason.
pub(in crate::projection::rollup) async fn list_rejections(
    client: &impl GenericClient,
    hosts: &[&str],
) -> Result<Vec<RejectionRow>, tokio_postgres::Error> {
    let rows = client
        .query(
            "-- rollup::list_rejections
             SELECT host, metric, reason, sum(count)::bigint AS count,
                    (array_agg(last_at ORDER BY last_at DESC NULLS LAST, last_id DESC))[1] AS last_at,
                    (array_agg(last_id ORDER BY last_at DESC NULLS LAST, last_id DESC))[1] AS last_id
             FROM rollup.rejected WHERE host = ANY($1)
             GROUP BY host, metric, reason ORDER BY host, metric NULLS FIRST, reason",
            &[&hosts],
        )
        .await?;
    let rejection = |row: &tokio_postgres::Row| RejectionRow {
        host: row.get("host"),
        metric: row.get("metric"),
        reason: row.get("reason"),
        count: row.get("count"),
        last_at: row.get("last_at"),
        last_id: row.get("last_id"),
    };
    Ok(rows.iter().map(rejection).collect())
}

/// Reads the metrics of a host, in order; `None` if no value of the host ever came.
///
/// # Errors
///
/// When the database does not answer, or there is no read model yet.
pub async fn list_metrics(
    client: &impl GenericClient,
    host: &str,
) -> Result<Option<Vec<String>>, tokio_postgres::Error> {
    let row = client
        .query_one(
            "-- rollup::list_metrics
             SELECT array_agg(metric ORDER BY metric),
                    EXISTS (SELECT FROM rollup.rejected WHERE host = $1)
             FROM rollup.series WHERE host = $1",
            &[&host],
        )
        .await?;
    let (metrics, has_rejections): (Option<Vec<String>>, bool) = (row.get(0), row.get(1));
    Ok(metrics.or_else(|| has_rejections.then(Vec::new)))
}
