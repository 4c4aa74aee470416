//! Prices a bill: converts volumes, rounds hours, and rounds the amounts of lines.

use std::collections::BTreeSet;

use super::bill::{Bill, Description, Sum, UsageSums};
use super::line::{Charges, Line, Reason, UnratedUsage};
use crate::billing::exact::Fraction;
use crate::billing::rate::{Part, Rate};
use crate::billing::terms::HourRounding;
use crate::billing::transform::is_unknown_state;
use crate::billing::unit::{Conversion, GIGABYTE, HOUR_S};

impl Bill<'_> {
    /// Prices all usage, by resource and service.
    pub fn price(self) -> Charges {
        let mut charges = Charges::default();
        for ((resource_id, service), usage) in &self.usage {
            Service { bill: &self, resource_id, service, usage }.price(&mut charges);
        }
        charges
    }
}

/// The usage of one service of one resource.
struct Service<'b> {
    bill: &'b Bill<'b>,
    resource_id: &'b str,
    service: &'b str,
    usage: &'b UsageSums,
}

/// The usage in one part of the order's span, and its rate.
struct RatedSum<'b> {
    part: Part<'b>,
    rate: &'b Rate,
    conversion: Conversion,
    sum: &'b Sum,
}

impl Service<'_> {
    fn price(&self, charges: &mut Charges) {
        let parts = self.bill.basis.rates.parts(self.service, self.bill.span());
        let mappings: BTreeSet<usize> = self.usage.keys().map(|(mapping, _)| *mapping).collect();
        let collide = mappings.len() > 1;
        for ((mapping, is_negative), sums) in self.usage {
            let mut rated = Vec::with_capacity(sums.len());
            for (index, sum) in sums {
                let Some(part) = parts.get(*index) else { continue };
                let result = match (is_negative, collide) {
                    (true, _) => Err(Reason::Negative),
                    (_, true) => Err(Reason::Collision),
                    _ => self.rate(*mapping, *part, sum),
                };
                match result {
                    Ok(rated_sum) => rated.push(rated_sum),
                    Err(reason) => {
                        charges.unrated.extend(self.unrated(*mapping, *part, sum, reason));
                    }
                }
            }
            charges.lines.extend(self.lines(*mapping, &rated));
        }
    }

    /// Finds the rate and the conversion to its unit.
    fn rate<'b>(
        &self,
        mapping: usize,
        part: Part<'b>,
        sum: &'b Sum,
    ) -> Result<RatedSum<'b>, Reason> {
        let none = match is_unknown_state(self.service) {
            true => Reason::UnknownState,
            false => Reason::NoRate,
        };
        let rate = part.rate.ok_or(none)?;
        let usage_unit = &self.bill.basis.mappings[mapping].unit;
        let conversion = usage_unit.conversion_to(&rate.unit).ok_or(Reason::OtherUnit)?;
        Ok(RatedSum { part, rate, conversion, sum })
    }

    /// Returns the usage as an unrated item; `None` if the volume is zero, which needs no rate.
    fn unrated(
        &self,
        mapping: usize,
        part: Part<'_>,
        sum: &Sum,
        reason: Reason,
    ) -> Option<UnratedUsage> {
        let rule = &self.bill.basis.mappings[mapping];
        let description = self.bill.resources.get(self.resource_id);
        (!sum.volume.is_zero()).then(|| UnratedUsage {
            resource_id: self.resource_id.to_owned(),
            resource_type: description.and_then(Description::resource_type).map(str::to_owned),
            metadata: description.map(Description::metadata).unwrap_or_default(),
            service: self.service.to_owned(),
            meter: rule.meter.clone(),
            mapping,
            from: part.span.from,
            to: part.span.to,
            volume: sum.volume.to_string(),
            unit: rule.unit.clone(),
            rate: None,
            reason,
            windows: sum.windows,
            used_from: Some(sum.span.from),
            used_to: Some(sum.span.to),
        })
    }

    fn lines(&self, mapping: usize, rated: &[RatedSum<'_>]) -> Vec<Line> {
        let rule = &self.bill.basis.mappings[mapping];
        let rounding = &self.bill.basis.rounding;
        let description = self.bill.resources.get(self.resource_id);
        let volumes = convert_volumes(rated, rounding.second_to_hour);
        rated
            .iter()
            .zip(volumes)
            .map(|(RatedSum { part, rate, sum, .. }, volume)| Line {
                resource_id: self.resource_id.to_owned(),
                resource_type: description.and_then(Description::resource_type).map(str::to_owned),
                metadata: description.map(Description::metadata).unwrap_or_default(),
                service: self.service.to_owned(),
                meter: rule.meter.clone(),
                mapping,
                from: part.span.from,
                to: part.span.to,
                usage: sum.volume.to_string(),
                usage_unit: rule.unit.clone(),
                volume: volume.to_string(),
                unit: rate.unit.clone(),
                rate: rate.rate,
                amount: volume.times(rate.rate).round(rounding.line_digits),
                windows: sum.windows,
                coverage: sum.coverage(),
            })
            .collect()
    }
}

/// Returns the volumes in the units of their rates. Hours are rounded up for all parts together, and the
/// last part takes the difference.
fn convert_volumes(rated: &[RatedSum<'_>], rounding: HourRounding) -> Vec<Fraction> {
    let mut volumes: Vec<Fraction> = rated
        .iter()
        .map(|RatedSum { sum, conversion, .. }| match conversion {
            Conversion::Same => sum.volume.fraction(),
            Conversion::BytesToGigabytes => sum.volume.fraction().divided(GIGABYTE),
            Conversion::SecondsToHours => sum.volume.fraction().divided(HOUR_S),
        })
        .collect();
    let hours: Vec<usize> = (0..rated.len())
        .filter(|index| rated[*index].conversion == Conversion::SecondsToHours)
        .collect();
    if let (HourRounding::Ceil, Some((last, others))) = (rounding, hours.split_last()) {
        let before = others.iter().map(|index| volumes[*index].clone()).reduce(|a, b| a.plus(&b));
        volumes[*last] = match before {
            None => volumes[*last].ceil(),
            Some(before) => before.plus(&volumes[*last]).ceil().minus(&before),
        };
    }
    volumes
}
