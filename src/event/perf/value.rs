//! Values and times of samples, in every accepted spelling.

use std::borrow::Cow;

use jiff::Timestamp;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::value::RawValue;

use super::super::fields::{Value, string, without_nul};
use super::super::number::{self, NumberFault};
use super::super::time;

/// A time, or why the value is not one.
pub(super) type Time = Result<Timestamp, &'static str>;

pub(super) const NO_TIME: &str = "it has no time";
const BAD_TIME: &str = "its time is not one from 2000 to 2099";
const NO_VALUE: &str = "it has no value";
const NO_NUMBER: &str = "its value is not a number";
const TOO_LARGE: &str = "its value is beyond ±79228162514264337593543950335";

const MICROS: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// Reads a number, or a string that spells one; `true` is 1 and `false` 0.
///
/// # Errors
///
/// The reason why the value does not count.
pub(super) fn read_number(value: Option<&RawValue>) -> Result<Decimal, &'static str> {
    let raw = value.ok_or(NO_VALUE)?;
    let read = match raw.get() {
        "true" => return Ok(Decimal::ONE),
        "false" => return Ok(Decimal::ZERO),
        "null" => return Err(NO_VALUE),
        text if text.starts_with('"') => {
            string(raw).map_or(Err(NumberFault::NotANumber), |text| number::parse(text.trim()))
        }
        text => number::parse(text),
    };
    read.map_err(|fault| match fault {
        NumberFault::NotANumber => NO_NUMBER,
        NumberFault::TooLarge => TOO_LARGE,
    })
}

/// Reads a time: RFC 3339, or seconds since 1970 as a number or a string that spells one. `None` for an
/// empty value.
pub(super) fn read_time(value: Value<'_>) -> Option<Time> {
    let raw = value.get()?;
    let read = match string(raw) {
        Some(text) => time::parse(&text).or_else(|| parse_epoch(text.trim())),
        None => parse_epoch(raw.get()),
    };
    Some(read.ok_or(BAD_TIME))
}

/// Parses seconds since 1970, to the µs; further digits are dropped.
fn parse_epoch(text: &str) -> Option<Timestamp> {
    let micros = number::parse(text).ok()?.checked_mul(MICROS)?;
    time::of_micros(micros.floor().to_i64()?)
}

/// The name of a metric; `None` if it is empty. U+FFFD replaces NUL, which PostgreSQL's texts cannot
/// contain.
pub(super) fn metric_name<'a>(name: &Cow<'a, str>) -> Option<Cow<'a, str>> {
    (!name.is_empty()).then(|| without_nul(name.clone()))
}
