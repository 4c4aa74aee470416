//! The value of a sample, from every spelling of a number that is on the wire.

use rust_decimal::Decimal;

use super::super::fields::{Value, string};
use super::super::number::{NoNumber, number};

const MISSING: &str = "it has no counter_volume";
const NO_NUMBER: &str = "counter_volume is not a number";
const TOO_LARGE: &str = "counter_volume is beyond ±79228162514264337593543950335";

/// The number that the value is or, as a string, spells.
///
/// # Errors
///
/// Why there is none.
pub(super) fn read(value: Value<'_>) -> Result<Decimal, &'static str> {
    let raw = value.get().ok_or(MISSING)?;
    let read = match string(raw) {
        Some(text) if text.trim().is_empty() => return Err(MISSING),
        Some(text) => number(text.trim()),
        None => number(raw.get()),
    };
    read.map_err(|wrong| match wrong {
        NoNumber::Other => NO_NUMBER,
        NoNumber::TooLarge => TOO_LARGE,
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
    fn is(json: &str, number: &str) {
        assert_eq!(volume(json).as_deref(), Ok(number), "{json}");
    }

    #[test]
    fn every_spelling_of_a_number_is_read() {
        is("1176596429562", "1176596429562");
        is("10.0", "10.0");
        is("-0.25", "-0.25");
        is("0.1234567890123456789012345678", "0.1234567890123456789012345678");
        is("79228162514264337593543950335", "79228162514264337593543950335");
        is("1e3", "1000");
        is("1E+16", "10000000000000000");
        is("1e-05", "0.00001");
        is("1.5e-7", "0.00000015");
        is("123.456e1", "1234.56");
        is("123.456e2", "12345.6");
        is("0.00123e2", "0.123");
        is("0.00123e3", "1.23");
        is("12.50e1", "125.0");
        is("7e28", "70000000000000000000000000000");
        is("0e999999999999", "0");
        is("-0", "0");
        is("-0.0", "0.0");
        is("-0e5", "0");
    }

    #[test]
    fn a_string_that_spells_a_number_is_that_number() {
        is("\"12\"", "12");
        is("\" 12.5 \"", "12.5");
        is("\"+1e2\"", "100");
        is("\"-.5\"", "-0.5");
        is("\"5.\"", "5");
        is("\"007\"", "7");
        is("\"\\u0031\"", "1");
    }

    #[test]
    fn what_no_decimal_holds_is_rounded_below_and_refused_above() {
        is("1e-28", "0.0000000000000000000000000001");
        is("1e-29", "0");
        is("6e-29", "0.0000000000000000000000000001");
        is("6e-30", "0");
        is("-1e-400", "0");
        is("7922816251426433759354395033.56", "7922816251426433759354395034");
        is("0.99999999999999999999999999999", "1.0000000000000000000000000000");
        is("1.6e-28", "0.0000000000000000000000000002");
        is("12345678901234567890.123456789012", "12345678901234567890.123456789");
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
        is(&format!("\"{long}\""), "1");
        is(&format!("5.{long}"), "5.0000000000000000000000000000");
    }

    #[test]
    fn what_is_no_number_is_refused() {
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
