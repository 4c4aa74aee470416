//! Dates and times as options. They go to the server as they are: which moment a date begins at is a
//! setting of the server's.

use jiff::{Timestamp, civil};

/// A date, as the server reads it.
pub(super) fn date(text: &str) -> Result<String, String> {
    match civil::Date::strptime("%Y-%m-%d", text) {
        Ok(date) => Ok(date.to_string()),
        Err(_) => Err("a date is expected, like 2026-11-20".to_owned()),
    }
}

/// A date, or a date and time (of UTC, where it does not say).
pub(super) fn date_or_time(text: &str) -> Result<String, String> {
    let is_time = text.parse::<Timestamp>().is_ok()
        || text.contains('T') && text.parse::<civil::DateTime>().is_ok();
    if is_time {
        Ok(text.to_owned())
    } else {
        date(text).map_err(|expected| format!("{expected}, or a time, like 2026-11-20T03:05:54"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_strictly() {
        assert_eq!(date("2026-11-20").unwrap(), "2026-11-20");
        assert_eq!(date("2026-1-2").unwrap(), "2026-01-02");
        for wrong in ["", "today", "2026-11-31", "2026-11-20T00:00:00", "20261120", "11/20/2026"] {
            assert!(date(wrong).unwrap_err().contains("a date is expected"), "{wrong}");
        }
    }

    #[test]
    fn times_are_those_of_users_and_of_the_api() {
        for given in [
            "2026-11-20",
            "2026-11-20T03:05:54",
            "2026-11-20T03:05:54.25Z",
            "2026-11-20T03:05+01:00",
        ] {
            assert_eq!(date_or_time(given).unwrap(), given);
        }
        for wrong in ["", "now", "03:05:54", "2026-11-20T25:00:00", "2026-11-20 soon"] {
            assert!(date_or_time(wrong).unwrap_err().contains("or a time"), "{wrong}");
        }
    }
}
