//! The rows in PostgreSQL are those of memory.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use tokio_postgres::{Client, NoTls};

use super::order::{batches, facts};
use crate::projection::timing::PROJECTION;
use crate::projection::timing::fact::Fact;

#[tokio::test]
async fn shuffled_batches_give_the_rows_of_one_batch() {
    let mut client = connect().await;
    let mut runner = TestRunner::deterministic();
    for round in 0..20 {
        let all = facts().new_tree(&mut runner).unwrap().current();
        let shuffled = batches(&all).new_tree(&mut runner).unwrap().current();
        let once = tables(&mut client, vec![all]).await;
        let often = tables(&mut client, shuffled).await;
        assert_eq!(often, once, "round {round}");
    }
}

/// All rows of all tables, as text, after the batches.
async fn tables(client: &mut Client, batches: Vec<Vec<Fact>>) -> Vec<Vec<String>> {
    // The schema goes away with the transaction, whatever happens.
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("CREATE SCHEMA timing_test; SET LOCAL search_path = timing_test")
        .await
        .unwrap();
    tx.batch_execute(PROJECTION.ddl).await.unwrap();
    for batch in batches {
        (PROJECTION.apply)(&tx, Box::new(batch)).await.unwrap();
    }
    let mut tables = Vec::new();
    for table in PROJECTION.tables {
        let statement = format!("SELECT t::text FROM {table} t ORDER BY 1");
        let rows = tx.query(&statement, &[]).await.unwrap();
        tables.push(rows.iter().map(|row| row.get(0)).collect());
    }
    tx.rollback().await.unwrap();
    tables
}

async fn connect() -> Client {
    let url = std::env::var("DATABASE_URL").expect(
        "DATABASE_URL is not set: scripts/test starts a PostgreSQL and sets it for the tests",
    );
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("SET timezone = 'UTC'").await.unwrap();
    client
}
