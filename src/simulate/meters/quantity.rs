//! The volume of a sample: exact, and as the text that Python writes.

use std::fmt;

use rust_decimal::Decimal;
use serde_json::Number;

/// The volume of a sample. A float has at most 15 digits: a binary float preserves that many, so that its
/// shortest text is the number itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quantity {
    Int(i64),
    /// `digits / 10^scale`, not negative.
    Float {
        digits: i64,
        scale: u32,
    },
}

impl Quantity {
    pub(crate) fn int(value: impl TryInto<i64>) -> Quantity {
        Quantity::Int(value.try_into().unwrap_or(i64::MAX))
    }

    pub(crate) fn decimal(self) -> Decimal {
        match self {
            Quantity::Int(value) => value.into(),
            Quantity::Float { digits, scale } => Decimal::new(digits, scale),
        }
    }

    /// Returns a JSON number with exactly the text of [`fmt::Display`].
    pub(crate) fn json(self) -> Number {
        self.to_string().parse().expect("the text is a JSON number")
    }
}

/// Python's `str(value)`: the shortest text that is read as the same float, with an exponent below 0.0001
/// and from 10^16 on.
impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digits, scale) = match *self {
            Quantity::Int(value) => return write!(f, "{value}"),
            Quantity::Float { digits: 0, .. } => return f.write_str("0.0"),
            Quantity::Float { digits, scale } => (digits.to_string(), scale as i32),
        };
        // The power of ten of the first digit.
        let exponent = digits.len() as i32 - 1 - scale;
        let digits = digits.trim_end_matches('0');
        if !(-4..16).contains(&exponent) {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            let sign = if exponent < 0 { '-' } else { '+' };
            return write!(f, "{first}{point}{rest}e{sign}{:02}", exponent.abs());
        }
        if exponent < 0 {
            let zeros = exponent.unsigned_abs() as usize - 1;
            return write!(f, "0.{:0<zeros$}{digits}", "");
        }
        let whole = exponent as usize + 1;
        match digits.split_at_checked(whole) {
            Some((whole, rest)) if !rest.is_empty() => write!(f, "{whole}.{rest}"),
            _ => write!(f, "{digits:0<whole$}.0"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn float(digits: i64, scale: u32) -> Quantity {
        Quantity::Float { digits, scale }
    }

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (quantity, text) in [
            (float(0, 3), "0.0"),
            (float(100, 1), "10.0"),
            (float(15, 1), "1.5"),
            (float(1234423828125, 10), "123.4423828125"),
            (float(1, 4), "0.0001"),
            (float(1, 5), "1e-05"),
            (float(425, 13), "4.25e-11"),
            (float(1_000_000_000_000_000, 0), "1000000000000000.0"),
            (Quantity::Int(6_490_000_000), "6490000000"),
        ] {
            assert_eq!(quantity.to_string(), text);
            assert_eq!(quantity.json().to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn the_text_is_the_number(digits in 0..1_000_000_000_000_000i64, scale in 0..20u32) {
            let (quantity, text) = (float(digits, scale), float(digits, scale).to_string());
            let read = Decimal::from_scientific(&text).or_else(|_| text.parse()).unwrap();
            prop_assert_eq!(read, quantity.decimal());
            // The shortest text of the binary float has the same digits.
            let binary: f64 = text.parse().unwrap();
            let digits_of = |text: &str| {
                let digits: String = text.split('e').next().unwrap().replace('.', "");
                digits.trim_matches('0').to_owned()
            };
            prop_assert_eq!(digits_of(&format!("{binary:e}")), digits_of(&text));
        }
    }
}
