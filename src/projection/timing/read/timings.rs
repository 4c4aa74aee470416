//! Durations of operations, by group: from hourly sums, or from the operations themselves.

use jiff::Timestamp;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, GenericClient, Row};

/// The operations to sum up, and the page of groups to return.
pub struct TimingQuery<'a> {
    /// The column to group by; empty for the operations' names.
    pub dimension: &'a str,
    /// The one name of operations that counts.
    pub operation: Option<&'a str>,
    pub from: Option<Timestamp>,
    /// Not included.
    pub to: Option<Timestamp>,
    /// The last group of the page before.
    pub after: Option<&'a str>,
    pub limit: i64,
}

/// The sum of a group's hours.
pub struct HourlyRow {
    /// The value of the dimension; empty where it is unknown.
    pub group: String,
    pub count: i64,
    pub failed: i64,
    pub open: i64,
    /// The sum of the durations of complete operations.
    pub sum_us: f64,
    /// The sketch of these durations: bins in ascending order, and how many durations each contains.
    pub bins: Vec<i32>,
    pub bin_counts: Vec<i64>,
}

/// A group of operations. Durations are of complete ones.
pub struct ExactRow {
    /// The value of the dimension; empty where it is unknown.
    pub group: String,
    pub count: i64,
    pub failed: i64,
    pub open: i64,
    pub min_us: Option<f64>,
    pub mean_us: Option<f64>,
    pub max_us: Option<f64>,
    /// The quantiles 0.5, 0.9, 0.95 and 0.99, interpolated.
    pub quantiles_us: Option<Vec<Option<f64>>>,
}

const HOURLY: &str = "-- timing::timings
    WITH hours AS (
        SELECT CASE WHEN dimension = '' THEN operation ELSE value END COLLATE \"C\" AS grp, *
        FROM timing.operation_hour
        WHERE dimension = $1 AND ($2::text IS NULL OR operation = $2)
          AND ($3::timestamptz IS NULL OR hour >= $3) AND ($4::timestamptz IS NULL OR hour < $4)
    ), groups AS (
        SELECT grp, sum(count)::bigint AS count, sum(failed)::bigint AS failed,
               sum(open)::bigint AS open, sum(sum_us)::float8 AS sum_us
        FROM hours WHERE $5::text IS NULL OR grp > $5
        GROUP BY grp ORDER BY grp LIMIT $6
    ), bins AS (
        SELECT grp, bin, sum(n)::bigint AS n
        FROM hours, unnest(bins, bin_counts) AS b (bin, n)
        WHERE grp IN (SELECT grp FROM groups) GROUP BY grp, bin
    )
    SELECT g.*, coalesce(b.bins, '{}') AS bins, coalesce(b.counts, '{}') AS bin_counts
    FROM groups g LEFT JOIN (
        SELECT grp, array_agg(bin ORDER BY bin) AS bins, array_agg(n ORDER BY bin) AS counts
        FROM bins GROUP BY grp
    ) b USING (grp) ORDER BY g.grp";

const EXACT: &str = "-- timing::timings exact
    WITH operations AS (
        SELECT coalesce(CASE $1 WHEN '' THEN operation WHEN 'host' THEN host
                                WHEN 'flavor' THEN flavor WHEN 'image' THEN image
                                WHEN 'project_id' THEN project_id END, '') COLLATE \"C\" AS grp,
               status, duration_us
        FROM timing.operation
        WHERE ($2::text IS NULL OR operation = $2)
          AND ($3::timestamptz IS NULL OR at >= $3)
          AND ($4::timestamptz IS NULL OR at < $4)
    ), timed AS (
        SELECT grp, status, CASE WHEN status = 'complete' THEN duration_us END AS us FROM operations
        WHERE $5::text IS NULL OR grp > $5
    )
    SELECT grp, count(*) AS count, count(*) FILTER (WHERE status = 'failed') AS failed,
           count(*) FILTER (WHERE status = 'open') AS open,
           min(us)::float8 AS min, avg(us)::float8 AS mean, max(us)::float8 AS max,
           percentile_cont('{0.5, 0.9, 0.95, 0.99}'::float8[]) WITHIN GROUP (ORDER BY us) AS quantiles
    FROM timed GROUP BY grp ORDER BY grp LIMIT $6";

impl From<&Row> for HourlyRow {
    fn from(row: &Row) -> Self {
        HourlyRow {
            group: row.get("grp"),
            count: row.get("count"),
            failed: row.get("failed"),
            open: row.get("open"),
            sum_us: row.get("sum_us"),
            bins: row.get("bins"),
            bin_counts: row.get("bin_counts"),
        }
    }
}

impl From<&Row> for ExactRow {
    fn from(row: &Row) -> Self {
        ExactRow {
            group: row.get("grp"),
            count: row.get("count"),
            failed: row.get("failed"),
            open: row.get("open"),
            min_us: row.get("min"),
            mean_us: row.get("mean"),
            max_us: row.get("max"),
            quantiles_us: row.get("quantiles"),
        }
    }
}

impl TimingQuery<'_> {
    fn parameters(&self) -> [&(dyn ToSql + Sync); 6] {
        [&self.dimension, &self.operation, &self.from, &self.to, &self.after, &self.limit]
    }
}

/// Sums up the hours of each group, in the order of groups. `from` and `to` must be whole hours.
pub async fn sum_hours(
    client: &impl GenericClient,
    query: &TimingQuery<'_>,
) -> Result<Vec<HourlyRow>, Error> {
    let rows = client.query(HOURLY, &query.parameters()).await?;
    Ok(rows.iter().map(HourlyRow::from).collect())
}

/// Sums up the operations of each group, in the order of groups.
pub async fn sum_operations(
    client: &impl GenericClient,
    query: &TimingQuery<'_>,
) -> Result<Vec<ExactRow>, Error> {
    let rows = client.query(EXACT, &query.parameters()).await?;
    Ok(rows.iter().map(ExactRow::from).collect())
}
