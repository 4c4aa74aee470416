//! Numbers of any spelling, read digit for digit.

use rust_decimal::Decimal;

/// The largest number that a [`Decimal`]'s digits can form, without the point.
const DIGITS_MAX: u128 = (1 << 96) - 1;
/// The most decimals of a [`Decimal`].
const DECIMALS_MAX: i64 = 28;
/// The number of digits that always fit into 64 bits. Most numbers have no more.
const SHORT_MAX: usize = 18;

/// Why a text cannot be read as a [`Decimal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NumberFault {
    /// It is not a number.
    NotANumber,
    /// It is beyond ±79228162514264337593543950335.
    TooLarge,
}

/// Parses `[+-]digits[.digits][e[+-]digits]`, where one of the first two groups of digits may be empty.
/// The number is rounded to 28 decimals, and to the 96 bits that all digits share.
///
/// # Errors
///
/// When the text is not a number, or one too large for a [`Decimal`].
pub(super) fn parse(text: &str) -> Result<Decimal, NumberFault> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, parse_exponent(exponent).ok_or(NumberFault::NotANumber)?)
        }
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return Err(NumberFault::NotANumber);
    }
    if exponent == 0 && whole.len() + fraction.len() <= SHORT_MAX {
        let digits = whole.bytes().chain(fraction.bytes());
        let units = digits.fold(0, |units, digit| units * 10 + i64::from(digit - b'0'));
        let signed = if text.starts_with('-') { -units } else { units };
        return Ok(Decimal::new(signed, fraction.len() as u32));
    }
    let (digits, decimals) = round(whole, fraction, exponent)?;
    let signed = if text.starts_with('-') { -digits } else { digits };
    Decimal::try_from_i128_with_scale(signed, decimals).map_err(|_| NumberFault::TooLarge)
}

/// Parses a whole number with an optional sign. One that is too long for an `i32` becomes the largest:
/// either moves the point beyond all digits.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = i64::from(digits.parse().unwrap_or(i32::MAX));
    Some(if text.starts_with('-') { -number } else { number })
}

/// Rounds to the digits that a [`Decimal`] has room for. Returns them as one number, and how many of
/// them are decimals. It goes digit by digit because [`Decimal`]'s own parser recurses, and the text may
/// be as long as a body.
///
/// # Errors
///
/// When there are more digits before the point than a [`Decimal`] has room for.
fn round(whole: &str, fraction: &str, exponent: i64) -> Result<(i128, u32), NumberFault> {
    let (mut digits, mut decimals) = (0, 0);
    let point = whole.len() as i64 + exponent;
    let length = (whole.len() + fraction.len()) as i64;
    // Places count from the point: 1 is the first decimal.
    for (place, digit) in (1 - point..).zip(whole.bytes().chain(fraction.bytes())) {
        let digit = u128::from(digit - b'0');
        let longer = digits * 10 + digit;
        if place <= DECIMALS_MAX && longer <= DIGITS_MAX {
            (digits, decimals) = (longer, place.max(0));
        } else if place <= 0 {
            return Err(NumberFault::TooLarge);
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
            return Err(NumberFault::TooLarge);
        }
    }
    if digits > DIGITS_MAX && decimals > 0 {
        (digits, decimals) = ((digits + 5) / 10, decimals - 1);
    }
    let digits = i128::try_from(digits).map_err(|_| NumberFault::TooLarge)?;
    Ok((digits, u32::try_from(decimals).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_harmless(text: String) {
            let _ = parse(&text);
        }

        #[test]
        fn anything_like_a_number_is_harmless(text in "[-+]?[0-9]{0,40}[.]?[0-9]{0,40}([eE][-+]?[0-9]{0,20})?") {
            let _ = parse(&text);
        }

        #[test]
        fn short_numbers_are_read_as_long_ones_are(text in "-?[0-9]{1,9}[.][0-9]{0,9}") {
            let long = format!("{text}e0000");
            let unsigned = text.trim_start_matches('-');
            let (whole, fraction) = unsigned.split_once('.').unwrap();
            let (digits, decimals) = round(whole, fraction, 0).unwrap();
            let sign = if text.starts_with('-') { -1 } else { 1 };
            let round = Decimal::from_i128_with_scale(sign * digits, decimals);
            prop_assert_eq!(parse(&text).unwrap().to_string(), round.to_string());
            prop_assert_eq!(parse(&long), parse(&text));
        }

        #[test]
        fn an_exponent_only_moves_the_point(units in any::<i64>(), scale in 0_u32..20, shift in -9_i32..9) {
            let exact = Decimal::from_i128_with_scale(units.into(), scale);
            let text = format!("{}e{shift}", exact);
            let factor = Decimal::from(10_u64.pow(shift.unsigned_abs()));
            let expected = if shift < 0 { exact.checked_div(factor) } else { exact.checked_mul(factor) };
            prop_assert_eq!(parse(&text).ok(), expected.map(|number| number.normalize()));
        }
    }
}
