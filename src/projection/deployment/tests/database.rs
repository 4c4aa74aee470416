//! The rows in PostgreSQL do not depend on order, duplication and batches either.

use proptest::prop_oneof;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::fixtures::*;
use super::order::{one_fact, reports, shuffled};
use crate::config::File;
use crate::projection::deployment::{Deployments, Fact, PROJECTION, read, write};
use crate::projection::engine::scratch::{connect, tables};

#[tokio::test]
async fn any_batches_in_any_order_give_the_rows_of_one() {
    let mut client = connect().await;
    let mut runner = TestRunner::deterministic();
    let file = File::default();
    for round in 0..25 {
        let many = proptest::collection::vec(one_fact(), 1..25);
        let facts = match round {
            0 => blog(),
            _ => many.new_tree(&mut runner).unwrap().current(),
        };
        let once = tables(&mut client, &PROJECTION, &file, vec![facts.clone()]).await;
        let mixed = shuffled(facts).new_tree(&mut runner).unwrap().current();
        let batches: Vec<Vec<Fact>> = mixed.chunks(1 + round % 4).map(<[Fact]>::to_vec).collect();
        let often = tables(&mut client, &PROJECTION, &file, batches).await;
        assert_eq!(often, once, "round {round}");
    }
}

#[tokio::test]
async fn ids_in_the_order_of_another_collation_all_have_their_rows() {
    let mut client = connect().await;
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("CREATE SCHEMA deployment_ids; SET LOCAL search_path = deployment_ids")
        .await
        .unwrap();
    tx.batch_execute(PROJECTION.ddl).await.unwrap();
    // In the order of English; by their bytes, capitals come first.
    let ids = ["a", "B", "c", "D"].map(str::to_owned);
    let facts: Vec<Fact> =
        ids.iter().map(|id| registered_with(0, id, &format!("of {id}"), vec![], &[])).collect();
    write::replace_summaries(&tx, &Deployments::of(&facts), &ids).await.unwrap();
    for table in ["deployment", "instance"] {
        let row = tx.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), 4, "{table}");
    }
}

/// Stores facts and reads the facts that the reports of `d` and `e` depend on.
async fn stored(client: &mut tokio_postgres::Client, facts: &[Fact]) -> Vec<Fact> {
    let tx = client.transaction().await.unwrap();
    tx.batch_execute("CREATE SCHEMA deployment_read; SET LOCAL search_path = deployment_read")
        .await
        .unwrap();
    tx.batch_execute(PROJECTION.ddl).await.unwrap();
    write::insert_facts(&tx, facts.to_vec()).await.unwrap();
    read::load_facts(&tx, "", &["d", "e"].map(str::to_owned), &[]).await.unwrap()
}

#[tokio::test]
async fn repetitions_are_not_read_and_nothing_is_lost_by_that() {
    let mut client = connect().await;
    let mut facts: Vec<Fact> = (1..100).map(|at| provided(at, "i", "p", "1")).collect();
    facts.extend([registered(0, "i", vec![], &["p"]), provided(50, "i", "p", "2")]);
    let few = stored(&mut client, &facts).await;
    assert!(few.len() <= 6, "{} facts are read", few.len());
    assert_eq!(reports(&few), reports(&facts));

    let mut runner = TestRunner::deterministic();
    let many = proptest::collection::vec(
        prop_oneof![one_fact(), (0..20_i64).prop_map(|at| provided(at, "i", "p", "1"))],
        1..50,
    );
    for round in 0..100 {
        let facts = many.new_tree(&mut runner).unwrap().current();
        let few = stored(&mut client, &facts).await;
        assert_eq!(reports(&few), reports(&facts), "round {round}");
    }
}
