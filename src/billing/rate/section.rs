//! `[[rate]]` as written in the file, and its check.

use jiff::tz::TimeZone;
use serde::Deserialize;

use super::price::Price;
use super::rates::Rate;
use crate::billing::day::Day;

/// The keys of a `[[rate]]`, unchecked.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "docs/billing.md and `Rate` describe each key")]
pub struct RateToml {
    pub service: String,
    pub unit: String,
    pub rate: Price,
    pub region: Option<String>,
    pub from: Option<Day>,
    pub to: Option<Day>,
}

/// A wrong rate: its service, and what its key must be.
#[derive(Debug, thiserror::Error)]
#[error("rate of the service {service:?}: {what}")]
pub struct RateError {
    service: String,
    what: String,
}

impl RateToml {
    /// Returns the rate, with days that begin at midnight in the time zone.
    pub(in crate::billing) fn check(self, zone: &TimeZone) -> Result<Rate, RateError> {
        let service = self.service.clone();
        self.into_rate(zone).map_err(|what| RateError { service, what })
    }

    fn into_rate(self, zone: &TimeZone) -> Result<Rate, String> {
        for (key, text) in [("service", &self.service), ("unit", &self.unit)] {
            if text.trim().is_empty() {
                return Err(format!("{key} is empty; it must be the name of a {key}"));
            }
        }
        let midnight = |day: Option<Day>| day.map(|day| day.midnight(zone)).transpose();
        let (from, to) = (midnight(self.from)?, midnight(self.to)?);
        if let (Some(Day(from)), Some(Day(to))) = (self.from, self.to)
            && from >= to
        {
            return Err(format!("from = {from}, to = {to}: to must be a later day than from"));
        }
        Ok(Rate {
            service: self.service,
            unit: self.unit.into(),
            rate: self.rate.0,
            region: self.region,
            from,
            to,
        })
    }
}
