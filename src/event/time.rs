//! Times in the forms in which OpenStack's services write them.

use jiff::Timestamp;

/// The accepted times: [2000-01-01, 2100-01-01), in seconds since 1970.
const RANGE: std::ops::Range<i64> = 946_684_800..4_102_444_800;

/// Parses `YYYY-MM-DD[T| ]HH:MM:SS[.f{1,9}][Z|±HH:MM|±HHMM]` to the µs; further digits are dropped. `t`
/// and `z` may be lower case; without a zone it is UTC. The second 60 is the first of the next minute,
/// as on clocks without leap seconds. `None` for anything else, such as `""` and `"None"`, and for times
/// before 2000 or from 2100 on.
pub fn parse(text: &str) -> Option<Timestamp> {
    let (date_time, rest) = text.as_bytes().split_at_checked(19)?;
    let days = days(date_time)?;
    let (fraction, zone) = micros(rest)?;
    let seconds = days * 86_400 + seconds(date_time)? - offset(zone)?;
    of_micros(seconds * 1_000_000 + fraction)
}

/// The time this many µs after 1970-01-01, if it is from 2000 to 2099.
pub fn of_micros(micros: i64) -> Option<Timestamp> {
    let is_time = RANGE.contains(&micros.div_euclid(1_000_000));
    is_time.then(|| Timestamp::from_microsecond(micros).ok()).flatten()
}

/// The days from 1970-01-01 to the date at the beginning of the text.
fn days(text: &[u8]) -> Option<i64> {
    let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..10])?);
    let separated = text[4] == b'-' && text[7] == b'-' && matches!(text[10], b'T' | b't' | b' ');
    if !separated || !(1..=12).contains(&month) || !(1..=month_length(year, month)).contains(&day) {
        return None;
    }
    // Years begin in March here, so that the leap day is the last of its year.
    let year = if month > 2 { year } else { year - 1 };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(365 * year + leap_days + day_of_year - 719_468)
}

/// The number of days in a month.
fn month_length(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The seconds since midnight of the `HH:MM:SS` after the date; 60 seconds are accepted.
fn seconds(text: &[u8]) -> Option<i64> {
    let (hour, minute) = (number(&text[11..13])?, number(&text[14..16])?);
    let second = number(&text[17..19])?;
    let valid = text[13] == b':' && text[16] == b':' && hour < 24 && minute < 60 && second <= 60;
    valid.then_some(hour * 3600 + minute * 60 + second)
}

/// The µs of a fraction of 1 to 9 digits, if there is one, and the text after it.
fn micros(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', rest)) = rest.split_first() else { return Some((0, rest)) };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, zone) = rest.split_at(length);
    if !(1..=9).contains(&length) {
        return None;
    }
    let digits = &digits[..length.min(6)];
    let scale = [100_000, 10_000, 1_000, 100, 10, 1][digits.len() - 1];
    Some((number(digits)? * scale, zone))
}

/// The seconds that a zone is east of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match zone {
        [] | [b'Z' | b'z'] => return Some(0),
        [sign, h1, h2, b':', m1, m2] | [sign, h1, h2, m1, m2] => (sign, [*h1, *h2], [*m1, *m2]),
        _ => return None,
    };
    let (hours, minutes) = (number(&hours)?, number(&minutes)?);
    let seconds = (hours < 24 && minutes < 60).then_some(hours * 3600 + minutes * 60)?;
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// The number in a few decimal digits.
fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn assert_time(text: &str, expected: &str) {
        assert_eq!(parse(text), Some(expected.parse().unwrap()), "{text}");
    }

    #[test]
    fn every_form_on_the_wire_is_read() {
        assert_time("2026-11-20 03:05:54.580807", "2026-11-20T03:05:54.580807Z");
        assert_time("2026-11-20 03:00:00", "2026-11-20T03:00:00Z");
        assert_time("2026-11-19 10:43:14+00:00", "2026-11-19T10:43:14Z");
        assert_time("2026-11-19 10:43:50.202031+00:00", "2026-11-19T10:43:50.202031Z");
        assert_time("2026-11-19T10:43:42.000000", "2026-11-19T10:43:42Z");
        assert_time("2012-10-29T13:42:11Z", "2012-10-29T13:42:11Z");
        assert_time("2026-11-19T10:00:07.123456+0000", "2026-11-19T10:00:07.123456Z");
        assert_time("2026-11-20T03:05:54.580807+02:30", "2026-11-20T00:35:54.580807Z");
        assert_time("2026-11-20T03:05:54-0100", "2026-11-20T04:05:54Z");
        assert_time("2026-11-20T03:05:54.123456789Z", "2026-11-20T03:05:54.123456Z");
        assert_time("2024-02-29T23:59:59.5Z", "2024-02-29T23:59:59.5Z");
        assert_time("2026-11-20t03:05:54.5z", "2026-11-20T03:05:54.5Z");
        assert_time("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z");
        assert_time("2016-12-31 23:59:60.25", "2017-01-01T00:00:00.25Z");
    }

    #[test]
    fn other_texts_are_not_times() {
        for text in [
            "",
            "None",
            "2026-11-20",
            "2026-11-20T03:05",
            "2026-11-20x03:05:54",
            "2026-13-20T03:05:54",
            "2023-02-29T03:05:54",
            "2100-02-29T03:05:54",
            "2026-11-20T24:00:00",
            "2026-11-20T03:05:61",
            "2026-11-20T03:05:54.",
            "2026-11-20T03:05:54.1234567890",
            "2026-11-20T03:05:54+1",
            "2026-11-20T03:05:54+24:00",
            "2026-11-20T03:05:54 +00:00",
            "+026-11-20T03:05:54",
            "2026-11-20T03:05:5č",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_time_outside_the_century_is_not_a_time() {
        assert_time("2000-01-01T00:00:00Z", "2000-01-01T00:00:00Z");
        assert_time("2099-12-31T23:59:59.999999Z", "2099-12-31T23:59:59.999999Z");
        assert_time("2100-01-01T00:30:00+01:00", "2099-12-31T23:30:00Z");
        assert_eq!(parse("2099-12-31T23:59:60Z"), None);
        for text in ["1999-12-31T23:59:59.999999Z", "2100-01-01T00:00:00Z", "0000-01-01T00:00:00Z"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_harmless(text: String) {
            parse(&text);
        }

        #[test]
        fn any_text_like_a_time_is_harmless(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.+Zzč-]{0,30}") {
            parse(&text);
        }

        #[test]
        fn every_format_comes_back(micros in RANGE.start * 1_000_000..RANGE.end * 1_000_000) {
            let time = Timestamp::from_microsecond(micros).unwrap();
            let second = Timestamp::from_second(micros.div_euclid(1_000_000)).unwrap();
            for (format, expected) in [
                ("%Y-%m-%d %H:%M:%S%.6f", time),
                ("%Y-%m-%dT%H:%M:%S%.6f", time),
                ("%Y-%m-%d %H:%M:%S%.6f+00:00", time),
                ("%Y-%m-%dT%H:%M:%S%.6f+0000", time),
                ("%Y-%m-%dT%H:%M:%S%.9f", time),
                ("%Y-%m-%dT%H:%M:%S%.fZ", time),
                ("%Y-%m-%d %H:%M:%S", second),
                ("%Y-%m-%d %H:%M:%S+00:00", second),
                ("%Y-%m-%dT%H:%M:%SZ", second),
            ] {
                prop_assert_eq!(parse(&time.strftime(format).to_string()), Some(expected));
            }
            for (zone, seconds) in [("+05:30", 19_800), ("-0330", -12_600)] {
                let text = time.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string() + zone;
                let shifted = Timestamp::from_microsecond(micros - seconds * 1_000_000).unwrap();
                let inside = RANGE.contains(&shifted.as_second());
                prop_assert_eq!(parse(&text), inside.then_some(shifted));
            }
        }
    }
}
