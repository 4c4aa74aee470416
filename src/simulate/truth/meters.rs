//! The truth of meters, from their samples.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::MeterTruth;
use crate::simulate::{
    cloud::Cloud,
    meters::{METERS, Measurements},
    time::instant,
};

/// Returns every meter with samples, by name, and the ids of the projects whose resources have samples.
pub(crate) fn fold_meters(
    cloud: &Cloud,
    base: Timestamp,
    measurements: &Measurements,
) -> (Vec<MeterTruth>, Vec<String>) {
    let mut truths: Vec<Option<MeterTruth>> = vec![None; METERS.len()];
    let mut projects = BTreeSet::new();
    for batch in &measurements.batches {
        let truth = &mut truths[usize::from(batch.meter)];
        for sample in measurements.samples(cloud, batch) {
            let at = instant(base, sample.at);
            let truth = truth.get_or_insert_with(|| MeterTruth {
                meter: sample.meter.name.to_owned(),
                meter_type: Some(sample.meter.meter_type.to_owned()),
                unit: Some(sample.meter.unit).filter(|unit| !unit.is_empty()).map(str::to_owned),
                samples: 0,
                sum: Decimal::ZERO,
                first_at: at,
                last_at: at,
            });
            truth.samples += 1;
            truth.sum += sample.quantity.decimal();
            truth.last_at = at;
            projects.insert(&cloud.projects[sample.resource.project].id);
        }
    }
    let mut truths: Vec<MeterTruth> = truths.into_iter().flatten().collect();
    truths.iter_mut().for_each(|truth| truth.sum = truth.sum.normalize());
    truths.sort_by(|a, b| a.meter.cmp(&b.meter));
    (truths, projects.into_iter().cloned().collect())
}
