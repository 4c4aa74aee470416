//! `[[rate]]` as it stands in the file, and its check.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Rate;
use crate::billing::exact::Amount;

/// A rate's keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "docs/billing.md and `Rate` say what each is")]
pub struct Written {
    pub service: String,
    pub unit: String,
    pub rate: Price,
    pub region: Option<String>,
    pub from: Option<Day>,
    pub to: Option<Day>,
}

/// A price: an exact decimal that is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price(pub Decimal);

/// A date, at whose midnight something begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(pub Date);

/// A rate is wrong: which service's, and what is accepted.
#[derive(Debug, thiserror::Error)]
#[error("rate of the service {service:?}: {what}")]
pub struct Wrong {
    service: String,
    what: String,
}

impl Written {
    /// The rate, its days beginning at midnight in that zone.
    pub(in crate::billing) fn check(self, zone: &TimeZone) -> Result<Rate, Wrong> {
        let service = self.service.clone();
        self.rate(zone).map_err(|what| Wrong { service, what })
    }

    fn rate(self, zone: &TimeZone) -> Result<Rate, String> {
        for (key, text) in [("service", &self.service), ("unit", &self.unit)] {
            if text.trim().is_empty() {
                return Err(format!("{key} is empty; a text is expected"));
            }
        }
        let midnight = |day: Option<Day>| day.map(|day| day.midnight(zone)).transpose();
        let (from, to) = (midnight(self.from)?, midnight(self.to)?);
        if let (Some(Day(from)), Some(Day(to))) = (self.from, self.to)
            && from >= to
        {
            return Err(format!(
                "from = {from}, to = {to}: a later day than from is accepted as to"
            ));
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

impl Day {
    /// When it begins in that zone.
    pub(in crate::billing) fn midnight(self, zone: &TimeZone) -> Result<Timestamp, String> {
        let zoned = self.0.to_zoned(zone.clone());
        Ok(zoned.map_err(|error| format!("{}: {error}", self.0))?.timestamp())
    }
}

impl FromStr for Price {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let price = text.parse::<Amount>().ok().and_then(|_| Decimal::from_str_exact(text).ok());
        let price = price.filter(|price| price.is_zero() || price.is_sign_positive());
        price.map(Price).ok_or_else(|| {
            format!(
                "{text:?} is no price; a decimal number of 0 or more is accepted, such as \
                 \"0.044\", of at most 28 digits"
            )
        })
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PriceText)
    }
}

/// Reads a price; a number without quotes is a binary float to most who read and write TOML.
struct PriceText;

impl Visitor<'_> for PriceText {
    type Value = Price;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number in quotes, such as \"0.044\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Price, E> {
        text.parse().map_err(E::custom)
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let date = if text.len() == 10 { text.parse().ok() } else { None };
        date.map(Day).ok_or_else(|| format!("{text:?} is no date; YYYY-MM-DD is accepted"))
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DayText)
    }
}

/// Reads a date, in quotes or as one of TOML's own.
struct DayText;

impl<'de> Visitor<'de> for DayText {
    type Value = Day;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date such as 2026-01-31")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Day, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Day, A::Error> {
        let date = toml::value::Datetime::deserialize(MapAccessDeserializer::new(map))?;
        self.visit_str(&date.to_string())
    }
}
