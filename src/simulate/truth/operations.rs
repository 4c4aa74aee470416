//! The truth of operations: the counts of an instance, and the timings over all instances.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{OperationTruth, TimingTruth};
use crate::simulate::{
    scenario::{Detail, Fact, FactKind, Phase},
    time::{Micros, seconds},
};

/// One operation over some of the instances.
#[derive(Default)]
pub(super) struct OperationTotal {
    counts: OperationTruth,
    durations: Vec<Micros>,
}

/// The operations by name.
pub(super) type OperationTotals = BTreeMap<&'static str, OperationTotal>;

/// Returns the counts of each operation in the facts of an instance, and adds them to the totals.
pub(super) fn fold_operations(
    facts: &[Fact],
    totals: &mut OperationTotals,
) -> BTreeMap<String, OperationTruth> {
    let mut counts: BTreeMap<&'static str, OperationTruth> = BTreeMap::new();
    // The attempts of one request follow one another, so that name and request identify the one that ends.
    let mut open: BTreeMap<(&'static str, Uuid), Micros> = BTreeMap::new();
    for fact in facts {
        let FactKind::Operation { name, phase, detail } = &fact.kind else { continue };
        let count = counts.entry(name).or_default();
        if *phase == Phase::Start {
            open.insert((name, fact.request), fact.at);
            count.open += 1;
            continue;
        }
        let started = open.remove(&(*name, fact.request));
        count.open -= u32::from(started.is_some());
        match (detail, started) {
            (Detail::Fault(_), _) => count.failed += 1,
            (_, None) => count.start_missing += 1,
            (_, Some(start)) => {
                count.complete += 1;
                totals.entry(name).or_default().durations.push(fact.at - start);
            }
        }
    }
    for (name, count) in &counts {
        let sum = &mut totals.entry(name).or_default().counts;
        sum.complete += count.complete;
        sum.failed += count.failed;
        sum.open += count.open;
        sum.start_missing += count.start_missing;
    }
    counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

impl OperationTotal {
    pub(super) fn into_truth(mut self, operation: &str) -> TimingTruth {
        self.durations.sort_unstable();
        let OperationTruth { complete, failed, open, start_missing } = self.counts;
        let sum: Micros = self.durations.iter().sum();
        let number = self.durations.len();
        TimingTruth {
            operation: operation.to_owned(),
            count: [complete, failed, open, start_missing].into_iter().map(u64::from).sum(),
            complete: complete.into(),
            failed: failed.into(),
            open: open.into(),
            start_missing: start_missing.into(),
            min_s: self.durations.first().copied().map(seconds),
            mean_s: (number > 0).then(|| seconds((sum as f64 / number as f64).round() as Micros)),
            max_s: self.durations.last().copied().map(seconds),
            p50_s: percentile(&self.durations, 0.5),
            p95_s: percentile(&self.durations, 0.95),
        }
    }
}

/// Returns PostgreSQL's `percentile_cont`: linear between the two nearest of the sorted values.
pub(crate) fn percentile(sorted: &[Micros], fraction: f64) -> Option<f64> {
    let rank = fraction * (sorted.len().checked_sub(1)? as f64);
    let (low, high) = (sorted[rank.floor() as usize] as f64, sorted[rank.ceil() as usize] as f64);
    Some(seconds((low + (high - low) * rank.fract()).round() as Micros))
}
