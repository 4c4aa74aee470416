//! The rows in PostgreSQL equal the rows in memory.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::facts::condense;
use super::order::{batches, facts};
use crate::config::File;
use crate::projection::engine::scratch::{connect, tables};
use crate::projection::timing::PROJECTION;

#[tokio::test]
async fn shuffled_batches_give_the_rows_of_one_batch() {
    let mut client = connect().await;
    let mut runner = TestRunner::deterministic();
    for round in 0..20 {
        let all = facts().new_tree(&mut runner).unwrap().current();
        let shuffled = batches(&all).new_tree(&mut runner).unwrap().current();
        let file = File::default();
        let shuffled = shuffled.into_iter().map(condense).collect();
        let once = tables(&mut client, &PROJECTION, &file, vec![condense(all)]).await;
        let often = tables(&mut client, &PROJECTION, &file, shuffled).await;
        assert_eq!(often, once, "round {round}");
    }
}
