//! Dates and times in options. They are checked and sent to the server unchanged, because the moment at
//! which a date begins is a setting of the server.

use jiff::{Timestamp, civil};

/// Parses a date, and returns it in the server's format.
pub(super) fn parse_date(text: &str) -> Result<String, String> {
    match civil::Date::strptime("%Y-%m-%d", text) {
        Ok(date) => Ok(date.to_string()),
        Err(_) => Err("a date is expected, like 2026-11-20".to_owned()),
    }
}

/// Parses a date, or a date and time; a time without a zone is UTC.
pub(super) fn parse_date_or_time(text: &str) -> Result<String, String> {
    let is_time = text.parse::<Timestamp>().is_ok()
        || text.contains('T') && text.parse::<civil::DateTime>().is_ok();
    if is_time {
        Ok(text.to_owned())
    } else {
        parse_date(text)
            .map_err(|expected| format!("{expected}, or a time, like 2026-11-20T03:05:54"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_strictly() {
        assert_eq!(parse_date("2026-11-20").unwrap(), "2026-11-20");
        assert_eq!(parse_date("2026-1-2").unwrap(), "2026-01-02");
        for wrong in ["", "today", "2026-11-31", "2026-11-20T00:00:00", "20261120", "11/20/2026"] {
            assert!(parse_date(wrong).unwrap_err().contains("a date is expected"), "{wrong}");
        }
    }

    #[test]
    fn times_are_accepted_as_people_and_the_api_write_them() {
        for given in [
            "2026-11-20",
            "2026-11-20T03:05:54",
            "2026-11-20T03:05:54.25Z",
            "2026-11-20T03:05+01:00",
        ] {
            assert_eq!(parse_date_or_time(given).unwrap(), given);
        }
        for wrong in ["", "now", "03:05:54", "2026-11-20T25:00:00", "2026-11-20 soon"] {
            assert!(parse_date_or_time(wrong).unwrap_err().contains("or a time"), "{wrong}");
        }
    }
}
