//! A projection of samples that has rows before the horizon.

use anyhow::Result;
use jiff::Timestamp;
use stackledger::event::{Family, Recorded};
use stackledger::log::{self, Limit};
use stackledger::projection::{Decode, FrozenRows, Projection, StretchFacts, UnusedEvents};
use tokio_postgres::Transaction;
use utoipa_axum::router::OpenApiRouter;

/// Counts samples by host and hour, in partitions by day, and keeps each host's first and last time.
pub static TALLY: Projection = Projection {
    name: "tally",
    version: 1,
    families: &[Family::Perf],
    config: |_| String::new(),
    ddl: "CREATE TABLE hour (host text NOT NULL, start timestamptz NOT NULL, count bigint NOT NULL,
                             PRIMARY KEY (host, start)) PARTITION BY RANGE (start);
          CREATE TABLE series (host text PRIMARY KEY, first_at timestamptz NOT NULL, last_at timestamptz NOT NULL);",
    indexes: "",
    tables: &["hour", "series"],
    frozen: &[
        FrozenRows { table: "hour", family: Family::Perf, column: "start", merge: None },
        FrozenRows {
            table: "series",
            family: Family::Perf,
            column: "first_at",
            merge: Some(
                "(host) DO UPDATE SET first_at = least(t.first_at, excluded.first_at),
                                      last_at = greatest(t.last_at, excluded.last_at)",
            ),
        },
    ],
    stretch: Limit::USUAL,
    decode: |_| Box::<Decoder>::default(),
    apply: |tx, _, facts| {
        Box::pin(async move { apply(tx, *facts.downcast().expect("its own facts")).await })
    },
    routes: OpenApiRouter::new,
};

type Facts = Vec<(String, Timestamp)>;

#[derive(Default)]
struct Decoder(Facts);

impl Decode for Decoder {
    fn read(&mut self, Recorded { event, .. }: Recorded) {
        self.0.extend(event.stream.zip(event.key_at));
    }

    fn finish(self: Box<Self>) -> StretchFacts {
        StretchFacts { facts: Box::new(self.0), unused: UnusedEvents::default() }
    }
}

async fn apply(tx: &Transaction<'_>, facts: Facts) -> Result<()> {
    let horizon = log::read_horizon(tx, Family::Perf).await?;
    for (host, at) in facts {
        if Some(at) < horizon {
            continue;
        }
        let day = at.strftime("%Y%m%d");
        tx.batch_execute(&format!(
            "CREATE TABLE IF NOT EXISTS hour_{day} PARTITION OF hour
             FOR VALUES FROM ('{day}Z') TO (timestamptz '{day}Z' + interval '1 day')"
        ))
        .await?;
        tx.execute(
            "INSERT INTO hour AS t VALUES ($1, date_trunc('hour', $2::timestamptz), 1)
             ON CONFLICT (host, start) DO UPDATE SET count = t.count + 1",
            &[&host, &at],
        )
        .await?;
        tx.execute(
            "INSERT INTO series AS t VALUES ($1, $2, $2) ON CONFLICT (host) DO UPDATE
             SET first_at = least(t.first_at, $2), last_at = greatest(t.last_at, $2)",
            &[&host, &at],
        )
        .await?;
    }
    Ok(())
}
