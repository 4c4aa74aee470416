//! A read model of meters that is filled by SQL: the input of exports, without a cloud.

use super::database::{TestDatabase, database};

/// A database with a read model of meters.
pub struct MeteringDatabase {
    pub db: TestDatabase,
    /// The position of the read model.
    pub position: i64,
}

/// The columns that `sample` and `superseded` have in common.
const COLUMNS: &str = r#""timestamp", project_id, resource_id, counter_name, counter_type, counter_unit,
    counter_volume, user_id, source, message_id, trusted, metadata_id, event_id, position"#;

/// Creates a database with empty tables of `metering`.
pub async fn metering_database() -> MeteringDatabase {
    let db = database().await;
    db.client()
        .await
        .batch_execute(&format!(
            "CREATE SCHEMA metering; SET search_path = metering; {}; {};
             CREATE TABLE sample_202611 PARTITION OF sample
                 FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00');
             INSERT INTO metadata VALUES
                 ('00000000-0000-0000-0000-000000000001', '{{\"flavor\": {{\"name\": \"m1.small\"}}}}', ''),
                 ('00000000-0000-0000-0000-000000000002', '{{\"flavor\": {{\"name\": \"m1.large\"}}, \"x\": NaN}}', '');
             INSERT INTO projection.checkpoint (name, slot, version, config) VALUES ('metering', 'live', 1, '')",
            include_str!("../../../schema/metering.sql"),
            include_str!("../../../schema/metering_indexes.sql"),
        ))
        .await
        .unwrap();
    db.superuser()
        .await
        .batch_execute(
            "INSERT INTO log.batch VALUES (1, 'event_meter', 'meter', 1, 1, 0, '', sha256('first'), now())",
        )
        .await
        .unwrap();
    MeteringDatabase { db, position: 0 }
}

impl MeteringDatabase {
    /// Adds that many events of `each` samples: of eight meters, of five projects and none, with volumes of
    /// many digits.
    pub async fn add_samples(&mut self, events: i64, each: i32) {
        let from = self.position;
        let statement = format!(
            r#"INSERT INTO metering.sample ({COLUMNS})
               SELECT '2026-11-02T00:00:00.000001Z'::timestamptz + p * interval '1.5 s',
                      CASE WHEN p % 6 > 0 THEN 'project-' || p % 6 END, 'resource-' || i,
                      (ARRAY['cpu', 'disk.read.bytes', 'disk.write.bytes', 'disk', 'memory', 'image.size', 'network', 'storage'])[i % 8 + 1],
                      'gauge', nullif((ARRAY['ns', 'B', 'B', ''])[i % 4 + 1], ''),
                      CASE i % 3 WHEN 0 THEN p * 1000003 WHEN 1 THEN round(p / 7.0, 20) ELSE 0.00001 END,
                      NULL, 'openstack', md5(p || '.' || i)::uuid::text, true,
                      CASE WHEN i % 3 > 0 THEN ('00000000-0000-0000-0000-00000000000' || i % 3)::uuid END,
                      md5(p::text)::uuid, p
               FROM generate_series($1::bigint + 1, $1 + $2::bigint) AS p, generate_series(0, $3::int - 1) AS i"#
        );
        let client = self.db.client().await;
        client.execute(&statement, &[&from, &events, &each]).await.unwrap();
        self.move_to(from + events).await;
    }

    /// Adds one event with better samples in the place of that many.
    pub async fn supersede(&mut self, count: i64) {
        let position = self.position + 1;
        let statement = format!(
            r#"WITH chosen AS (
                   DELETE FROM metering.sample WHERE (resource_id, counter_name, "timestamp") IN (
                       SELECT resource_id, counter_name, "timestamp" FROM metering.sample
                       WHERE message_id NOT LIKE '0-better-%'
                       ORDER BY md5(message_id || $1::bigint) LIMIT $2)
                   RETURNING {COLUMNS}
               ), kept AS (
                   INSERT INTO metering.superseded ({COLUMNS}, superseded_at)
                   SELECT {COLUMNS}, $1 FROM chosen
               )
               INSERT INTO metering.sample ({COLUMNS})
               SELECT "timestamp", project_id, resource_id, counter_name, counter_type, counter_unit,
                      counter_volume + 0.5, user_id, source, '0-better-' || message_id, trusted,
                      metadata_id, event_id, $1 FROM chosen"#
        );
        let client = self.db.client().await;
        let replaced = client.execute(&statement, &[&position, &count]).await.unwrap();
        assert_eq!(replaced, count.unsigned_abs());
        self.move_to(position).await;
    }

    /// Moves the read model and the log to a position.
    pub async fn move_to(&mut self, position: i64) {
        self.position = position;
        let moved = format!(
            "UPDATE log.head SET position = {position}, batch = batch + 1;
             UPDATE projection.checkpoint SET position = {position} WHERE name = 'metering'"
        );
        self.db.superuser().await.batch_execute(&moved).await.unwrap();
    }

    /// Returns the rows that fulfil a condition, in the form of [`super::target::OtherDatabase::rows`].
    pub async fn rows(&self, condition: &str) -> Vec<String> {
        let statement = format!(
            r#"SELECT concat_ws('|', message_id, counter_name, counter_type, coalesce(counter_unit, '-'),
                      trim_scale(counter_volume), coalesce(project_id, '-'), resource_id, source,
                      to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'))
               FROM metering.sample WHERE {condition} ORDER BY message_id COLLATE "C""#
        );
        let rows = self.db.client().await.query(&statement, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Returns count and sum of each meter, in the form of [`super::target::OtherDatabase::sums`].
    pub async fn sums(&self) -> Vec<String> {
        let statement =
            "SELECT concat_ws('|', counter_name, count(*), trim_scale(sum(counter_volume)))
                         FROM metering.sample GROUP BY counter_name ORDER BY counter_name";
        let rows = self.db.client().await.query(statement, &[]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }
}
