//! The rows in PostgreSQL do not depend on order and batches either.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::fixtures::{events, facts};
use crate::config::File;
use crate::event::Event;
use crate::projection::engine::scratch::{connect, tables};
use crate::projection::rollup::PROJECTION;

#[tokio::test]
async fn small_batches_in_any_order_give_the_rows_of_one() {
    let mut client = connect().await;
    let mut runner = TestRunner::deterministic();
    let file = File::default();
    let (mut buckets, mut rejected) = (0, 0);
    for round in 0..20 {
        let all = events().new_tree(&mut runner).unwrap().current();
        let mut turned = all.clone();
        turned.reverse();
        let batches = |events: &[Event], size: usize| events.chunks(size).map(facts).collect();
        let once = batches(&all, all.len().max(1));
        let once = tables(&mut client, &PROJECTION, &file, once).await;
        let often = batches(&turned, 1 + round % 4);
        let often = tables(&mut client, &PROJECTION, &file, often).await;
        assert_eq!(often, once, "round {round}");
        (buckets, rejected) = (buckets + once[0].len(), rejected + once[4].len());
    }
    assert!(buckets > 100 && rejected > 10, "{buckets} minutes and {rejected} reasons");
}
