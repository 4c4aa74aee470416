//! A database to which samples are exported, of either kind.

use super::database::{TestDatabase, empty_database};
use super::mariadb::{TestMariadb, mariadb};

/// PostgreSQL or MariaDB, with the same functions for tests.
pub enum OtherDatabase {
    Postgres(Box<TestDatabase>),
    Mariadb(TestMariadb),
}

impl OtherDatabase {
    pub async fn postgres() -> Self {
        OtherDatabase::Postgres(Box::new(empty_database().await))
    }

    pub async fn mariadb() -> Self {
        OtherDatabase::Mariadb(mariadb().await)
    }

    pub fn url(&self) -> &str {
        match self {
            OtherDatabase::Postgres(db) => &db.url,
            OtherDatabase::Mariadb(db) => &db.url,
        }
    }

    pub async fn execute(&self, sql: &str) {
        match self {
            OtherDatabase::Postgres(db) => db.superuser().await.batch_execute(sql).await.unwrap(),
            OtherDatabase::Mariadb(db) => db.execute(sql).await,
        }
    }

    /// Returns the rows of `meter_samples` as text, ordered by key.
    pub async fn rows(&self) -> Vec<String> {
        match self {
            OtherDatabase::Postgres(_) => {
                self.texts(
                    r#"SELECT concat_ws('|', message_id, counter_name, counter_type, coalesce(counter_unit, '-'),
                              trim_scale(counter_volume), coalesce(project_id, '-'), resource_id, source,
                              to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'))
                       FROM meter_samples ORDER BY message_id COLLATE "C""#,
                )
                .await
            }
            OtherDatabase::Mariadb(_) => {
                self.texts(&format!(
                    "SELECT CONCAT_WS('|', message_id, counter_name, counter_type, COALESCE(counter_unit, '-'),
                            {}, COALESCE(project_id, '-'), resource_id, source,
                            DATE_FORMAT(`timestamp`, '%Y-%m-%d %H:%i:%s.%f'))
                     FROM meter_samples ORDER BY message_id",
                    trim_zeros("counter_volume")
                ))
                .await
            }
        }
    }

    /// Returns count and sum of each meter.
    pub async fn sums(&self) -> Vec<String> {
        let sum = match self {
            OtherDatabase::Postgres(_) => "trim_scale(sum(counter_volume))".to_owned(),
            OtherDatabase::Mariadb(_) => trim_zeros("SUM(counter_volume)"),
        };
        self.texts(&format!(
            "SELECT CONCAT_WS('|', counter_name, COUNT(*), {sum})
             FROM meter_samples GROUP BY counter_name ORDER BY counter_name"
        ))
        .await
    }

    /// Returns the position up to which it has all samples; 0 if it has no table yet.
    pub async fn position(&self) -> i64 {
        let tables = "SELECT CAST(COUNT(*) AS CHAR(9)) FROM information_schema.tables
                      WHERE table_name = 'meter_samples_sync' AND table_schema ";
        let here = match self {
            OtherDatabase::Postgres(_) => "= 'public'",
            OtherDatabase::Mariadb(_) => "= DATABASE()",
        };
        if self.texts(&format!("{tables}{here}")).await[0].trim() == "0" {
            return 0;
        }
        let position = "SELECT CAST(position AS CHAR(20)) FROM meter_samples_sync";
        self.texts(position).await.first().map_or(0, |text| text.trim().parse().unwrap())
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        match self {
            OtherDatabase::Postgres(db) => {
                let rows = db.superuser().await.query(sql, &[]).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
            OtherDatabase::Mariadb(db) => db.texts(sql).await,
        }
    }
}

/// Returns an expression for a decimal without the zeros that MariaDB adds up to the column's scale.
fn trim_zeros(decimal: &str) -> String {
    format!("TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {decimal}))")
}
