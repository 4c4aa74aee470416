//! Times as Distil's clients write them, and as Distil writes them itself.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::billing::Terms;

/// The message for a text that is no time.
pub(super) const MOMENT_EXPECTED: &str = "a time is expected, like 2026-11-20T03:05:54 (UTC), 2026-11-20T03:05:54Z or \
    2026-11-20 (midnight in the billing time zone)";

/// The last second of the year 9999, the last year that all parsers of times accept.
const YEAR_9999_END: i64 = 253_402_300_799;

/// Reads a time as Distil's clients write it, a time of RFC 3339, or a day, which is its midnight in the
/// billing time zone.
pub(super) fn parse_moment(text: &str, terms: &Terms) -> Option<Timestamp> {
    let at = if text.len() == "2026-11-20".len() {
        terms.zone.midnight(text.parse::<Date>().ok()?)?
    } else if let Ok(at) = text.replace(' ', "+").parse::<Timestamp>() {
        // A `+` that was not percent-encoded arrives as a space.
        at
    } else {
        text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp()
    };
    // PostgreSQL's calendar is shorter than that of `Timestamp`, and no sample is older than 1970.
    (0..=YEAR_9999_END).contains(&at.as_second()).then_some(at)
}

/// Formats a time as Distil does: in UTC, without a zone, to the second.
pub(super) fn distil_time(at: Timestamp, separator: char) -> String {
    let civil = TimeZone::UTC.to_datetime(at);
    let (date, time) = (civil.date(), civil.time().with().subsec_nanosecond(0).build());
    format!("{date}{separator}{}", time.unwrap_or(civil.time()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_clients_write_them() {
        let terms = Terms::default();
        for text in [
            "2026-11-20T03:00:00",
            "2026-11-20 03:00:00",
            "2026-11-20T03:00:00Z",
            "2026-11-20T05:00:00+02:00",
            "2026-11-20T05:00:00 02:00",
        ] {
            let at = parse_moment(text, &terms).map(|at| at.to_string());
            assert_eq!(at.as_deref(), Some("2026-11-20T03:00:00Z"), "{text}");
        }
        let midnight = parse_moment("2026-11-20", &terms).map(|at| at.to_string());
        assert_eq!(midnight.as_deref(), Some("2026-11-20T00:00:00Z"));
        for text in ["", "now", "2026-13-01", "1969-12-31T00:00:00", "-009999-01-01T00:00:00Z"] {
            assert_eq!(parse_moment(text, &terms), None, "{text}");
        }
    }

    #[test]
    fn times_are_shown_as_distil_shows_them() {
        let at = "2026-11-20T03:05:54.5Z".parse().unwrap();
        assert_eq!(distil_time(at, ' '), "2026-11-20 03:05:54");
        assert_eq!(distil_time(at, 'T'), "2026-11-20T03:05:54");
    }
}
