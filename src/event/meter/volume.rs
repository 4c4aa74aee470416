//! The value of a sample, in every spelling of a number that is on the wire.

use rust_decimal::Decimal;

use super::super::fields::{Value, string};
use super::super::number::{self, NumberFault};

const MISSING: &str = "it has no counter_volume";
const NO_NUMBER: &str = "counter_volume is not a number";
const TOO_LARGE: &str = "counter_volume is beyond ±79228162514264337593543950335";

/// Reads a number, or a string that spells one.
///
/// # Errors
///
/// The reason why the sample does not count.
pub(super) fn read(value: Value<'_>) -> Result<Decimal, &'static str> {
    let raw = value.get().ok_or(MISSING)?;
    let read = match string(raw) {
        Some(text) if text.trim().is_empty() => return Err(MISSING),
        Some(text) => number::parse(text.trim()),
        None => number::parse(raw.get()),
    };
    read.map_err(|fault| match fault {
        NumberFault::NotANumber => NO_NUMBER,
        NumberFault::TooLarge => TOO_LARGE,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    fn volume(json: &str) -> Result<String, &'static str> {
        let mut value = Value::default();
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        value.put(raw);
        read(value).map(|number| number.to_string())
    }

    #[track_caller]
    fn assert_volume(json: &str, number: &str) {
        assert_eq!(volume(json).as_deref(), Ok(number), "{json}");
    }

    #[test]
    fn every_spelling_of_a_number_is_read() {
        assert_volume("1176596429562", "1176596429562");
        assert_volume("10.0", "10.0");
        assert_volume("-0.25", "-0.25");
        assert_volume("0.1234567890123456789012345678", "0.1234567890123456789012345678");
        assert_volume("79228162514264337593543950335", "79228162514264337593543950335");
        assert_volume("1e3", "1000");
        assert_volume("1E+16", "10000000000000000");
        assert_volume("1e-05", "0.00001");
        assert_volume("1.5e-7", "0.00000015");
        assert_volume("123.456e1", "1234.56");
        assert_volume("123.456e2", "12345.6");
        assert_volume("0.00123e2", "0.123");
        assert_volume("0.00123e3", "1.23");
        assert_volume("12.50e1", "125.0");
        assert_volume("7e28", "70000000000000000000000000000");
        assert_volume("0e999999999999", "0");
        assert_volume("-0", "0");
        assert_volume("-0.0", "0.0");
        assert_volume("-0e5", "0");
    }

    #[test]
    fn a_string_that_spells_a_number_is_that_number() {
        assert_volume("\"12\"", "12");
        assert_volume("\" 12.5 \"", "12.5");
        assert_volume("\"+1e2\"", "100");
        assert_volume("\"-.5\"", "-0.5");
        assert_volume("\"5.\"", "5");
        assert_volume("\"007\"", "7");
        assert_volume("\"\\u0031\"", "1");
    }

    #[test]
    fn numbers_beyond_a_decimal_are_rounded_or_refused() {
        assert_volume("1e-28", "0.0000000000000000000000000001");
        assert_volume("1e-29", "0");
        assert_volume("6e-29", "0.0000000000000000000000000001");
        assert_volume("6e-30", "0");
        assert_volume("-1e-400", "0");
        assert_volume("7922816251426433759354395033.56", "7922816251426433759354395034");
        assert_volume("0.99999999999999999999999999999", "1.0000000000000000000000000000");
        assert_volume("1.6e-28", "0.0000000000000000000000000002");
        assert_volume("12345678901234567890.123456789012", "12345678901234567890.123456789");
        for large in [
            "79228162514264337593543950336",
            "1e29",
            "-8e28",
            "1e400",
            "1e99999999999999999999",
            "\"1180591620717411303424000000000000\"",
        ] {
            assert_eq!(volume(large), Err(TOO_LARGE), "{large}");
        }
        let long = format!("{}1", "0".repeat(100_000));
        assert_volume(&format!("\"{long}\""), "1");
        assert_volume(&format!("5.{long}"), "5.0000000000000000000000000000");
    }

    #[test]
    fn other_values_are_refused() {
        for missing in ["null", "\"\"", "\" \"", "[]", "{}"] {
            assert_eq!(volume(missing), Err(MISSING), "{missing}");
        }
        for text in [
            "true",
            "[1]",
            "{\"a\": 1}",
            "\"unknown\"",
            "\"infinite\"",
            "\"NaN\"",
            "\"Infinity\"",
            "\"0x10\"",
            "\"1_000\"",
            "\"1,5\"",
            "\"1e\"",
            "\"1e+\"",
            "\"e5\"",
            "\".\"",
            "\"--1\"",
            "\"1.2.3\"",
            "\"1 2\"",
            "\"١\"",
            "\"??????\"",
        ] {
            assert_eq!(volume(text), Err(NO_NUMBER), "{text}");
        }
    }
}
