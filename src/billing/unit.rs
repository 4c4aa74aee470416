//! Units of volumes, and conversions between them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The unit of a volume.
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
    /// Any other unit, by its name; only a rate for the same unit applies to it.
    Other(String),
}

/// The conversion of a volume from a mapping's unit to a rate's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conversion {
    /// None: the units are the same.
    Same,
    /// Divided by 1024³.
    BytesToGigabytes,
    /// Divided by 3600; a setting decides whether hours are rounded up.
    SecondsToHours,
}

/// Bytes in a gigabyte.
pub(super) const GIGABYTE: u64 = 1 << 30;
/// Seconds in an hour.
pub(super) const HOUR_S: u64 = 3600;

impl Unit {
    /// Returns the conversion of volumes in this unit to a rate's unit; `None` if there is none.
    pub(super) fn conversion_to(&self, rated: &Unit) -> Option<Conversion> {
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
                assert_eq!(from.conversion_to(to), expected, "{from} to {to}");
            }
        }
    }
}
