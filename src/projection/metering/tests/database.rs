//! The rows in PostgreSQL do not depend on batches.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::order::events;
use super::world::{facts, file, logged};
use crate::projection::engine::scratch::{connect, tables};
use crate::projection::metering::PROJECTION;

#[tokio::test]
async fn small_batches_give_the_rows_of_one() {
    let mut client = connect().await;
    let mut runner = TestRunner::deterministic();
    for round in 0..20 {
        let all = logged(events().new_tree(&mut runner).unwrap().current());
        let batches = |size: usize| all.chunks(size).map(facts).collect();
        let file = file();
        let once = tables(&mut client, &PROJECTION, &file, batches(all.len().max(1))).await;
        let often = tables(&mut client, &PROJECTION, &file, batches(1 + round % 4)).await;
        assert_eq!(often, once, "round {round}");
    }
}
