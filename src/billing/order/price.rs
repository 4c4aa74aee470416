//! From volumes to amounts: conversion, whole hours, rounding of lines.

use super::bill::{Bill, Priced, Sum, Used};
use super::{Line, Reason, Unrated};
use crate::billing::exact::Fraction;
use crate::billing::rate::{Part, Rate};
use crate::billing::terms::Hours;
use crate::billing::unit::{Conversion, GIGABYTE, HOUR_S};

/// Prices all of it, by resource and service.
pub(super) fn price(bill: &Bill<'_>) -> Priced {
    let mut priced = Priced::default();
    for ((resource_id, service), used) in &bill.used {
        Service { bill, resource_id, service, used }.price(&mut priced);
    }
    priced
}

/// One service of one resource.
struct Service<'b> {
    bill: &'b Bill<'b>,
    resource_id: &'b str,
    service: &'b str,
    used: &'b Used,
}

/// What was used in one part of the order's span, and how it is paid.
struct Rated<'b> {
    part: Part<'b>,
    rate: &'b Rate,
    conversion: Conversion,
    sum: &'b Sum,
}

impl Service<'_> {
    fn price(&self, priced: &mut Priced) {
        let parts = self.bill.basis.rates.parts(self.service, self.bill.span());
        let collide = self.used.len() > 1;
        for (mapping, sums) in self.used {
            let mut rated = Vec::with_capacity(sums.len());
            for (index, sum) in sums {
                let Some(part) = parts.get(*index) else { continue };
                let rating =
                    if collide { Err(Reason::Collision) } else { self.rated(*mapping, *part, sum) };
                match rating {
                    Ok(it) => rated.push(it),
                    Err(reason) => {
                        priced.unrated.extend(self.unrated(*mapping, *part, sum, reason));
                    }
                }
            }
            priced.lines.extend(self.lines(*mapping, &rated));
        }
    }

    fn rated<'b>(&self, mapping: usize, part: Part<'b>, sum: &'b Sum) -> Result<Rated<'b>, Reason> {
        let rate = part.rate.ok_or(Reason::NoRate)?;
        let used_in = &self.bill.basis.mappings[mapping].unit;
        let conversion = used_in.converted_to(&rate.unit).ok_or(Reason::OtherUnit)?;
        Ok(Rated { part, rate, conversion, sum })
    }

    /// Nothing used needs no rate.
    fn unrated(
        &self,
        mapping: usize,
        part: Part<'_>,
        sum: &Sum,
        reason: Reason,
    ) -> Option<Unrated> {
        let rule = &self.bill.basis.mappings[mapping];
        let described = self.bill.resources.get(self.resource_id);
        (!sum.volume.is_zero()).then(|| Unrated {
            resource_id: self.resource_id.to_owned(),
            resource_type: described.and_then(|it| Some(it.resource_type.clone()?.1)),
            metadata: described.map(|it| it.metadata()).unwrap_or_default(),
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
        })
    }

    fn lines(&self, mapping: usize, rated: &[Rated<'_>]) -> Vec<Line> {
        let rule = &self.bill.basis.mappings[mapping];
        let rounding = &self.bill.basis.rounding;
        let described = self.bill.resources.get(self.resource_id);
        let volumes = volumes(rated, rounding.second_to_hour);
        rated
            .iter()
            .zip(volumes)
            .map(|(it, volume)| Line {
                resource_id: self.resource_id.to_owned(),
                resource_type: described.and_then(|it| Some(it.resource_type.clone()?.1)),
                metadata: described.map(|it| it.metadata()).unwrap_or_default(),
                service: self.service.to_owned(),
                meter: rule.meter.clone(),
                mapping,
                from: it.part.span.from,
                to: it.part.span.to,
                usage: it.sum.volume.to_string(),
                usage_unit: rule.unit.clone(),
                volume: volume.to_string(),
                unit: it.rate.unit.clone(),
                rate: it.rate.rate,
                amount: volume.times(it.rate.rate).round(rounding.line_digits),
                windows: it.sum.windows,
                coverage: it.sum.coverage(),
            })
            .collect()
    }
}

/// The volumes in the units of their rates. Whole hours are those of all parts together, and the
/// last part takes what rounding adds.
fn volumes(rated: &[Rated<'_>], hours: Hours) -> Vec<Fraction> {
    let mut volumes: Vec<Fraction> = rated
        .iter()
        .map(|it| match it.conversion {
            Conversion::Same => it.sum.volume.fraction(),
            Conversion::BytesToGigabytes => it.sum.volume.fraction().divided(GIGABYTE),
            Conversion::SecondsToHours => it.sum.volume.fraction().divided(HOUR_S),
        })
        .collect();
    let of_hours: Vec<usize> = (0..rated.len())
        .filter(|index| rated[*index].conversion == Conversion::SecondsToHours)
        .collect();
    if let (Hours::Ceil, Some((last, others))) = (hours, of_hours.split_last()) {
        let before = others.iter().map(|index| volumes[*index].clone()).reduce(|a, b| a.plus(&b));
        volumes[*last] = match before {
            None => volumes[*last].ceil(),
            Some(before) => before.plus(&volumes[*last]).ceil().minus(&before),
        };
    }
    volumes
}
