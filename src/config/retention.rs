//! `[retention]` of the TOML file: retention, per kind of data.

use serde::Deserialize;

/// `[retention]`: how long the log keeps the samples of hosts, and how long the read model keeps each
/// resolution of their rollups.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "RawRetention")]
pub struct Retention {
    /// Retention of the family `perf`.
    pub perf: PerfRetention,
}

/// `[retention.perf]`. No period is longer than the one after it: otherwise a replay would bring back
/// rollups that were dropped.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct PerfRetention {
    /// Events in the log.
    pub raw: RetentionPeriod,
    /// Rollups by minute.
    pub minutes: RetentionPeriod,
    /// Rollups by hour.
    pub hours: RetentionPeriod,
    /// Rollups by day.
    pub days: RetentionPeriod,
}

/// How long data is kept.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String")]
pub enum RetentionPeriod {
    /// At least this many whole days.
    Days(u32),
    /// Without an end.
    Forever,
}

/// A hundred years: no event in the log is older.
const DAYS_MAX: u32 = 36_500;

impl Default for PerfRetention {
    fn default() -> Self {
        PerfRetention {
            raw: RetentionPeriod::Days(2),
            minutes: RetentionPeriod::Days(30),
            hours: RetentionPeriod::Days(730),
            days: RetentionPeriod::Forever,
        }
    }
}

impl TryFrom<String> for RetentionPeriod {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
        match days.filter(|days| (1..=DAYS_MAX).contains(days)) {
            Some(days) => Ok(RetentionPeriod::Days(days)),
            None if text == "forever" => Ok(RetentionPeriod::Forever),
            None => Err(format!(
                "{text:?} is not a retention period: it must be whole days from \"1d\" to \
                 \"{DAYS_MAX}d\", or \"forever\""
            )),
        }
    }
}

impl std::fmt::Display for RetentionPeriod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RetentionPeriod::Days(days) => write!(f, "{days}d"),
            RetentionPeriod::Forever => f.write_str("forever"),
        }
    }
}

/// The section before its periods are compared with each other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRetention {
    #[serde(default)]
    perf: PerfRetention,
    meter: Option<toml::Value>,
}

impl TryFrom<RawRetention> for Retention {
    type Error = String;

    fn try_from(RawRetention { perf, meter }: RawRetention) -> Result<Self, String> {
        if meter.is_some() {
            return Err("[retention.meter] is not accepted: samples of meters are kept for ever, \
                        because usage could not be computed again without them; only \
                        [retention.perf] can be set"
                .to_owned());
        }
        let PerfRetention { raw, minutes, hours, days } = perf;
        let periods = [("raw", raw), ("minutes", minutes), ("hours", hours), ("days", days)];
        for pair in periods.windows(2) {
            let [(finer, finer_period), (name, period)] = pair else { continue };
            if period < finer_period {
                return Err(format!(
                    "[retention.perf] {name} = \"{period}\" is less than {finer} = \
                     \"{finer_period}\": it must be at least as long, or a replay would bring back \
                     dropped data"
                ));
            }
        }
        Ok(Retention { perf })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Retention, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn the_default_is_two_days_thirty_days_two_years_and_for_ever() {
        let text = "[perf]\nraw = '2d'\nminutes = '30d'\nhours = '730d'\ndays = 'forever'";
        assert_eq!(read(text).unwrap(), Retention::default());
        assert_eq!(read("").unwrap(), Retention::default());
        assert_eq!(read("[perf]\nraw = '3d'").unwrap().perf.raw, RetentionPeriod::Days(3));
    }

    #[test]
    fn all_may_be_kept_for_ever() {
        let text = "[perf]\nraw = 'forever'\nminutes = 'forever'\nhours = 'forever'";
        let PerfRetention { raw, minutes, hours, days } = read(text).unwrap().perf;
        assert_eq!([raw, minutes, hours, days], [RetentionPeriod::Forever; 4]);
    }

    #[test]
    fn a_wrong_period_is_named_with_what_is_accepted() {
        for wrong in ["", "2", "d", "0d", "-1d", "2 d", "2h", "1.5d", "36501d", "Forever"] {
            let error = read(&format!("[perf]\nraw = '{wrong}'")).unwrap_err();
            assert_eq!(
                error,
                format!(
                    "{wrong:?} is not a retention period: it must be whole days from \"1d\" to \
                     \"36500d\", or \"forever\""
                )
            );
        }
    }

    #[test]
    fn no_data_is_kept_longer_than_its_rollups() {
        for (text, named) in [
            ("raw = '31d'", "minutes = \"30d\" is less than raw = \"31d\""),
            ("raw = 'forever'", "minutes = \"30d\" is less than raw = \"forever\""),
            ("minutes = '731d'", "hours = \"730d\" is less than minutes = \"731d\""),
            ("days = '100d'", "days = \"100d\" is less than hours = \"730d\""),
        ] {
            let error = read(&format!("[perf]\n{text}")).unwrap_err();
            assert!(error.starts_with(&format!("[retention.perf] {named}: ")), "{error}");
        }
    }

    #[test]
    fn meters_have_no_retention() {
        let error = read("[meter]\nraw = '2d'").unwrap_err();
        assert!(error.starts_with("[retention.meter] is not accepted: "), "{error}");
    }
}
