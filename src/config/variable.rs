//! A description of an environment variable, and the parsing of its value.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use super::error::ConfigError;

/// An environment variable, as `--help` and docs/configuration.md describe it.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What applies if it is not set.
    pub fallback: Fallback,
    /// Its meaning, in a clause or two.
    pub help: &'static str,
    /// Whether its value contains a password, key or token.
    pub is_secret: bool,
}

/// What applies if a variable is not set. An empty variable counts as not set: shells and compose
/// files create them.
#[derive(Clone, Copy, Debug)]
pub enum Fallback {
    /// The variable's default value.
    Default(&'static str),
    /// No value; the text describes the consequence.
    NoDefault(&'static str),
}

impl Variable {
    /// Parses the variable's value, or its default; the text is empty if it has neither.
    pub(super) fn parse<T>(
        &self,
        given: &BTreeMap<String, String>,
        parse: impl FnOnce(RawValue<'_>) -> Result<T, ConfigError>,
    ) -> Result<T, ConfigError> {
        let default = match self.fallback {
            Fallback::Default(value) => value,
            Fallback::NoDefault(_) => "",
        };
        let text = given.get(&self.name.to_lowercase()).map_or(default, String::as_str);
        parse(RawValue { name: self.name, text })
    }
}

/// A variable's value before it is parsed.
pub(super) struct RawValue<'a> {
    pub name: &'static str,
    /// Empty if the variable is not set and has no default.
    pub text: &'a str,
}

impl<'a> RawValue<'a> {
    /// The text, unless it is empty.
    pub fn given(&self) -> Option<&'a str> {
        Some(self.text).filter(|text| !text.is_empty())
    }

    /// The texts between commas, except empty ones.
    pub fn items(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.text.split(',').map(str::trim).filter(|item| !item.is_empty())
    }

    /// Returns the error of a value that is not accepted.
    pub fn refuse(&self, accepted: impl Into<String>) -> ConfigError {
        ConfigError::new(self.name, self.text, accepted)
    }

    /// Parses the text; `accepted` describes the accepted texts.
    pub fn parse<T: FromStr>(&self, accepted: impl Into<String>) -> Result<T, ConfigError> {
        self.text.trim().parse().map_err(|_| self.refuse(accepted))
    }

    /// Parses a whole number within the range.
    pub fn parse_number<T>(&self, range: RangeInclusive<T>) -> Result<T, ConfigError>
    where
        T: FromStr + PartialOrd + Display,
    {
        let accepted =
            format!("a whole number from {} to {} is accepted", range.start(), range.end());
        let number = self.parse(accepted.as_str())?;
        if range.contains(&number) { Ok(number) } else { Err(self.refuse(accepted)) }
    }

    /// Parses a number of bytes, with or without a unit: `GB` is 10⁹, `GiB` is 2³⁰.
    pub fn parse_bytes(&self) -> Result<u64, ConfigError> {
        let refuse = || self.refuse("a size is expected, like 500GB or 2TiB");
        let text = self.text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit.trim_start() {
            "" | "B" => 1,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "TB" => 1_000_000_000_000,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return Err(refuse()),
        };
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
        bytes.filter(|bytes| *bytes > 0).ok_or_else(refuse)
    }
}
