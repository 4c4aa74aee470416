//! `[retention]` of the TOML file: how long what is kept.

use serde::Deserialize;

/// `[retention]`: of the samples of hosts, how long the log keeps them, and how long each resolution
/// of what they came to is kept.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "Written")]
pub struct Retention {
    /// Of the family `perf`.
    pub perf: PerfRetention,
}

/// `[retention.perf]`. None is longer than the next: a replay would bring back what was dropped.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields, default)]
pub struct PerfRetention {
    /// The events themselves, in the log.
    pub raw: Keep,
    /// Rollups by minute.
    pub minutes: Keep,
    /// Rollups by hour.
    pub hours: Keep,
    /// Rollups by day.
    pub days: Keep,
}

/// How long something is kept.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String")]
pub enum Keep {
    /// Whole days, at least so many.
    Days(u32),
    /// For ever.
    Forever,
}

/// A hundred years: beyond it, nothing in the log has a time.
const DAYS_MAX: u32 = 36_500;

impl Default for PerfRetention {
    fn default() -> Self {
        PerfRetention {
            raw: Keep::Days(2),
            minutes: Keep::Days(30),
            hours: Keep::Days(730),
            days: Keep::Forever,
        }
    }
}

impl TryFrom<String> for Keep {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
        match days.filter(|days| (1..=DAYS_MAX).contains(days)) {
            Some(days) => Ok(Keep::Days(days)),
            None if text == "forever" => Ok(Keep::Forever),
            None => Err(format!(
                "{text:?} is no such time: whole days from \"1d\" to \"{DAYS_MAX}d\", or \"forever\" \
                 is accepted"
            )),
        }
    }
}

impl std::fmt::Display for Keep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Keep::Days(days) => write!(f, "{days}d"),
            Keep::Forever => f.write_str("forever"),
        }
    }
}

/// The section as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    perf: PerfRetention,
    meter: Option<toml::Value>,
}

impl TryFrom<Written> for Retention {
    type Error = String;

    fn try_from(Written { perf, meter }: Written) -> Result<Self, String> {
        if meter.is_some() {
            return Err("[retention.meter] is not accepted: usage could not be computed again \
                        without the samples; there is [retention.perf]"
                .to_owned());
        }
        let PerfRetention { raw, minutes, hours, days } = perf;
        let kept = [("raw", raw), ("minutes", minutes), ("hours", hours), ("days", days)];
        for pair in kept.windows(2) {
            let [(finer, kept_finer), (name, kept)] = pair else { continue };
            if kept < kept_finer {
                return Err(format!(
                    "[retention.perf] {name} = \"{kept}\" is less than {finer} = \"{kept_finer}\": a \
                     replay would bring back what was dropped; \"{kept_finer}\" or more is accepted"
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
    fn two_days_thirty_days_two_years_and_for_ever_is_the_default() {
        let text = "[perf]\nraw = '2d'\nminutes = '30d'\nhours = '730d'\ndays = 'forever'";
        assert_eq!(read(text).unwrap(), Retention::default());
        assert_eq!(read("").unwrap(), Retention::default());
        assert_eq!(read("[perf]\nraw = '3d'").unwrap().perf.raw, Keep::Days(3));
    }

    #[test]
    fn all_may_be_kept_for_ever() {
        let text = "[perf]\nraw = 'forever'\nminutes = 'forever'\nhours = 'forever'";
        let PerfRetention { raw, minutes, hours, days } = read(text).unwrap().perf;
        assert_eq!([raw, minutes, hours, days], [Keep::Forever; 4]);
    }

    #[test]
    fn what_is_no_time_is_named_with_what_is_accepted() {
        for wrong in ["", "2", "d", "0d", "-1d", "2 d", "2h", "1.5d", "36501d", "Forever"] {
            let error = read(&format!("[perf]\nraw = '{wrong}'")).unwrap_err();
            assert_eq!(
                error,
                format!(
                    "{wrong:?} is no such time: whole days from \"1d\" to \"36500d\", or \"forever\" is accepted"
                )
            );
        }
    }

    #[test]
    fn none_is_kept_longer_than_what_it_comes_to() {
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
