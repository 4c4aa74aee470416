//! Exact numbers: volumes, amounts, and the fractions between them.
//!
//! A [`Decimal`] has 28 digits and rounds silently beyond; a byte is 2⁻³⁰ GiB (30 decimal places), and
//! a volume held for part of an hour may have no finite decimal form. Sums and products are therefore
//! integers of any length, rounded once, where a rule requires it. Nothing here can overflow.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use num_bigint::{BigInt, Sign};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds in an hour.
pub(super) const HOUR_US: i64 = 3_600_000_000;

/// The greatest number of decimal places of a [`Decimal`].
const SCALE: u32 = 28;

/// Decimal places in the text of a number without a finite decimal form, such as a third of an hour.
const TEXT_SCALE: u32 = 28;

fn power_of_ten(power: u32) -> BigInt {
    BigInt::from(10).pow(power)
}

/// A used quantity: exact, and closed under addition.
///
/// Stored as an integer in units × µs / 10²⁸, so that a decimal held for any whole number of
/// microseconds is an integer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Volume(BigInt);

impl Volume {
    /// Returns the volume of a number of units.
    pub fn of(units: Decimal) -> Self {
        Volume(mantissa_at_scale(units) * HOUR_US)
    }

    /// Returns the volume in unit-hours of units held for a time in microseconds.
    pub fn unit_hours(units: Decimal, us: i64) -> Self {
        Volume(mantissa_at_scale(units) * us)
    }

    /// Returns a time in microseconds as a volume in seconds.
    pub fn seconds(us: i64) -> Self {
        Self::of(Decimal::new(us, 6))
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.0.sign() == Sign::NoSign
    }

    /// Whether it is less than zero.
    pub fn is_negative(&self) -> bool {
        self.0.sign() == Sign::Minus
    }

    /// Returns the difference `self - other`.
    pub fn minus(&self, other: &Volume) -> Volume {
        Volume(&self.0 - &other.0)
    }

    /// Returns the volume × 3 600 000 000 as decimal text. It is always finite, so an SQL `numeric` stores
    /// it and sums it without loss.
    pub fn to_numeric(&self) -> String {
        let text = Amount { digits: self.0.clone(), scale: SCALE }.to_string();
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// Reads the text of [`Volume::to_numeric`]; `None` if no volume has this text.
    pub fn from_numeric(text: &str) -> Option<Self> {
        let amount: Amount = text.parse().ok()?;
        let missing = SCALE.checked_sub(amount.scale)?;
        Some(Volume(amount.digits * power_of_ten(missing)))
    }

    /// Returns the number of units as a fraction.
    pub(super) fn fraction(&self) -> Fraction {
        Fraction::new(self.0.clone(), power_of_ten(SCALE) * HOUR_US)
    }
}

impl std::ops::AddAssign<&Volume> for Volume {
    fn add_assign(&mut self, other: &Volume) {
        self.0 += &other.0;
    }
}

impl fmt::Display for Volume {
    /// Writes the number of units: all digits if it has a finite decimal form, else rounded half up to 28
    /// decimal places.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fraction().fmt(f)
    }
}

/// Returns the decimal as an integer number of 10⁻²⁸.
fn mantissa_at_scale(units: Decimal) -> BigInt {
    let missing = SCALE.saturating_sub(units.scale());
    BigInt::from(units.mantissa()) * power_of_ten(missing)
}

/// A fraction of integers; the denominator is positive.
#[derive(Clone, Debug)]
pub(super) struct Fraction {
    numerator: BigInt,
    denominator: BigInt,
}

impl Fraction {
    fn new(numerator: BigInt, denominator: BigInt) -> Self {
        Fraction { numerator, denominator }
    }

    /// Returns `part / whole`; `whole` is positive.
    pub(super) fn share(part: i64, whole: i64) -> Self {
        Self::new(part.into(), whole.max(1).into())
    }

    pub(super) fn plus(&self, other: &Fraction) -> Self {
        if self.denominator == other.denominator {
            return Self::new(&self.numerator + &other.numerator, self.denominator.clone());
        }
        Self::new(
            &self.numerator * &other.denominator + &other.numerator * &self.denominator,
            &self.denominator * &other.denominator,
        )
    }

    pub(super) fn minus(&self, other: &Fraction) -> Self {
        self.plus(&Self::new(-&other.numerator, other.denominator.clone()))
    }

    pub(super) fn times(&self, factor: Decimal) -> Self {
        Self::new(
            &self.numerator * factor.mantissa(),
            &self.denominator * power_of_ten(factor.scale()),
        )
    }

    /// Returns the fraction divided by `divisor`, which is not 0.
    pub(super) fn divided(&self, divisor: u64) -> Self {
        Self::new(self.numerator.clone(), &self.denominator * divisor.max(1))
    }

    /// Returns the least integer that is not less than the fraction.
    pub(super) fn ceil(&self) -> Self {
        let whole = &self.numerator / &self.denominator;
        let is_more = self.numerator > &whole * &self.denominator;
        Self::new(if is_more { whole + 1 } else { whole }, BigInt::from(1))
    }

    /// Rounds to `scale` decimal places, halves away from zero.
    pub(super) fn round(&self, scale: u32) -> Amount {
        let doubled: BigInt = &self.numerator * power_of_ten(scale) * 2;
        let half_up = match doubled.sign() {
            Sign::Minus => doubled - &self.denominator,
            _ => doubled + &self.denominator,
        };
        Amount { digits: half_up / (&self.denominator * 2), scale }
    }
}

impl fmt::Display for Fraction {
    /// Writes all digits if there is a finite decimal form, else rounds half up to 28 decimal places; without
    /// trailing zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Denominators are products of 2, 3 and 5. Enough factors of ten cancel the twos and fives.
        let enough = u32::try_from(self.denominator.bits()).unwrap_or(u32::MAX);
        let raised = &self.numerator * power_of_ten(enough);
        let scale =
            if (&raised % &self.denominator).sign() == Sign::NoSign { enough } else { TEXT_SCALE };
        let text = self.round(scale).to_string();
        f.write_str(match text.split_once('.') {
            Some(_) => text.trim_end_matches('0').trim_end_matches('.'),
            None => &text,
        })
    }
}

/// A decimal of any length with a fixed number of decimal places, usually an amount of money.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Amount {
    digits: BigInt,
    scale: u32,
}

impl Amount {
    /// Returns zero with `scale` decimal places.
    pub fn zero(scale: u32) -> Self {
        Amount { digits: BigInt::ZERO, scale }
    }

    /// The number of decimal places.
    pub fn scale(&self) -> u32 {
        self.scale
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.digits.sign() == Sign::NoSign
    }

    /// Returns the sum, with the greater number of decimal places of the two.
    pub fn plus(&self, other: &Amount) -> Amount {
        let scale = self.scale.max(other.scale);
        Amount { digits: self.digits_at(scale) + other.digits_at(scale), scale }
    }

    /// Returns the difference, with the greater number of decimal places of the two.
    pub fn minus(&self, other: &Amount) -> Amount {
        self.plus(&Amount { digits: -&other.digits, scale: other.scale })
    }

    /// Rounds to `scale` decimal places, halves away from zero, or pads with zeros.
    pub fn round(&self, scale: u32) -> Amount {
        Fraction::new(self.digits.clone(), power_of_ten(self.scale)).round(scale)
    }

    /// Returns the sum of all amounts, with at least `scale` decimal places.
    pub fn sum<'a>(amounts: impl IntoIterator<Item = &'a Amount>, scale: u32) -> Amount {
        amounts.into_iter().fold(Amount::zero(scale), |sum, amount| sum.plus(amount))
    }

    /// Returns the value as an integer number of 10^-scale; `scale` is at least the amount's own.
    fn digits_at(&self, scale: u32) -> BigInt {
        &self.digits * power_of_ten(scale - self.scale)
    }
}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    /// Compares by value, then by the number of decimal places.
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        (self.digits_at(scale), self.scale).cmp(&(other.digits_at(scale), other.scale))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.scale as usize;
        let sign = if self.digits.sign() == Sign::Minus { "-" } else { "" };
        let digits = format!("{:0>1$}", self.digits.magnitude().to_string(), scale + 1);
        let (whole, decimals) = digits.split_at(digits.len() - scale);
        let point = if scale == 0 { "" } else { "." };
        write!(f, "{sign}{whole}{point}{decimals}")
    }
}

/// A text is not a plain decimal number.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is not a decimal number")]
pub struct DecimalError(String);

impl FromStr for Amount {
    type Err = DecimalError;

    /// Reads digits with an optional minus sign and an optional decimal point; no exponent.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let wrong = || DecimalError(text.chars().take(40).collect());
        let (sign, plain) = match text.strip_prefix('-') {
            Some(plain) => (Sign::Minus, plain),
            None => (Sign::Plus, text),
        };
        let (whole, decimals) = plain.split_once('.').unwrap_or((plain, ""));
        let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !are_digits(whole) || !are_digits(decimals) || plain.ends_with('.') {
            return Err(wrong());
        }
        let digits: BigInt = format!("{whole}{decimals}").parse().map_err(|_| wrong())?;
        let scale = u32::try_from(decimals.len()).map_err(|_| wrong())?;
        Ok(Amount { digits: if sign == Sign::Minus { -digits } else { digits }, scale })
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Serialises a [`Decimal`] as a JSON string.
pub(super) mod as_text {
    use super::{Amount, Decimal, Deserialize, Deserializer, Serializer};

    pub(in crate::billing) fn serialize<S: Serializer>(
        number: &Decimal,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(number)
    }

    pub(in crate::billing) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Decimal, D::Error> {
        let text = Amount::deserialize(deserializer)?.to_string();
        Decimal::from_str_exact(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    fn amount(text: &str) -> Amount {
        text.parse().unwrap()
    }

    #[test]
    fn a_byte_in_gibibytes_keeps_its_thirty_decimals() {
        let byte = Volume::of(Decimal::ONE).fraction().divided(1 << 30);
        assert_eq!(byte.to_string(), "0.000000000931322574615478515625");
    }

    #[test]
    fn an_infinite_decimal_is_rounded_only_in_the_text() {
        let third = Volume::unit_hours(Decimal::ONE, HOUR_US / 3);
        assert_eq!(third.to_string(), "0.3333333333333333333333333333");
        let mut whole = Volume::default();
        (0..3).for_each(|_| whole += &third);
        assert_eq!(whole, Volume::of(Decimal::ONE));
        assert_eq!(
            Volume::unit_hours(decimal("2"), HOUR_US / 3).to_string(),
            format!("0.{}7", "6".repeat(27))
        );
    }

    #[test]
    fn the_longest_decimals_are_added_and_multiplied_exactly() {
        let mut sum = Volume::of(Decimal::MAX);
        sum += &Volume::of(decimal("0.0000000000000000000000000001"));
        sum += &Volume::unit_hours(Decimal::MAX, HOUR_US);
        assert_eq!(sum.to_string(), "158456325028528675187087900670.0000000000000000000000000001");
        let product = sum.fraction().times(Decimal::MAX);
        assert!(product.to_string().starts_with("12554203470773361527671578846"));
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        for (given, scale, expected) in [
            ("0.005", 2, "0.01"),
            ("0.015", 2, "0.02"),
            ("1.005", 2, "1.01"),
            ("2.675", 2, "2.68"),
            ("0.004999", 2, "0.00"),
            ("-0.005", 2, "-0.01"),
            ("-0.0049", 2, "0.00"),
            ("0.5", 0, "1"),
            ("3", 2, "3.00"),
            ("-12.3", 3, "-12.300"),
        ] {
            assert_eq!(amount(given).round(scale).to_string(), expected, "{given}");
        }
    }

    #[test]
    fn ceil_is_the_next_whole_number() {
        let ceil = |text: &str| Volume::of(decimal(text)).fraction().ceil().to_string();
        assert_eq!(["0", "1", "1.0001", "-1.5", "-0.5"].map(ceil), ["0", "1", "2", "-1", "0"]);
    }

    #[test]
    fn only_plain_decimals_are_read() {
        for wrong in ["", "-", ".5", "5.", "1e3", "+1", "1_000", "0x1", " 1", "1,5", "NaN", "--1"] {
            assert!(wrong.parse::<Amount>().is_err(), "{wrong}");
        }
        assert_eq!(amount("007.50").to_string(), "7.50");
    }

    #[test]
    fn amounts_are_ordered_by_value() {
        assert!(amount("-1") < amount("0.00") && amount("0.1") < amount("0.11"));
        assert_eq!(amount("0.1").plus(&amount("0.25")).to_string(), "0.35");
        assert_eq!(amount("0.1").minus(&amount("0.25")).to_string(), "-0.15");
    }

    proptest! {
        #[test]
        fn the_text_for_sql_gives_the_volume_again(
            digits in any::<i64>(), scale in 0..=28_u32, us in 0..=HOUR_US,
        ) {
            let volume = Volume::unit_hours(Decimal::from_i128_with_scale(digits.into(), scale), us);
            prop_assert_eq!(Volume::from_numeric(&volume.to_numeric()), Some(volume));
        }

        #[test]
        fn amounts_are_read_as_they_are_written(digits in any::<i128>(), scale in 0..40_u32) {
            let amount = Amount { digits: digits.into(), scale };
            prop_assert_eq!(amount.to_string().parse::<Amount>().unwrap(), amount);
        }
    }
}
