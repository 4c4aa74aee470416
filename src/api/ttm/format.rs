//! Times as TTM writes them.

use jiff::Timestamp;

/// Formats a time as naive UTC, without the fraction if it is 0 µs.
pub(super) fn iso(time: Timestamp) -> String {
    let format = match time.subsec_nanosecond() {
        0 => "%Y-%m-%dT%H:%M:%S",
        _ => "%Y-%m-%dT%H:%M:%S%.6f",
    };
    time.strftime(format).to_string()
}

/// Formats a time like [`iso`], an unknown one as `""`.
pub(super) fn iso_or_empty(time: Option<Timestamp>) -> String {
    time.map(iso).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_naive() {
        let time = |text: &str| iso(text.parse().unwrap());
        assert_eq!(time("2013-11-08T23:48:19.088958Z"), "2013-11-08T23:48:19.088958");
        assert_eq!(time("2013-11-08T23:48:19.5Z"), "2013-11-08T23:48:19.500000");
        assert_eq!(time("2013-11-08T23:48:19Z"), "2013-11-08T23:48:19");
        assert_eq!(iso_or_empty(None), "");
    }
}
