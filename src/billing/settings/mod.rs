//! The sections of the configuration that billing reads, checked as a whole.

#[cfg(test)]
mod tests;

use serde::Deserialize;
use toml::Spanned;

use super::mapping::{self, Mapping};
use super::rate::{self, Rate, Rates};
use super::terms::{self, Terms};
use super::unit::Unit;

/// The built-in example, which stands where the configuration names no mappings or no rates.
const EXAMPLE: &str = include_str!("../default.toml");

/// What is billed, and for how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// In the order of the file.
    pub mappings: Vec<Mapping>,
    /// Those of our region.
    pub rates: Rates,
    /// The money, its rounding, and when.
    pub terms: Terms,
}

/// `[billing]`, `[[usage]]` and `[[rate]]`, as they stand in the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "one field for each section")]
pub struct Sections {
    #[serde(default)]
    pub billing: terms::Written,
    pub usage: Option<Vec<Spanned<mapping::Written>>>,
    pub rate: Option<Vec<Spanned<rate::Written>>>,
}

/// What is wrong with the sections: the line where it is one, the key, and what is accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Wrong(String);

/// Distil's file of rates: its name and what it holds.
#[derive(Clone, Copy, Debug)]
pub struct RatesFile<'a> {
    /// As the configuration names it.
    pub name: &'a str,
    /// The file's text.
    pub text: &'a str,
}

/// A rate, and where it was found.
struct Found {
    place: String,
    rate: Rate,
}

impl Default for Settings {
    /// The built-in example. A test reads it; if it could not be read, nothing would be billed.
    fn default() -> Self {
        let nothing =
            Settings { mappings: Vec::new(), rates: Rates::default(), terms: Terms::default() };
        example().unwrap_or(nothing)
    }
}

fn example() -> Result<Settings, Wrong> {
    let sections = toml::from_str(EXAMPLE).map_err(|error| unreadable(EXAMPLE, &error))?;
    Settings::of(sections, EXAMPLE, None)
}

impl Settings {
    /// Checks what stands in the file. Mappings are those of the built-in example where it has none.
    /// Rates are the example's only where it has neither rates nor mappings: made-up prices must not
    /// be mixed into what somebody has set up.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong. `text` is that of the file, for the numbers of lines.
    pub fn read(
        sections: Sections,
        text: &str,
        rates_file: Option<RatesFile<'_>>,
    ) -> Result<Settings, Wrong> {
        let has_mappings = sections.usage.is_some();
        let has_rates = sections.rate.is_some() || rates_file.is_some();
        let mut settings = Settings::of(sections, text, rates_file)?;
        if !has_mappings && !has_rates {
            settings.rates = Settings::default().rates;
        }
        Ok(settings)
    }

    /// What stands in the file, with the example's mappings where it has none.
    fn of(
        sections: Sections,
        text: &str,
        rates_file: Option<RatesFile<'_>>,
    ) -> Result<Settings, Wrong> {
        let terms = sections.billing.check().map_err(|what| Wrong(format!("[billing] {what}")))?;
        let mappings = match sections.usage {
            Some(written) => mappings(written, text)?,
            None => Settings::default().mappings,
        };
        let found = match (sections.rate, rates_file) {
            (Some(_), Some(file)) => {
                return Err(Wrong(format!(
                    "[billing] rates_file = {:?}: rates are accepted from a file or as [[rate]], \
                     not both",
                    file.name
                )));
            }
            (None, Some(file)) => of_distil(file)?,
            (written, None) => of_toml(written.unwrap_or_default(), text, &terms)?,
        };
        let is_ours = |found: &Found| match (&terms.region, &found.rate.region) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        let found: Vec<Found> = found.into_iter().filter(is_ours).collect();
        for found in &found {
            usable(found, &mappings)?;
        }
        Ok(Settings { rates: rates(found, &terms)?, mappings, terms })
    }
}

/// What the reader of TOML did not understand, in one line: its number, the key, and why. Values are
/// not shown, as some are secret.
pub fn unreadable(text: &str, error: &toml::de::Error) -> Wrong {
    let what = error.message().replace('\n', ", ");
    let Some(at) = error.span().map(|span| span.start) else { return Wrong(what) };
    let key = match key(text, at) {
        Some(key) => format!("{key}: "),
        None => String::new(),
    };
    Wrong(format!("line {}: {key}{what}", line(text, at)))
}

/// The key, or the section, that the byte is about: on its line or, in a value of several lines,
/// before it.
fn key(text: &str, byte: usize) -> Option<&str> {
    let lines = text.lines().take(line(text, byte)).collect::<Vec<_>>();
    lines.into_iter().rev().map(str::trim).find_map(|line| match line.split_once('=') {
        _ if line.starts_with('[') => Some(line),
        Some((key, _)) => Some(key.trim_end()),
        None => None,
    })
}

fn mappings(written: Vec<Spanned<mapping::Written>>, text: &str) -> Result<Vec<Mapping>, Wrong> {
    let mut mappings = Vec::<Mapping>::with_capacity(written.len());
    for written in written {
        let line = line(text, written.span().start);
        let wrong = |what: String| Wrong(format!("line {line}: {what}"));
        let mapping =
            Mapping::try_from(written.into_inner()).map_err(|error| wrong(error.to_string()))?;
        if let Some(why) = mappings.iter().find_map(|before| mapping::collision(before, &mapping)) {
            return Err(wrong(format!("usage of the meter {:?}: {why}", mapping.meter)));
        }
        mappings.push(mapping);
    }
    Ok(mappings)
}

fn of_toml(
    written: Vec<Spanned<rate::Written>>,
    text: &str,
    terms: &Terms,
) -> Result<Vec<Found>, Wrong> {
    let found = |written: Spanned<rate::Written>| {
        let place = format!("line {}", line(text, written.span().start));
        match written.into_inner().check(terms.zone.time_zone()) {
            Ok(rate) => Ok(Found { place, rate }),
            Err(what) => Err(Wrong(format!("{place}: {what}"))),
        }
    };
    written.into_iter().map(found).collect()
}

fn of_distil(file: RatesFile<'_>) -> Result<Vec<Found>, Wrong> {
    let place = |line| format!("{} line {line}", file.name);
    match rate::read_distil(file.text) {
        Ok(rates) => {
            Ok(rates.into_iter().map(|(line, rate)| Found { place: place(line), rate }).collect())
        }
        Err((line, what)) => Err(Wrong(format!("{}: {what}", place(line)))),
    }
}

fn rates(found: Vec<Found>, terms: &Terms) -> Result<Rates, Wrong> {
    let (places, all): (Vec<String>, Vec<Rate>) =
        found.into_iter().map(|found| (found.place, found.rate)).unzip();
    let of_two_regions = |i: usize, j: usize| all[i].region != all[j].region;
    Rates::new(all.clone()).map_err(|overlap| {
        let hint = if terms.region.is_none() && of_two_regions(overlap.first, overlap.second) {
            "; region in [billing] says which region is ours"
        } else {
            "; at each time one is accepted"
        };
        let (first, second) = (&places[overlap.first], &places[overlap.second]);
        Wrong(format!("{second}: {overlap}, the other is on {first}{hint}"))
    })
}

/// Whether volumes of the rate's service can be brought into the rate's unit.
fn usable(found: &Found, mappings: &[Mapping]) -> Result<(), Wrong> {
    let Rate { service, unit, .. } = &found.rate;
    let may_yield: Vec<&Mapping> = mappings.iter().filter(|it| it.may_yield(service)).collect();
    let (named, any_flavor): (Vec<&Mapping>, Vec<&Mapping>) =
        may_yield.into_iter().partition(|it| it.names(service));
    // Of a service that no mapping names one cannot know: it may be a flavor of any of these.
    let yielding = if named.is_empty() { &any_flavor } else { &named };
    let is_usable = |mapping: &&Mapping| mapping.unit.converted_to(unit).is_some();
    let usable = yielding.iter().filter(|it| is_usable(it)).count();
    let is_right = if named.is_empty() { usable > 0 } else { usable == named.len() };
    if yielding.is_empty() {
        return known(found, mappings);
    }
    if is_right {
        return Ok(());
    }
    let mut units: Vec<String> = yielding.iter().map(|it| it.unit.to_string()).collect();
    units.sort();
    units.dedup();
    Err(Wrong(format!(
        "{}: rate of the service {service:?}: unit = \"{unit}\": its usage is in {}; the same unit \
         is accepted, gigabyte for byte, and hour for second",
        found.place,
        units.join(" and ")
    )))
}

/// Whether there is such a unit at all: a rate that nothing yields does no harm, but may be one with
/// a slip of the pen.
fn known(found: &Found, mappings: &[Mapping]) -> Result<(), Wrong> {
    let Rate { service, unit, .. } = &found.rate;
    if !matches!(unit, Unit::Other(_)) || mappings.iter().any(|mapping| mapping.unit == *unit) {
        return Ok(());
    }
    Err(Wrong(format!(
        "{}: rate of the service {service:?}: unit = \"{unit}\": second, hour, byte, gigabyte or the \
         unit of a [[usage]] is accepted",
        found.place
    )))
}

/// The number of the line that holds the byte, from 1.
fn line(text: &str, byte: usize) -> usize {
    1 + text.bytes().take(byte).filter(|byte| *byte == b'\n').count()
}
