//! Values and times of samples, from every spelling that is understood.

use std::borrow::Cow;

use jiff::Timestamp;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::value::RawValue;

use super::super::fields::{Value, string};
use super::super::number::{self, NoNumber};
use super::super::time;

/// A time, or why it is none.
pub(super) type Time = Result<Timestamp, &'static str>;

pub(super) const NO_TIME: &str = "it has no time";
const BAD_TIME: &str = "its time is not one from 2000 to 2099";
const NO_VALUE: &str = "it has no value";
const NO_NUMBER: &str = "its value is not a number";
const TOO_LARGE: &str = "its value is beyond ±79228162514264337593543950335";

const MICROS: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// The number that the value is or, as a string, spells; `true` is 1 and `false` 0.
pub(super) fn number(value: Option<&RawValue>) -> Result<Decimal, &'static str> {
    let raw = value.ok_or(NO_VALUE)?;
    let read = match raw.get() {
        "true" => return Ok(Decimal::ONE),
        "false" => return Ok(Decimal::ZERO),
        "null" => return Err(NO_VALUE),
        text if text.starts_with('"') => {
            string(raw).map_or(Err(NoNumber::Other), |text| number::number(text.trim()))
        }
        text => number::number(text),
    };
    read.map_err(|wrong| match wrong {
        NoNumber::Other => NO_NUMBER,
        NoNumber::TooLarge => TOO_LARGE,
    })
}

/// The time that the value is: RFC 3339, or seconds since 1970 as a number or a string of one.
/// `None` where the value holds nothing.
pub(super) fn time(value: Value<'_>) -> Option<Time> {
    let raw = value.get()?;
    let read = match string(raw) {
        Some(text) => time::parse(&text).or_else(|| epoch(text.trim())),
        None => epoch(raw.get()),
    };
    Some(read.ok_or(BAD_TIME))
}

/// Seconds since 1970, to the µs; further digits are dropped.
fn epoch(text: &str) -> Option<Timestamp> {
    let micros = number::number(text).ok()?.checked_mul(MICROS)?;
    time::of_micros(micros.floor().to_i64()?)
}

/// A name that says something; U+FFFD stands for NUL, which PostgreSQL's texts cannot hold.
pub(super) fn said<'a>(name: &Cow<'a, str>) -> Option<Cow<'a, str>> {
    if name.is_empty() {
        None
    } else if name.contains('\0') {
        Some(name.replace('\0', "\u{fffd}").into())
    } else {
        Some(name.clone())
    }
}
