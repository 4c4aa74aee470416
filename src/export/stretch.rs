//! A stretch of the read model: the rows of some positions, never more than are wanted at once.

use tokio_postgres::{Row, Transaction};
use uuid::Uuid;

use super::sample::Sample;

/// Positions looked at in one query at most. They are found by a block range index: what is
/// looked at is read, whatever is taken of it.
const WINDOW_MAX: i64 = 100_000;

/// Positions looked at first: with 50 samples an event, a chunk of the usual size.
const WINDOW_FIRST: i64 = 100;

/// How many positions are looked at, so that they hold about a batch of rows.
pub(super) struct Window {
    pub batch: usize,
    positions: i64,
}

impl Window {
    pub fn new(batch: usize) -> Self {
        Window { batch, positions: WINDOW_FIRST }
    }

    /// The last position to look at, after `from`.
    pub fn after(&self, from: i64) -> i64 {
        from.saturating_add(self.positions)
    }

    /// Learns from a look at `(from, until]`, of which the part up to `to` was taken, with so many
    /// rows.
    pub fn adapt(&mut self, from: i64, until: i64, to: i64, rows: usize) {
        if to < until {
            self.positions = to - from;
        } else if rows < self.batch / 2 {
            self.positions = (self.positions * 2).min(WINDOW_MAX);
        }
    }
}

/// A sample, and what else it is selected and ordered by.
pub(super) struct Read {
    pub sample: Sample,
    pub metadata_id: Option<Uuid>,
    pub position: i64,
}

/// Which rows of a range of positions.
#[derive(Clone, Copy)]
pub(super) enum Rows {
    /// The samples that count now, by the position that told them.
    Samples,
    /// Those that counted when the read model stood there.
    AsOf(i64),
    /// Those that lost their place, by the position that did it.
    Superseded,
}

impl Rows {
    fn statement(self) -> String {
        let columns = r#"counter_name, counter_type, counter_unit, counter_volume::text AS counter_volume,
            message_id, project_id, resource_id, source, "timestamp", metadata_id"#;
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
        // The whole order: whose message id comes first must not depend on chance.
        format!(
            r#"-- export::stretch
               {rows} ORDER BY position, counter_name, resource_id, "timestamp", project_id LIMIT $3"#
        )
    }
}

/// The rows of positions in `(from, until]`, or those of the first of these positions where they
/// are more than `batch`; and the last of the positions. A position is never split.
pub(super) async fn stretch(
    transaction: &Transaction<'_>,
    rows: Rows,
    from: i64,
    until: i64,
    batch: usize,
) -> Result<(i64, Vec<Read>), tokio_postgres::Error> {
    let statement = transaction.prepare(&rows.statement()).await?;
    let limit = Some(batch as i64 + 1);
    let found = transaction.query(&statement, &[&from, &until, &limit]).await?;
    let mut found: Vec<Read> = found.iter().map(read).collect();
    let Some(last) = found.get(batch).map(|row| row.position) else { return Ok((until, found)) };
    found.retain(|row| row.position < last);
    if let Some(whole) = found.last() {
        return Ok((whole.position, found));
    }
    // One event told of more samples than a batch holds.
    let found = transaction.query(&statement, &[&from, &last, &None::<i64>]).await?;
    Ok((last, found.iter().map(read).collect()))
}

fn read(row: &Row) -> Read {
    Read {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_follows_the_density_of_samples() {
        let mut window = Window::new(5000);
        assert_eq!(window.after(7), 107);
        // Nothing for long: wider and wider, up to a bound.
        for _ in 0..20 {
            window.adapt(0, 100, 100, 0);
        }
        assert_eq!(window.after(0), WINDOW_MAX);
        // More than a batch: no more positions than were taken.
        window.adapt(0, WINDOW_MAX, 80, 4990);
        assert_eq!(window.after(0), 80);
        window.adapt(80, 160, 160, 4000);
        assert_eq!(window.after(0), 80);
        window.adapt(160, 240, 240, 100);
        assert_eq!(window.after(0), 160);
    }
}
