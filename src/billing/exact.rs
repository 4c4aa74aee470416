//! Numbers that lose no digit: volumes, and what becomes of them on the way to an amount.
//!
//! A [`Decimal`] holds 28 digits and rounds silently beyond; a byte is 2⁻³⁰ GiB (30 decimals), and
//! a volume held for a part of an hour may be no decimal at all. So sums and products are kept as
//! integers of any length, and are rounded once, where a rule says so. Nothing here can overflow.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use num_bigint::{BigInt, Sign};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds of an hour.
pub(super) const HOUR_US: i64 = 3_600_000_000;

/// Decimals of a [`Decimal`], at most.
const SCALE: u32 = 28;

/// Decimals of a number that does not come out even, such as a third of an hour.
const TEXT_SCALE: u32 = 28;

fn ten_to(power: u32) -> BigInt {
    BigInt::from(10).pow(power)
}

/// How much was used: exact, and closed under addition.
///
/// Kept as an integer, in units × µs / 10²⁸, so that a decimal held for any whole number of
/// microseconds is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Volume(BigInt);

impl Volume {
    /// So many units.
    pub fn of(units: Decimal) -> Self {
        Volume(grains(units) * HOUR_US)
    }

    /// So many units, held for so long: unit-hours.
    pub fn held(units: Decimal, us: i64) -> Self {
        Volume(grains(units) * us)
    }

    /// A time as a volume in seconds.
    pub fn seconds(us: i64) -> Self {
        Self::of(Decimal::new(us, 6))
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.0.sign() == Sign::NoSign
    }

    /// The difference to another.
    pub fn minus(&self, other: &Volume) -> Volume {
        Volume(&self.0 - &other.0)
    }

    /// The volume × 3 600 000 000 as a decimal text, which is always finite: what an SQL `numeric`
    /// keeps without loss, and sums without loss.
    pub fn to_numeric(&self) -> String {
        let text = Amount { digits: self.0.clone(), scale: SCALE }.to_string();
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// The volume whose [`Volume::to_numeric`] this is; `None` when it is that of none.
    pub fn from_numeric(text: &str) -> Option<Self> {
        let amount: Amount = text.parse().ok()?;
        let missing = SCALE.checked_sub(amount.scale)?;
        Some(Volume(amount.digits * ten_to(missing)))
    }

    /// The number of units.
    pub(super) fn fraction(&self) -> Fraction {
        Fraction::new(self.0.clone(), ten_to(SCALE) * HOUR_US)
    }
}

impl std::ops::AddAssign<&Volume> for Volume {
    fn add_assign(&mut self, other: &Volume) {
        self.0 += &other.0;
    }
}

impl fmt::Display for Volume {
    /// The number of units: every digit where they end, else rounded half up to 28 decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fraction().fmt(f)
    }
}

/// The decimal in units of 10⁻²⁸.
fn grains(units: Decimal) -> BigInt {
    let missing = SCALE.saturating_sub(units.scale());
    BigInt::from(units.mantissa()) * ten_to(missing)
}

/// A quotient of integers; the denominator is positive.
#[derive(Clone, Debug)]
pub(super) struct Fraction {
    numerator: BigInt,
    denominator: BigInt,
}

impl Fraction {
    fn new(numerator: BigInt, denominator: BigInt) -> Self {
        Fraction { numerator, denominator }
    }

    /// A share of a whole; the whole is not 0.
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
        Self::new(&self.numerator * factor.mantissa(), &self.denominator * ten_to(factor.scale()))
    }

    /// A part of it; `parts` is not 0.
    pub(super) fn divided(&self, parts: u64) -> Self {
        Self::new(self.numerator.clone(), &self.denominator * parts.max(1))
    }

    /// The least integer that is not less.
    pub(super) fn ceil(&self) -> Self {
        let whole = &self.numerator / &self.denominator;
        let is_more = self.numerator > &whole * &self.denominator;
        Self::new(if is_more { whole + 1 } else { whole }, BigInt::from(1))
    }

    /// Rounded to so many decimals; halves go away from zero.
    pub(super) fn round(&self, scale: u32) -> Amount {
        let doubled: BigInt = &self.numerator * ten_to(scale) * 2;
        let half_up = match doubled.sign() {
            Sign::Minus => doubled - &self.denominator,
            _ => doubled + &self.denominator,
        };
        Amount { digits: half_up / (&self.denominator * 2), scale }
    }
}

impl fmt::Display for Fraction {
    /// Every digit where they end, else rounded half up to 28 decimals; no zeros at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Denominators are products of 2, 3 and 5; the twos and fives go away with enough tens.
        let enough = u32::try_from(self.denominator.bits()).unwrap_or(u32::MAX);
        let raised = &self.numerator * ten_to(enough);
        let scale =
            if (&raised % &self.denominator).sign() == Sign::NoSign { enough } else { TEXT_SCALE };
        let text = self.round(scale).to_string();
        f.write_str(match text.split_once('.') {
            Some(_) => text.trim_end_matches('0').trim_end_matches('.'),
            None => &text,
        })
    }
}

/// A decimal of any length with a fixed number of decimals: an amount of money, as a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Amount {
    digits: BigInt,
    scale: u32,
}

impl Amount {
    /// Nothing, with so many decimals.
    pub fn zero(scale: u32) -> Self {
        Amount { digits: BigInt::ZERO, scale }
    }

    /// The number of decimals.
    pub fn scale(&self) -> u32 {
        self.scale
    }

    /// Whether it is nothing.
    pub fn is_zero(&self) -> bool {
        self.digits.sign() == Sign::NoSign
    }

    /// The sum, with as many decimals as the longer one.
    pub fn plus(&self, other: &Amount) -> Amount {
        let scale = self.scale.max(other.scale);
        Amount { digits: self.raised(scale) + other.raised(scale), scale }
    }

    /// The difference, with as many decimals as the longer one.
    pub fn minus(&self, other: &Amount) -> Amount {
        self.plus(&Amount { digits: -&other.digits, scale: other.scale })
    }

    /// Rounded to so many decimals (or filled up with zeros); halves go away from zero.
    pub fn round(&self, scale: u32) -> Amount {
        Fraction::new(self.digits.clone(), ten_to(self.scale)).round(scale)
    }

    /// The sum of all, with at least so many decimals.
    pub fn sum<'a>(amounts: impl IntoIterator<Item = &'a Amount>, scale: u32) -> Amount {
        amounts.into_iter().fold(Amount::zero(scale), |sum, amount| sum.plus(amount))
    }

    fn raised(&self, scale: u32) -> BigInt {
        &self.digits * ten_to(scale - self.scale)
    }
}

impl PartialOrd for Amount {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Amount {
    /// By value, then by the number of decimals.
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        (self.raised(scale), self.scale).cmp(&(other.raised(scale), other.scale))
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

/// A text that is no plain decimal number.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no decimal number")]
pub struct NotDecimal(String);

impl FromStr for Amount {
    type Err = NotDecimal;

    /// Digits, with a point and a sign before them where needed; no exponents.
    fn from_str(text: &str) -> Result<Self, NotDecimal> {
        let wrong = || NotDecimal(text.chars().take(40).collect());
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

/// A [`Decimal`] as a JSON string.
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
    fn what_does_not_come_out_even_is_rounded_in_the_text_alone() {
        let third = Volume::held(Decimal::ONE, HOUR_US / 3);
        assert_eq!(third.to_string(), "0.3333333333333333333333333333");
        let mut whole = Volume::default();
        (0..3).for_each(|_| whole += &third);
        assert_eq!(whole, Volume::of(Decimal::ONE));
        assert_eq!(
            Volume::held(decimal("2"), HOUR_US / 3).to_string(),
            format!("0.{}7", "6".repeat(27))
        );
    }

    #[test]
    fn the_longest_decimals_are_added_and_multiplied_exactly() {
        let mut sum = Volume::of(Decimal::MAX);
        sum += &Volume::of(decimal("0.0000000000000000000000000001"));
        sum += &Volume::held(Decimal::MAX, HOUR_US);
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
    fn rounding_up_to_wholes() {
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
            let volume = Volume::held(Decimal::from_i128_with_scale(digits.into(), scale), us);
            prop_assert_eq!(Volume::from_numeric(&volume.to_numeric()), Some(volume));
        }

        #[test]
        fn amounts_are_read_as_they_are_written(digits in any::<i128>(), scale in 0..40_u32) {
            let written = Amount { digits: digits.into(), scale };
            prop_assert_eq!(written.to_string().parse::<Amount>().unwrap(), written);
        }
    }
}
