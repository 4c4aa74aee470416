//! Readings: the trusted samples of a tenant, which usage is computed from.
//!
//! Live usage, orders and `/get_usage` all need the readings of a span and the last one before it, and
//! their results have to agree to the byte. So one condition ([`condition`]) defines the readings of a
//! series, and one fragment ([`of_span`]) selects those of a span. The statements differ in their keys, in
//! the schema, and in whether they read the tables as of a position.

use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use rust_decimal::Decimal;
use tokio_postgres::{GenericClient, Row};
use uuid::Uuid;

use super::{Schema, Series};
use crate::billing::reading::{ForeignReading, OtherReading};
use crate::billing::{Metadata, Reading, Span, Timeline};
use crate::projection::metering::sample::Sample;

/// The columns of a [`ReadingRow`].
const COLUMNS: &str = "\"timestamp\", counter_volume, metadata_id, position, increase IS NOT NULL";

/// A stored reading, with as much of the sample as usage depends on. A series has one for each [`ReadingKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadingRow {
    /// When it was measured.
    pub at: Timestamp,
    /// The measured value, in the meter's unit.
    pub volume: Decimal,
    /// The id of its metadata, if it has any.
    pub metadata_id: Option<Uuid>,
    /// Position of the event that contains it.
    pub position: i64,
    /// Whether it is an increase: a sample of type delta.
    pub is_increase: bool,
}

/// The time of a reading, and the volume of an increase.
pub type ReadingKey = (Timestamp, Option<Decimal>);

impl ReadingRow {
    /// Returns the reading's [`ReadingKey`].
    pub fn key(&self) -> ReadingKey {
        (self.at, self.is_increase.then_some(self.volume))
    }

    /// Reads [`COLUMNS`], which begin at the column `first`.
    fn read(row: &Row, first: usize) -> Self {
        ReadingRow {
            at: row.get(first),
            volume: row.get(first + 1),
            metadata_id: row.get(first + 2),
            position: row.get(first + 3),
            is_increase: row.get(first + 4),
        }
    }
}

impl ReadingRow {
    /// Returns the host that its metadata names, which is among those given; `""` if it names none.
    pub(in crate::projection::metering) fn host(
        &self,
        metadata: &HashMap<Uuid, Metadata>,
    ) -> String {
        let metadata = self.metadata_id.and_then(|id| metadata.get(&id));
        metadata.map(|metadata| metadata.host().to_owned()).unwrap_or_default()
    }
}

impl From<&Sample> for ReadingRow {
    fn from(sample: &Sample) -> Self {
        ReadingRow {
            at: sample.timestamp,
            volume: sample.counter_volume,
            metadata_id: sample.metadata_id,
            position: sample.position,
            is_increase: sample.increase().is_some(),
        }
    }
}

/// A reading beside those of a series: of another meter of the resource, or of another project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceRow<'s> {
    /// The meter, or the project.
    pub source: &'s str,
    /// The reading.
    pub reading: ReadingRow,
}

impl<'s> EvidenceRow<'s> {
    /// Returns what distinguishes it from the other evidence of a series, in its order.
    pub(in crate::projection::metering) fn key(&self) -> (Timestamp, &'s str, Option<Decimal>) {
        let (at, increase) = self.reading.key();
        (at, self.source, increase)
    }
}

/// Returns the readings of a project's series with their metadata, in order, and the evidence of the
/// resource's other meters and of other projects.
pub fn timeline<'m>(
    project_id: &str,
    rows: &[ReadingRow],
    others: &[EvidenceRow<'m>],
    foreign: &[EvidenceRow<'_>],
    metadata: &'m HashMap<Uuid, Metadata>,
) -> Timeline<'m> {
    let reading = |row: &ReadingRow| Reading {
        at: row.at,
        volume: row.volume,
        metadata: row.metadata_id.and_then(|id| metadata.get(&id)),
        is_increase: row.is_increase,
        // Only decides between readings of one key, and there is one for each.
        message_id: "",
    };
    let other =
        |row: &EvidenceRow<'m>| OtherReading { meter: row.source, reading: reading(&row.reading) };
    let foreign = foreign
        .iter()
        .map(|row| ForeignReading { at: row.reading.at, is_last: row.source > project_id });
    Timeline::new(rows.iter().map(reading).collect())
        .with_evidence(others.iter().map(other).collect(), foreign.collect())
}

/// Returns the condition for a row of `sample` or `superseded` to be a reading of the series `k`. `times`
/// is the condition on its time. `as_of` is the parameter with the position as of which the tables are
/// read, unless all rows count; a row of `superseded` has to be superseded after it besides.
///
/// The index of identities serves it, by resource, meter and time; the collation is that index's alone. Live look-ups are for many keys at once:
/// `IS NOT DISTINCT FROM` keeps the planner from the index by project and time, in which all samples of a
/// tenant are neighbours. As of a position there is one tenant, and `=` lets the index of identities
/// compare it as well; otherwise the planner combines that index with the one of positions and reads more.
pub(super) fn condition(times: &str, as_of: Option<&str>) -> String {
    let rest = match as_of {
        None => "project_id IS NOT DISTINCT FROM k.project_id AND trusted".to_owned(),
        Some(position) => {
            format!("project_id = k.project_id AND trusted AND position <= {position}")
        }
    };
    format!(
        "resource_id = k.resource_id AND counter_name COLLATE \"POSIX\" = k.counter_name AND {times}
         AND {rest}"
    )
}

/// The order of readings from the last to the first: the reverse of [`ReadingKey`]'s.
const LAST_FIRST: &str = "\"timestamp\" DESC, increase DESC NULLS LAST";

/// Returns an item of a FROM list, `s`, with the readings of each key's span and the last one before it.
///
/// `k`, which comes before it in the list, has the columns `resource_id`, `counter_name` and
/// `project_id` of the series; `start` and `until` of the span; and `floor`: no reading before that time
/// counts. Values that are the same for all keys should be constants of `k`, not columns of an array: then
/// the planner knows which partitions to leave out. For `as_of` see [`condition`]; the readings that were
/// superseded since have to be added ([`superseded_readings`]).
fn of_span(schema: Schema, as_of: Option<&str>) -> String {
    let select = |times| {
        let (prefix, condition) = (schema.prefix(), condition(times, as_of));
        format!("SELECT {COLUMNS} FROM {prefix}sample WHERE {condition}")
    };
    format!(
        "LATERAL ({} UNION ALL ({} ORDER BY {LAST_FIRST} LIMIT 1)) AS s",
        select("\"timestamp\" >= k.start AND \"timestamp\" < k.until"),
        select("\"timestamp\" >= k.floor AND \"timestamp\" < k.start")
    )
}

/// Series and their spans, as columns: every key has a place in each that a statement uses.
#[derive(Default)]
pub(in crate::projection::metering) struct SpanKeys<'a> {
    resources: Vec<&'a str>,
    meters: Vec<&'a str>,
    projects: Vec<&'a str>,
    /// The spans' starts.
    pub from: Vec<Timestamp>,
    /// The spans' ends, not included.
    pub to: Vec<Timestamp>,
    /// The times before which no reading counts.
    pub floor: Vec<Timestamp>,
}

impl<'a> SpanKeys<'a> {
    pub fn push_series(
        &mut self,
        project_id: &'a str,
        resource_id: &'a str,
        counter_name: &'a str,
    ) {
        self.resources.push(resource_id);
        self.meters.push(counter_name);
        self.projects.push(project_id);
    }

    /// Adds the span of the series added last, without the reading before it.
    pub fn push_span(&mut self, span: Span) {
        self.from.push(span.from);
        self.to.push(span.to);
        self.floor.push(span.from);
    }
}

/// Returns the place among the keys, from 0, that a column WITH ORDINALITY contains.
fn key_index(row: &Row, column: usize) -> usize {
    usize::try_from(row.get::<_, i64>(column) - 1).unwrap_or(usize::MAX)
}

/// Reads the readings of the keys' spans and the last one before each, each with the place of its key.
/// Reads the tables of the search path, for the projection itself.
pub(in crate::projection::metering) async fn readings_of_spans(
    client: &impl GenericClient,
    keys: &SpanKeys<'_>,
) -> Result<Vec<(usize, ReadingRow)>, tokio_postgres::Error> {
    static STATEMENT: LazyLock<String> = LazyLock::new(|| {
        format!(
            "-- metering::readings
             SELECT k.n, s.*
             FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[])
                  WITH ORDINALITY AS k (resource_id, counter_name, project_id, start, until, floor, n),
             {}",
            of_span(Schema::SearchPath, None)
        )
    });
    let SpanKeys { resources, meters, projects, from, to, floor } = keys;
    let rows =
        client.query(STATEMENT.as_str(), &[resources, meters, projects, from, to, floor]).await?;
    Ok(rows.iter().map(|row| (key_index(row, 0), ReadingRow::read(row, 1))).collect())
}

/// Hosts of series, and a time for each, as columns.
#[derive(Default)]
pub(in crate::projection::metering) struct HostKeys<'a> {
    resources: Vec<&'a str>,
    meters: Vec<&'a str>,
    projects: Vec<&'a str>,
    times: Vec<Timestamp>,
    hosts: Vec<String>,
}

impl<'a> HostKeys<'a> {
    pub fn push(
        &mut self,
        project_id: &'a str,
        resource_id: &'a str,
        counter_name: &'a str,
        at: Timestamp,
        host: String,
    ) {
        self.resources.push(resource_id);
        self.meters.push(counter_name);
        self.projects.push(project_id);
        self.times.push(at);
        self.hosts.push(host);
    }
}

/// Returns a query of the first reading, in the order of `order`, of the series and the host of each key, with
/// the place of the key; `times` is the condition on its time. A key whose host has none has no row.
///
/// The readings are gone through by the index of identities. `r` is the key's resource, and `h` the place of the
/// host among its hosts: their times limit the search, so that none begins for a host that is new.
fn of_hosts(
    schema: Schema,
    columns: &str,
    times: &str,
    order: &str,
    as_of: Option<&str>,
) -> String {
    let prefix = schema.prefix();
    let times =
        format!("{times} AND \"timestamp\" BETWEEN r.hosts_first_at[h] AND r.hosts_last_at[h]");
    format!(
        "SELECT k.n, s.*
         FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[]) WITH ORDINALITY
              AS k (resource_id, counter_name, project_id, at, host, n)
         JOIN {prefix}resource AS r
           ON r.resource_id = k.resource_id AND r.project_id IS NOT DISTINCT FROM k.project_id
         CROSS JOIN array_position(r.hosts, k.host) AS h,
         LATERAL (
             SELECT {columns} FROM {prefix}sample AS p
             WHERE {}
               AND coalesce((SELECT host FROM {prefix}metadata AS d
                             WHERE d.metadata_id = p.metadata_id), '') = k.host
             ORDER BY \"timestamp\" {order} LIMIT 1
         ) AS s",
        condition(&times, as_of)
    )
}

/// The condition on the time of a key's readings before the key's time.
const BEFORE: &str = "\"timestamp\" < k.at";

/// The condition on the time of a key's readings from the key's time on.
const FROM: &str = "\"timestamp\" >= k.at";

/// Reads the last reading before each key's time of its series and host, with the place of the key. Reads the
/// tables of the search path, for the projection itself.
pub(in crate::projection::metering) async fn last_of_hosts(
    client: &impl GenericClient,
    keys: &HostKeys<'_>,
) -> Result<Vec<(usize, ReadingRow)>, tokio_postgres::Error> {
    static STATEMENT: LazyLock<String> = LazyLock::new(|| {
        let query = of_hosts(Schema::SearchPath, COLUMNS, BEFORE, "DESC", None);
        format!("-- metering::last_of_hosts\n{query}")
    });
    let HostKeys { resources, meters, projects, times, hosts } = keys;
    let rows =
        client.query(STATEMENT.as_str(), &[resources, meters, projects, times, hosts]).await?;
    Ok(rows.iter().map(|row| (key_index(row, 0), ReadingRow::read(row, 1))).collect())
}

/// Reads the time of the first reading of each key's series and host from the key's time on, with the place of
/// the key. Reads the tables of the search path, for the projection itself.
pub(in crate::projection::metering) async fn next_of_hosts(
    client: &impl GenericClient,
    keys: &HostKeys<'_>,
) -> Result<Vec<(usize, Timestamp)>, tokio_postgres::Error> {
    static STATEMENT: LazyLock<String> = LazyLock::new(|| {
        let query = of_hosts(Schema::SearchPath, "\"timestamp\"", FROM, "ASC", None);
        format!("-- metering::next_of_hosts\n{query}")
    });
    let HostKeys { resources, meters, projects, times, hosts } = keys;
    let rows =
        client.query(STATEMENT.as_str(), &[resources, meters, projects, times, hosts]).await?;
    Ok(rows.iter().map(|row| (key_index(row, 0), row.get(1))).collect())
}

/// A host of a series, and a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKey {
    /// The series.
    pub series: Series,
    /// The host.
    pub host: String,
    /// The time.
    pub before: Timestamp,
}

/// Reads, for each of the keys of a tenant, the last reading of the series and host before the time, as of a
/// position, with the place of the key. Readings that were superseded since are missing, as in
/// [`readings_as_of`].
///
/// # Errors
///
/// When the database does not answer.
pub async fn last_of_hosts_as_of(
    client: &impl GenericClient,
    tenant_id: &str,
    position: i64,
    keys: &[HostKey],
) -> Result<Vec<(usize, ReadingRow)>, tokio_postgres::Error> {
    let mut columns = HostKeys::default();
    for HostKey { series, host, before } in keys {
        columns.push(tenant_id, &series.resource_id, &series.meter, *before, host.clone());
    }
    let query = of_hosts(Schema::Live, COLUMNS, BEFORE, "DESC", Some("$6"));
    let statement = format!("-- metering::last_of_hosts_as_of\n{query}");
    let HostKeys { resources, meters, projects, times, hosts } = &columns;
    let rows =
        client.query(&statement, &[resources, meters, projects, times, hosts, &position]).await?;
    Ok(rows.iter().map(|row| (key_index(row, 0), ReadingRow::read(row, 1))).collect())
}

/// Reads, for each of a tenant's series, the readings of a span as of a position, and the last one before
/// it, not before the series' floor. Readings that were superseded since are missing:
/// [`superseded_readings`] reads them for all series at once.
///
/// # Errors
///
/// When the database does not answer.
pub async fn readings_as_of(
    client: &impl GenericClient,
    tenant_id: &str,
    position: i64,
    span: Span,
    series: &[Series],
    floors: &[Timestamp],
) -> Result<Vec<Vec<ReadingRow>>, tokio_postgres::Error> {
    let statement = format!(
        "-- metering::readings_as_of
         SELECT k.n, s.*
         FROM (SELECT u.*, $1::text AS project_id, $5::timestamptz AS start, $6::timestamptz AS until
               FROM unnest($2::text[], $3::text[], $4::timestamptz[]) WITH ORDINALITY
                    AS u (resource_id, counter_name, floor, n)) AS k,
         {}",
        of_span(Schema::Live, Some("$7"))
    );
    let resources: Vec<&str> = series.iter().map(|series| series.resource_id.as_str()).collect();
    let meters: Vec<&str> = series.iter().map(|series| series.meter.as_str()).collect();
    let rows = client
        .query(
            &statement,
            &[&tenant_id, &resources, &meters, &floors, &span.from, &span.to, &position],
        )
        .await?;
    let mut all = vec![Vec::new(); series.len()];
    for row in &rows {
        all[key_index(row, 0)].push(ReadingRow::read(row, 1));
    }
    Ok(all)
}

/// A reading with its series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesReading {
    /// The reading's series.
    pub series: Series,
    /// The reading.
    pub reading: ReadingRow,
}

/// Reads the readings of a tenant before a time that counted at a position and were superseded since.
///
/// # Errors
///
/// When the database does not answer.
pub async fn superseded_readings(
    client: &impl GenericClient,
    tenant_id: &str,
    position: i64,
    until: Timestamp,
) -> Result<Vec<SeriesReading>, tokio_postgres::Error> {
    // Most superseded rows counted for seconds only: hardly any counted at the position.
    let statement = format!(
        "-- metering::superseded_readings
         SELECT resource_id, counter_name, {COLUMNS} FROM metering.superseded
         WHERE superseded_at > $2 AND position <= $2 AND project_id = $1 AND trusted
           AND \"timestamp\" < $3"
    );
    let rows = client.query(&statement, &[&tenant_id, &position, &until]).await?;
    let reading = |row: &Row| SeriesReading {
        series: Series { resource_id: row.get(0), meter: row.get(1) },
        reading: ReadingRow::read(row, 2),
    };
    Ok(rows.iter().map(reading).collect())
}
