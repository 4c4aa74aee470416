//! `[billing]` of the configuration: currency, rounding, time zone and conditions of an order.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::day::Day;

/// Currency and rounding of amounts. Stored with each order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rounding {
    /// ISO 4217, e.g. `EUR`.
    pub currency: String,
    /// Decimal places of a total.
    pub digits: u32,
    /// Decimal places of a line's amount.
    pub line_digits: u32,
    /// Rounding of seconds that are billed by the hour.
    pub second_to_hour: HourRounding,
}

/// Rounding of seconds that are billed by the hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HourRounding {
    /// Rounded up to whole hours, once per resource and service of an order.
    #[default]
    Ceil,
    /// Not rounded.
    Exact,
}

/// The settings of `[billing]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Currency and rounding of amounts.
    pub rounding: Rounding,
    /// The time zone in which days begin.
    pub zone: Zone,
    /// How old the end of an order must be, in seconds: the last samples arrive with a delay.
    pub settle_s: u32,
    /// Whether an order may leave out usage that has no rate.
    pub allow_unrated: bool,
    /// The region whose rates apply; `None`: the rates of all regions.
    pub region: Option<String>,
    /// Path of a file of rates in Distil's format, relative to the configuration's folder.
    pub rates_file: Option<String>,
}

/// The names of UTC in the IANA time zone database.
const UTC_NAMES: [&str; 8] =
    ["UTC", "Etc/UTC", "UCT", "Etc/UCT", "Universal", "Etc/Universal", "Zulu", "Etc/Zulu"];

/// A time zone and its name. Two zones are equal if their names are.
#[derive(Clone, Debug)]
pub struct Zone {
    name: String,
    zone: TimeZone,
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl Zone {
    /// The name as given in the file, e.g. `Europe/Prague`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The time zone.
    pub fn time_zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns the beginning of a day in the zone; `None` if it is outside the range of timestamps.
    pub fn midnight(&self, date: Date) -> Option<Timestamp> {
        Day(date).midnight(&self.zone).ok()
    }

    /// UTC needs no rules, and therefore no database: small containers have none.
    fn from_name(name: String) -> Result<Self, String> {
        if UTC_NAMES.iter().any(|utc| utc.eq_ignore_ascii_case(&name)) {
            return Ok(Zone { name, zone: TimeZone::UTC });
        }
        match TimeZone::get(&name) {
            Ok(zone) => Ok(Zone { name, zone }),
            Err(_) => Err(format!(
                "billing_timezone = {name:?}: it must be a name from the IANA time zone database of \
                 this system (package tzdata), such as UTC or Europe/Prague"
            )),
        }
    }
}

/// The keys of `[billing]`, unchecked. An absent key has its value in [`Terms::default`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "docs/billing.md and `Terms` describe each key")]
pub struct TermsToml {
    pub currency: Option<String>,
    pub digits: Option<i64>,
    pub line_digits: Option<i64>,
    pub second_to_hour: Option<String>,
    pub billing_timezone: Option<String>,
    pub settle_s: Option<i64>,
    pub allow_unrated: Option<bool>,
    pub region: Option<String>,
    pub rates_file: Option<String>,
}

const DIGITS_MAX: u32 = 6;
const LINE_DIGITS_MAX: u32 = 12;
/// A month.
const SETTLE_S_MAX: u32 = 31 * 86_400;

impl Default for Terms {
    fn default() -> Self {
        Terms {
            rounding: Rounding {
                currency: "EUR".to_owned(),
                digits: 2,
                line_digits: 6,
                second_to_hour: HourRounding::Ceil,
            },
            zone: Zone { name: "UTC".to_owned(), zone: TimeZone::UTC },
            settle_s: 600,
            allow_unrated: false,
            region: None,
            rates_file: None,
        }
    }
}

impl TermsToml {
    /// Checks the keys and fills in defaults.
    ///
    /// # Errors
    ///
    /// The first wrong key, its value, and what it must be.
    pub(super) fn check(self) -> Result<Terms, String> {
        let default = Terms::default();
        let digits = check_whole("digits", self.digits, default.rounding.digits, 0, DIGITS_MAX)?;
        let line_digits = match self.line_digits {
            None => default.rounding.line_digits.max(digits),
            given => check_whole("line_digits", given, 0, digits, LINE_DIGITS_MAX)?,
        };
        for (key, text) in [("region", &self.region), ("rates_file", &self.rates_file)] {
            if text.as_deref() == Some("") {
                return Err(format!("{key} is empty; give it a value or remove the key"));
            }
        }
        Ok(Terms {
            rounding: Rounding {
                currency: self.currency.map_or(Ok(default.rounding.currency), check_currency)?,
                digits,
                line_digits,
                second_to_hour: match self.second_to_hour.as_deref() {
                    None | Some("ceil") => HourRounding::Ceil,
                    Some("exact") => HourRounding::Exact,
                    Some(other) => {
                        return Err(format!(
                            "second_to_hour = {other:?}: it must be ceil or exact"
                        ));
                    }
                },
            },
            zone: self.billing_timezone.map_or(Ok(default.zone), Zone::from_name)?,
            settle_s: check_whole("settle_s", self.settle_s, default.settle_s, 0, SETTLE_S_MAX)?,
            allow_unrated: self.allow_unrated.unwrap_or(default.allow_unrated),
            region: self.region,
            rates_file: self.rates_file,
        })
    }
}

fn check_currency(text: String) -> Result<String, String> {
    if text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(text);
    }
    Err(format!("currency = {text:?}: it must be three capital letters, such as EUR"))
}

/// Returns a whole number within its bounds, or the default if the key is absent.
fn check_whole(
    key: &str,
    given: Option<i64>,
    default: u32,
    min: u32,
    max: u32,
) -> Result<u32, String> {
    let Some(given) = given else { return Ok(default) };
    let number = u32::try_from(given).ok().filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| format!("{key} = {given}: it must be a whole number from {min} to {max}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str) -> Result<Terms, String> {
        toml::from_str::<TermsToml>(text).map_err(|error| error.to_string())?.check()
    }

    #[test]
    fn an_empty_section_is_the_default() {
        assert_eq!(terms("").unwrap(), Terms::default());
    }

    #[test]
    fn every_key_is_read() {
        let terms = terms(
            "currency = 'CZK'\ndigits = 0\nline_digits = 4\nsecond_to_hour = 'exact'\nbilling_timezone = \
             'Europe/Prague'\nsettle_s = 0\nallow_unrated = true\nregion = 'r'\nrates_file = 'f'",
        )
        .unwrap();
        assert_eq!(terms.rounding.currency, "CZK");
        assert_eq!((terms.rounding.digits, terms.rounding.line_digits), (0, 4));
        assert_eq!(terms.rounding.second_to_hour, HourRounding::Exact);
        assert_eq!(terms.zone.name(), "Europe/Prague");
        assert_eq!((terms.settle_s, terms.allow_unrated), (0, true));
        assert_eq!((terms.region.as_deref(), terms.rates_file.as_deref()), (Some("r"), Some("f")));
    }

    #[test]
    fn days_begin_at_midnight_of_the_billing_time_zone() {
        let terms = terms("billing_timezone = 'Europe/Prague'").unwrap();
        let midnight = |date: &str| terms.zone.midnight(date.parse().unwrap()).unwrap().to_string();
        assert_eq!(midnight("2026-01-01"), "2025-12-31T23:00:00Z");
        assert_eq!(midnight("2026-07-01"), "2026-06-30T22:00:00Z");
    }

    /// Not the zone of the same name from the system's database, which may be missing.
    #[test]
    fn utc_needs_no_database() {
        for name in ["UTC", "utc", "Etc/UTC", "Zulu", "Etc/UCT"] {
            let terms = terms(&format!("billing_timezone = '{name}'")).unwrap();
            assert_eq!((terms.zone.name(), terms.zone.time_zone()), (name, &TimeZone::UTC));
        }
    }

    #[test]
    fn every_wrong_key_is_named_with_what_is_accepted() {
        for (text, expected) in [
            (
                "currency = 'euro'",
                "currency = \"euro\": it must be three capital letters, such as EUR",
            ),
            ("digits = 7", "digits = 7: it must be a whole number from 0 to 6"),
            ("line_digits = 1", "line_digits = 1: it must be a whole number from 2 to 12"),
            ("line_digits = 13", "line_digits = 13: it must be a whole number from 2 to 12"),
            ("second_to_hour = 'floor'", "second_to_hour = \"floor\": it must be ceil or exact"),
            ("settle_s = -1", "settle_s = -1: it must be a whole number from 0 to 2678400"),
            ("region = ''", "region is empty; give it a value or remove the key"),
            ("rates_file = ''", "rates_file is empty; give it a value or remove the key"),
            (
                "billing_timezone = 'Mars'",
                "billing_timezone = \"Mars\": it must be a name from the IANA time zone database of \
                 this system (package tzdata), such as UTC or Europe/Prague",
            ),
        ] {
            assert_eq!(terms(text).unwrap_err(), expected);
        }
        assert!(terms("curency = 'EUR'").unwrap_err().contains("curency"));
    }
}
