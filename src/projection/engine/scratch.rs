//! For tests: a projection's tables in a real PostgreSQL, within a transaction that is rolled back.

use std::any::Any;

use tokio_postgres::{Client, NoTls};

use super::Projection;
use crate::config::File;

/// Connects to the database of the tests.
pub(in crate::projection) async fn connect() -> Client {
    let url = std::env::var("DATABASE_URL").expect(
        "DATABASE_URL is not set: scripts/test starts a PostgreSQL and sets it for the tests",
    );
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SET timezone = 'UTC'").await.unwrap();
    client
}

/// Applies batches of facts and returns all rows of all tables, as text.
pub(in crate::projection) async fn tables<F: Any + Send>(
    client: &mut Client,
    projection: &Projection,
    file: &File,
    batches: Vec<F>,
) -> Vec<Vec<String>> {
    // The schema disappears with the transaction, whatever happens.
    let tx = client.transaction().await.unwrap();
    let schema = format!("{}_test", projection.name);
    tx.batch_execute(&format!("CREATE SCHEMA {schema}; SET LOCAL search_path = {schema}"))
        .await
        .unwrap();
    tx.batch_execute(projection.ddl).await.unwrap();
    tx.batch_execute(projection.indexes).await.unwrap();
    if !projection.frozen.is_empty() {
        tx.batch_execute(
            "CREATE SCHEMA log;
             CREATE TABLE log.head (perf_horizon timestamptz, meter_horizon timestamptz);
             INSERT INTO log.head DEFAULT VALUES",
        )
        .await
        .unwrap();
    }
    for batch in batches {
        (projection.apply)(&tx, file, Box::new(batch)).await.unwrap();
    }
    let mut tables = Vec::new();
    for table in projection.tables {
        let statement = format!("SELECT t::text FROM {table} t ORDER BY 1");
        let rows = tx.query(&statement, &[]).await.unwrap();
        tables.push(rows.iter().map(|row| row.get(0)).collect());
    }
    tx.rollback().await.unwrap();
    tables
}
