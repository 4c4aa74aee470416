//! The rows in PostgreSQL do not depend on order, duplication and batches either.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::order::{one_fact, shuffled};
use super::world::*;
use crate::config::File;
use crate::projection::deployment::{Fact, PROJECTION};
use crate::projection::scratch::{connect, tables};

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
