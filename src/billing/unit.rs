//! Units of volumes, and how one becomes another.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a volume counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Unit {
    /// `second`
    Second,
    /// `hour`
    Hour,
    /// `byte`
    Byte,
    /// `gigabyte`: 1024³ bytes.
    Gigabyte,
    /// Any other, which only a rate per the same unit is for.
    Other(String),
}

/// How a volume of a mapping's unit becomes one of a rate's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conversion {
    /// As it is.
    Same,
    /// Divided by 1024³.
    BytesToGigabytes,
    /// Divided by 3600; whether hours are whole ones is a setting.
    SecondsToHours,
}

/// Bytes of a gigabyte.
pub(super) const GIGABYTE: u64 = 1 << 30;
/// Seconds of an hour.
pub(super) const HOUR_S: u64 = 3600;

impl Unit {
    /// How volumes in this unit are billed per that one; `None` when they cannot.
    pub(super) fn converted_to(&self, rated: &Unit) -> Option<Conversion> {
        match (self, rated) {
            (used, rated) if used == rated => Some(Conversion::Same),
            (Unit::Byte, Unit::Gigabyte) => Some(Conversion::BytesToGigabytes),
            (Unit::Second, Unit::Hour) => Some(Conversion::SecondsToHours),
            _ => None,
        }
    }
}

impl From<String> for Unit {
    fn from(text: String) -> Self {
        match text.as_str() {
            "second" => Unit::Second,
            "hour" => Unit::Hour,
            "byte" => Unit::Byte,
            "gigabyte" => Unit::Gigabyte,
            _ => Unit::Other(text),
        }
    }
}

impl From<Unit> for String {
    fn from(unit: Unit) -> Self {
        unit.to_string()
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::Second => "second",
            Unit::Hour => "hour",
            Unit::Byte => "byte",
            Unit::Gigabyte => "gigabyte",
            Unit::Other(text) => text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_pairs_can_be_converted_and_every_unit_to_itself() {
        let unit = |text: &str| Unit::from(text.to_owned());
        let all = ["second", "hour", "byte", "gigabyte", "packet", "object"].map(unit);
        for from in &all {
            for to in &all {
                let expected = match (from.to_string().as_str(), to.to_string().as_str()) {
                    (from, to) if from == to => Some(Conversion::Same),
                    ("byte", "gigabyte") => Some(Conversion::BytesToGigabytes),
                    ("second", "hour") => Some(Conversion::SecondsToHours),
                    _ => None,
                };
                assert_eq!(from.converted_to(to), expected, "{from} to {to}");
            }
        }
    }
}
