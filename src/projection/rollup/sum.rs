//! Exact sums of decimals: a [`Decimal`] would round beyond 28 digits.

use std::fmt;
use std::str::FromStr;

use num_bigint::BigInt;
use rust_decimal::Decimal;

/// An exact sum: a whole number of units of `10^-scale`. Equal sums may have different units; their texts are
/// equal.
#[derive(Clone, Debug)]
pub(super) enum Sum {
    /// A sum that fits into an `i128`, as nearly all do.
    Short(i128, u32),
    /// Any other sum.
    Long(BigInt, u32),
}

impl Default for Sum {
    fn default() -> Self {
        Sum::Short(0, 0)
    }
}

impl From<Decimal> for Sum {
    fn from(number: Decimal) -> Self {
        Sum::Short(number.mantissa(), number.scale())
    }
}

impl std::ops::AddAssign<&Sum> for Sum {
    fn add_assign(&mut self, other: &Sum) {
        *self = self.added_short(other).unwrap_or_else(|| {
            let scale = self.scale().max(other.scale());
            Sum::Long(self.units(scale) + other.units(scale), scale)
        });
    }
}

impl Sum {
    fn scale(&self) -> u32 {
        let (Sum::Short(_, scale) | Sum::Long(_, scale)) = self;
        *scale
    }

    /// Returns the sum of two short ones, if it fits.
    fn added_short(&self, other: &Sum) -> Option<Sum> {
        let (Sum::Short(a, a_scale), Sum::Short(b, b_scale)) = (self, other) else { return None };
        let scale = *a_scale.max(b_scale);
        let raised = |units: &i128, from: &u32| match scale - from {
            0 => Some(*units),
            places => units.checked_mul(10_i128.checked_pow(places)?),
        };
        Some(Sum::Short(raised(a, a_scale)?.checked_add(raised(b, b_scale)?)?, scale))
    }

    /// Returns the number of units of `10^-scale`; the scale is not smaller than the sum's own.
    fn units(&self, scale: u32) -> BigInt {
        let factor = BigInt::from(10).pow(scale - self.scale());
        match self {
            Sum::Short(units, _) => BigInt::from(*units) * factor,
            Sum::Long(units, _) => units * factor,
        }
    }
}

/// Writes a plain decimal without trailing zeros.
impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = match self {
            Sum::Short(units, _) => units.to_string(),
            Sum::Long(units, _) => units.to_string(),
        };
        let (sign, digits) = match units.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", units.as_str()),
        };
        let scale = self.scale() as usize;
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{sign}{whole}"),
            fraction => write!(f, "{sign}{whole}.{fraction}"),
        }
    }
}

/// The error for a text that is not a plain decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a plain decimal is expected")]
pub(super) struct NotDecimal;

impl FromStr for Sum {
    type Err = NotDecimal;

    fn from_str(text: &str) -> Result<Self, NotDecimal> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let scale = u32::try_from(fraction.len()).map_err(|_| NotDecimal)?;
        let digits = format!("{whole}{fraction}");
        match digits.parse() {
            Ok(units) => Ok(Sum::Short(units, scale)),
            Err(_) => digits.parse().map(|units| Sum::Long(units, scale)).map_err(|_| NotDecimal),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(texts: &[&str]) -> String {
        let mut sum = Sum::default();
        texts.iter().for_each(|text| sum += &text.parse().unwrap());
        sum.to_string()
    }

    #[test]
    fn sums_are_exact_and_plain() {
        assert_eq!(sum(&[]), "0");
        assert_eq!(sum(&["0.1", "0.2"]), "0.3");
        assert_eq!(sum(&["0.05", "-0.05"]), "0");
        assert_eq!(sum(&["1.50", "-0.25"]), "1.25");
        assert_eq!(sum(&["-0.001"]), "-0.001");
        let largest = "79228162514264337593543950335";
        let smallest = "0.0000000000000000000000000001";
        assert_eq!(sum(&[largest, smallest]), format!("{largest}.{}", &smallest[2..]));
        assert_eq!(sum(&[largest, smallest, &format!("-{largest}")]), smallest);
        for text in ["", ".", "x", "1.2.3", "1e5", "1.-5"] {
            assert!(Sum::from_str(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_order_gives_the_same_text(
            (numbers, shuffled) in prop::collection::vec((any::<i128>(), 0..29_u32), 0..20)
                .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        ) {
            let of = |numbers: &[(i128, u32)]| {
                let mut sum = Sum::default();
                for (units, scale) in numbers {
                    // A Decimal has 96 bits.
                    sum += &Sum::from(Decimal::from_i128_with_scale(units >> 32, *scale));
                }
                sum
            };
            let (all, other) = (of(&numbers), of(&shuffled));
            prop_assert_eq!(all.to_string(), other.to_string());
            prop_assert_eq!(all.to_string().parse::<Sum>().unwrap().to_string(), all.to_string());
        }
    }
}
