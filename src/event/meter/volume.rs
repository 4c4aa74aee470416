//! The value of a sample, from every spelling of a number that is on the wire.

use rust_decimal::Decimal;

use super::super::fields::{Value, string};

const MISSING: &str = "it has no counter_volume";
const NO_NUMBER: &str = "counter_volume is not a number";
const TOO_LARGE: &str = "counter_volume is beyond ±79228162514264337593543950335";

/// The largest number that the digits of a [`Decimal`] make, the point left out.
const DIGITS_MAX: u128 = (1 << 96) - 1;
/// The most decimals of a [`Decimal`].
const DECIMALS_MAX: i64 = 28;

/// The number that the value is or, as a string, spells.
///
/// # Errors
///
/// Why there is none.
pub(super) fn read(value: Value<'_>) -> Result<Decimal, &'static str> {
    let raw = value.get().ok_or(MISSING)?;
    match string(raw) {
        Some(text) if text.trim().is_empty() => Err(MISSING),
        Some(text) => number(text.trim()),
        None => number(raw.get()),
    }
}

/// The number written as `[+-]digits[.digits][e[+-]digits]`, where one of the first two groups of
/// digits may be empty. What is beyond the 28th decimal, or beyond the 96 bits that all digits share,
/// is rounded.
///
/// # Errors
///
/// Why there is none.
fn number(text: &str) -> Result<Decimal, &'static str> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, self::exponent(exponent).ok_or(NO_NUMBER)?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return Err(NO_NUMBER);
    }
    let (digits, decimals) = round(whole, fraction, exponent)?;
    let signed = if text.starts_with('-') { -digits } else { digits };
    Decimal::try_from_i128_with_scale(signed, decimals).map_err(|_| TOO_LARGE)
}

/// A whole number with an optional sign. One that is too long to be told is as good as any other
/// that moves the point beyond all digits.
fn exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = i64::from(digits.parse().unwrap_or(i32::MAX));
    Some(if text.starts_with('-') { -number } else { number })
}

/// The digits that can be kept as one number, and how many of them are decimals. Digit by digit,
/// because what parses a [`Decimal`] from a text recurses, and the text may be as long as a body.
///
/// # Errors
///
/// When there are more digits before the point than can be kept.
fn round(whole: &str, fraction: &str, exponent: i64) -> Result<(i128, u32), &'static str> {
    let (mut digits, mut decimals) = (0, 0);
    let point = whole.len() as i64 + exponent;
    let length = (whole.len() + fraction.len()) as i64;
    // A digit's place counts from the point: 1 is the first decimal.
    for (place, digit) in (1 - point..).zip(whole.bytes().chain(fraction.bytes())) {
        let digit = u128::from(digit - b'0');
        let longer = digits * 10 + digit;
        if place <= DECIMALS_MAX && longer <= DIGITS_MAX {
            (digits, decimals) = (longer, place.max(0));
        } else if place <= 0 {
            return Err(TOO_LARGE);
        } else {
            if digit >= 5 && place <= DECIMALS_MAX + 1 {
                (digits, decimals) = (digits + 1, place - 1);
            }
            break;
        }
    }
    for _ in length..point {
        if digits == 0 {
            break;
        }
        digits *= 10;
        if digits > DIGITS_MAX {
            return Err(TOO_LARGE);
        }
    }
    if digits > DIGITS_MAX && decimals > 0 {
        (digits, decimals) = ((digits + 5) / 10, decimals - 1);
    }
    let digits = i128::try_from(digits).map_err(|_| TOO_LARGE)?;
    Ok((digits, u32::try_from(decimals).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
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

    proptest! {
        #[test]
        fn any_text_is_harmless(text: String) {
            let _ = number(&text);
        }

        #[test]
        fn anything_like_a_number_is_harmless(text in "[-+]?[0-9]{0,40}[.]?[0-9]{0,40}([eE][-+]?[0-9]{0,20})?") {
            let _ = number(&text);
        }

        #[test]
        fn an_exponent_only_moves_the_point(units in any::<i64>(), scale in 0_u32..20, shift in -9_i32..9) {
            let exact = Decimal::from_i128_with_scale(units.into(), scale);
            let text = format!("{}e{shift}", exact);
            let factor = Decimal::from(10_u64.pow(shift.unsigned_abs()));
            let expected = if shift < 0 { exact.checked_div(factor) } else { exact.checked_mul(factor) };
            prop_assert_eq!(number(&text).ok(), expected.map(|number| number.normalize()));
        }
    }
}
