//! Prices of the configuration: exact decimals.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use crate::billing::exact::Amount;

/// A price: an exact decimal that is not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price(pub Decimal);

impl FromStr for Price {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let price = text.parse::<Amount>().ok().and_then(|_| Decimal::from_str_exact(text).ok());
        let price = price.filter(|price| price.is_zero() || price.is_sign_positive());
        price.map(Price).ok_or_else(|| {
            format!(
                "{text:?} must be a decimal number of at least 0 with at most 28 digits, such as \
                 \"0.044\""
            )
        })
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PriceVisitor)
    }
}

/// Reads a price from a string. A bare number is refused: most programs that read or write TOML make
/// a binary float of it.
struct PriceVisitor;

impl Visitor<'_> for PriceVisitor {
    type Value = Price;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number in quotes, such as \"0.044\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Price, E> {
        text.parse().map_err(E::custom)
    }
}
