//! A table in another PostgreSQL.

use anyhow::Result;
use tokio_postgres::{Client, Row};

use super::super::plan::{Chunk, plan};
use super::super::refusal::Refusal;
use super::super::sample::{Owner, increase};
use super::super::source::Origin;
use super::{Names, SyncPoint, SyncPointConflict};
use crate::db::Database;

/// A connection to the other PostgreSQL. The names in `table` and `sync` are quoted.
pub(in crate::export) struct Target {
    client: Client,
    names: Names,
    table: String,
    sync: String,
}

impl Target {
    pub async fn connect(database: &Database, names: Names) -> Result<Self> {
        let client = database.connect_as_given().await?;
        // If somebody created a time column without time zone, its values are UTC.
        client.batch_execute("SET timezone = 'UTC'; SET jit = off").await?;
        let (table, sync) = (Names::quote(&names.table, '"'), Names::quote(&names.sync, '"'));
        Ok(Target { client, names, table, sync })
    }

    pub async fn claim(&mut self) -> Result<bool> {
        let lock = "-- export::claim
            SELECT pg_try_advisory_lock(hashtextextended('stackledger.export ' || $1::text, 0))";
        Ok(self.client.query_one(lock, &[&self.names.table]).await?.get(0))
    }

    /// Checks for each table before creating it: the user may have no right to create tables.
    pub async fn create(&mut self) -> Result<()> {
        if !self.exists(&self.table).await? {
            let table = &self.table;
            self.client
                .batch_execute(&format!(
                    r#"CREATE TABLE {table} (
                           counter_name text NOT NULL, counter_type text, counter_unit text,
                           counter_volume numeric NOT NULL, message_id text PRIMARY KEY,
                           project_id text, resource_id text NOT NULL, source text,
                           "timestamp" timestamptz NOT NULL);
                       CREATE INDEX ON {table} (counter_name, "timestamp");
                       CREATE INDEX ON {table} (project_id, "timestamp");
                       COMMENT ON TABLE {table} IS 'Written by stackledger export: do not change'"#
                ))
                .await?;
        }
        if !self.exists(&self.sync).await? {
            let sync = &self.sync;
            self.client
                .batch_execute(&format!(
                    "CREATE TABLE {sync} (
                         name text PRIMARY KEY, position bigint NOT NULL, selection text NOT NULL,
                         log text NOT NULL, made text NOT NULL, moved_at timestamptz NOT NULL);
                     COMMENT ON TABLE {sync} IS 'Up to which position of the log, and with which selection'"
                ))
                .await?;
        }
        Ok(())
    }

    async fn exists(&self, quoted: &str) -> Result<bool> {
        let found = self
            .client
            .query_opt(
                "SELECT relkind IN ('v', 'm') FROM pg_class WHERE oid = to_regclass($1)",
                &[&quoted],
            )
            .await?;
        match found.map(|row| row.get(0)) {
            Some(true) => Err(Refusal::View.into()),
            found => Ok(found.is_some()),
        }
    }

    pub async fn sync_point(&mut self) -> Result<Option<SyncPoint>> {
        let statement = format!(
            "-- export::sync_point
             SELECT position, selection, log, made FROM {} WHERE name = $1",
            self.sync
        );
        let row = self.client.query_opt(&statement, &[&self.names.table]).await?;
        Ok(row.map(|row| SyncPoint {
            position: row.get("position"),
            selection: row.get("selection"),
            origin: Origin { log: row.get("log"), rows_version: row.get("made") },
        }))
    }

    pub async fn is_empty(&mut self) -> Result<bool> {
        let statement = format!("SELECT NOT EXISTS (SELECT FROM {})", self.table);
        Ok(self.client.query_one(&statement, &[]).await?.get(0))
    }

    pub async fn begin(&mut self, point: &SyncPoint) -> Result<()> {
        let transaction = self.client.transaction().await?;
        // Not TRUNCATE: that locks readers out and needs a right of its own.
        transaction.execute(&format!("DELETE FROM {}", self.table), &[]).await?;
        let statement = format!(
            "-- export::begin
             INSERT INTO {} (name, position, selection, log, made, moved_at)
             VALUES ($1, $2, $3, $4, $5, now())
             ON CONFLICT (name) DO UPDATE SET position = excluded.position,
                 selection = excluded.selection, log = excluded.log, made = excluded.made,
                 moved_at = excluded.moved_at",
            self.sync
        );
        transaction
            .execute(
                &statement,
                &[
                    &self.names.table,
                    &point.position,
                    &point.selection,
                    &point.origin.log,
                    &point.origin.rows_version,
                ],
            )
            .await?;
        Ok(transaction.commit().await?)
    }

    pub async fn write(&mut self, from: i64, chunk: &Chunk) -> Result<()> {
        let Target { client, names, table, sync } = self;
        let transaction = client.transaction().await?;
        let ids: Vec<&str> = chunk.message_ids().into_iter().collect();
        let owners = transaction
            .query(
                &format!(
                    r#"-- export::owners
                       SELECT message_id::text, counter_name::text, project_id::text,
                              resource_id::text, "timestamp"::timestamptz, counter_type::text,
                              counter_volume::text
                       FROM {table} WHERE message_id = ANY($1)"#
                ),
                &[&ids],
            )
            .await?;
        let plan = plan(chunk, owners.iter().map(read_owner).collect());
        if !plan.delete.is_empty() {
            transaction
                .execute(
                    &format!(
                        "-- export::delete
                         DELETE FROM {table} WHERE message_id = ANY($1)"
                    ),
                    &[&plan.delete],
                )
                .await?;
        }
        if !plan.put.is_empty() {
            let (keys, samples): (Vec<&str>, Vec<_>) =
                plan.put.iter().map(|(key, sample)| (key.as_str(), *sample)).unzip();
            macro_rules! column {
                ($name:ident) => {
                    samples.iter().map(|sample| &sample.$name).collect::<Vec<_>>()
                };
            }
            transaction
                .execute(
                    &format!(
                        r#"-- export::put
                           INSERT INTO {table} (counter_name, counter_type, counter_unit,
                               counter_volume, message_id, project_id, resource_id, source, "timestamp")
                           SELECT counter_name, counter_type, counter_unit, counter_volume::numeric,
                               message_id, project_id, resource_id, source, "timestamp"
                           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[],
                               $6::text[], $7::text[], $8::text[], $9::timestamptz[])
                               AS t (counter_name, counter_type, counter_unit, counter_volume,
                                   message_id, project_id, resource_id, source, "timestamp")
                           ON CONFLICT (message_id) DO UPDATE SET
                               counter_name = excluded.counter_name,
                               counter_type = excluded.counter_type,
                               counter_unit = excluded.counter_unit,
                               counter_volume = excluded.counter_volume,
                               project_id = excluded.project_id,
                               resource_id = excluded.resource_id,
                               source = excluded.source, "timestamp" = excluded."timestamp""#
                    ),
                    &[
                        &column!(counter_name),
                        &column!(counter_type),
                        &column!(counter_unit),
                        &column!(counter_volume),
                        &keys,
                        &column!(project_id),
                        &column!(resource_id),
                        &column!(source),
                        &column!(timestamp),
                    ],
                )
                .await?;
        }
        let moved = transaction
            .execute(
                &format!(
                    "-- export::move
                     UPDATE {sync} SET position = $3, moved_at = now()
                     WHERE name = $1 AND position = $2"
                ),
                &[&names.table, &from, &chunk.to],
            )
            .await?;
        if moved != 1 {
            return Err(SyncPointConflict.into());
        }
        Ok(transaction.commit().await?)
    }
}

fn read_owner(row: &Row) -> (String, Owner) {
    let owner = Owner {
        counter_name: row.get("counter_name"),
        project_id: row.get("project_id"),
        resource_id: row.get("resource_id"),
        timestamp: row.get("timestamp"),
        increase: increase(row.get("counter_type"), row.get("counter_volume")),
    };
    (row.get("message_id"), owner)
}
