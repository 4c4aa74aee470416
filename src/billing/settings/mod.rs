//! The sections of the configuration that billing reads, checked as a whole.

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use serde::Deserialize;
use toml::Spanned;

use super::mapping::{Mapping, MappingToml, explain_collision};
use super::rate::{Rate, RateToml, Rates, read_distil};
use super::terms::{Terms, TermsToml};
use super::unit::Unit;

/// The built-in example. Its mappings apply if the configuration has none, its rates if it has neither
/// mappings nor rates.
const EXAMPLE: &str = include_str!("../default.toml");

/// The settings of billing: mappings, rates and terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The mappings, in the order of the file.
    pub mappings: Vec<Mapping>,
    /// The rates of the configured region.
    pub rates: Rates,
    /// Currency, rounding, time zone and conditions of an order.
    pub terms: Terms,
}

/// `[billing]`, `[[usage]]` and `[[rate]]` as written in the file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "one field for each section")]
pub struct Sections {
    #[serde(default)]
    pub billing: TermsToml,
    pub usage: Option<Vec<Spanned<MappingToml>>>,
    pub rate: Option<Vec<Spanned<RateToml>>>,
}

/// A wrong setting: its line if it has one, its key, and what it must be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

/// Distil's file of rates.
#[derive(Clone, Copy, Debug)]
pub struct RatesFile<'a> {
    /// The file's name as given in the configuration.
    pub name: &'a str,
    /// The file's content.
    pub text: &'a str,
}

/// A rate and its place in the configuration.
struct LocatedRate {
    place: String,
    rate: Rate,
}

impl Default for Settings {
    /// Returns the built-in example.
    fn default() -> Self {
        DEFAULT.clone()
    }
}

/// The built-in example, read once. A test reads it; if it could not be read, nothing would be billed.
static DEFAULT: LazyLock<Settings> = LazyLock::new(|| {
    let empty = Settings { mappings: Vec::new(), rates: Rates::default(), terms: Terms::default() };
    read_example().unwrap_or(empty)
});

fn read_example() -> Result<Settings, SettingsError> {
    let sections = toml::from_str(EXAMPLE).map_err(|error| parse_error(EXAMPLE, &error))?;
    Settings::check(sections, EXAMPLE, None)
}

impl Settings {
    /// Checks the sections of the file. Without mappings, the built-in example's apply. The example's rates
    /// apply only without both rates and mappings: its made-up prices must not be mixed into settings
    /// that somebody has chosen.
    ///
    /// `text` is the text of the file, for line numbers in errors.
    ///
    /// # Errors
    ///
    /// The first wrong setting.
    pub fn read(
        sections: Sections,
        text: &str,
        rates_file: Option<RatesFile<'_>>,
    ) -> Result<Settings, SettingsError> {
        let has_mappings = sections.usage.is_some();
        let has_rates = sections.rate.is_some() || rates_file.is_some();
        let mut settings = Settings::check(sections, text, rates_file)?;
        if !has_mappings && !has_rates {
            settings.rates = Settings::default().rates;
        }
        Ok(settings)
    }

    /// Checks the sections, with the example's mappings if there are none.
    fn check(
        sections: Sections,
        text: &str,
        rates_file: Option<RatesFile<'_>>,
    ) -> Result<Settings, SettingsError> {
        let terms =
            sections.billing.check().map_err(|what| SettingsError(format!("[billing] {what}")))?;
        let mappings = match sections.usage {
            Some(sections) => check_mappings(sections, text)?,
            None => Settings::default().mappings,
        };
        let found = match (sections.rate, rates_file) {
            (Some(_), Some(file)) => {
                return Err(SettingsError(format!(
                    "[billing] rates_file = {:?}: rates must be either in this file or in [[rate]], not \
                     in both",
                    file.name
                )));
            }
            (None, Some(file)) => read_rates_file(file)?,
            (sections, None) => check_rates(sections.unwrap_or_default(), text, &terms)?,
        };
        let is_ours = |found: &LocatedRate| match (&terms.region, &found.rate.region) {
            (Some(ours), Some(theirs)) => ours == theirs,
            _ => true,
        };
        let found: Vec<LocatedRate> = found.into_iter().filter(is_ours).collect();
        for found in &found {
            check_unit(found, &mappings)?;
        }
        Ok(Settings { rates: collect_rates(found, &terms)?, mappings, terms })
    }
}

/// Returns an error of the TOML parser as one line: line number, key, and reason. It leaves out the text of
/// the file, which may contain secrets.
pub fn parse_error(text: &str, error: &toml::de::Error) -> SettingsError {
    let what = error.message().replace('\n', ", ");
    let Some(at) = error.span().map(|span| span.start) else { return SettingsError(what) };
    let key = match key_at(text, at) {
        Some(key) => format!("{key}: "),
        None => String::new(),
    };
    SettingsError(format!("line {}: {key}{what}", line_at(text, at)))
}

/// Returns the key or section that a byte of the text belongs to: on its line or, in a value of several
/// lines, on a line before it.
fn key_at(text: &str, byte: usize) -> Option<&str> {
    let lines = text.lines().take(line_at(text, byte)).collect::<Vec<_>>();
    lines.into_iter().rev().map(str::trim).find_map(|line| match line.split_once('=') {
        _ if line.starts_with('[') => Some(line),
        Some((key, _)) => Some(key.trim_end()),
        None => None,
    })
}

fn check_mappings(
    sections: Vec<Spanned<MappingToml>>,
    text: &str,
) -> Result<Vec<Mapping>, SettingsError> {
    let mut mappings = Vec::<Mapping>::with_capacity(sections.len());
    for section in sections {
        let line = line_at(text, section.span().start);
        let wrong = |what: String| SettingsError(format!("line {line}: {what}"));
        let mapping =
            Mapping::try_from(section.into_inner()).map_err(|error| wrong(error.to_string()))?;
        if let Some(why) = mappings.iter().find_map(|before| explain_collision(before, &mapping)) {
            return Err(wrong(format!("usage of the meter {:?}: {why}", mapping.meter)));
        }
        mappings.push(mapping);
    }
    Ok(mappings)
}

fn check_rates(
    sections: Vec<Spanned<RateToml>>,
    text: &str,
    terms: &Terms,
) -> Result<Vec<LocatedRate>, SettingsError> {
    let check = |section: Spanned<RateToml>| {
        let place = format!("line {}", line_at(text, section.span().start));
        match section.into_inner().check(terms.zone.time_zone()) {
            Ok(rate) => Ok(LocatedRate { place, rate }),
            Err(what) => Err(SettingsError(format!("{place}: {what}"))),
        }
    };
    sections.into_iter().map(check).collect()
}

fn read_rates_file(file: RatesFile<'_>) -> Result<Vec<LocatedRate>, SettingsError> {
    let place = |line| format!("{} line {line}", file.name);
    match read_distil(file.text) {
        Ok(rates) => Ok(rates
            .into_iter()
            .map(|(line, rate)| LocatedRate { place: place(line), rate })
            .collect()),
        Err((line, what)) => Err(SettingsError(format!("{}: {what}", place(line)))),
    }
}

/// Collects the rates, and refuses two of one service that apply at the same time.
fn collect_rates(found: Vec<LocatedRate>, terms: &Terms) -> Result<Rates, SettingsError> {
    let (places, all): (Vec<String>, Vec<Rate>) =
        found.into_iter().map(|found| (found.place, found.rate)).unzip();
    let differ_in_region = |i: usize, j: usize| all[i].region != all[j].region;
    Rates::new(all.clone()).map_err(|overlap| {
        let hint = if terms.region.is_none() && differ_in_region(overlap.first, overlap.second) {
            "; set region in [billing] to choose one"
        } else {
            "; a service must have at most one rate at a time"
        };
        let (first, second) = (&places[overlap.first], &places[overlap.second]);
        SettingsError(format!("{second}: {overlap}, the other is on {first}{hint}"))
    })
}

/// Checks that usage of the rate's service can be converted to the rate's unit.
fn check_unit(found: &LocatedRate, mappings: &[Mapping]) -> Result<(), SettingsError> {
    let Rate { service, unit, .. } = &found.rate;
    let (named, any_flavor): (Vec<&Mapping>, Vec<&Mapping>) = mappings
        .iter()
        .filter(|mapping| mapping.may_yield(service))
        .partition(|mapping| mapping.names(service));
    // A service that no mapping names may be a flavor of any of these: one suitable mapping is enough.
    let yielding = if named.is_empty() { &any_flavor } else { &named };
    let is_convertible = |mapping: &&&Mapping| mapping.unit.conversion_to(unit).is_some();
    let convertible = yielding.iter().filter(is_convertible).count();
    let is_right = if named.is_empty() { convertible > 0 } else { convertible == named.len() };
    if yielding.is_empty() {
        return check_known_unit(found, mappings);
    }
    if is_right {
        return Ok(());
    }
    let mut units: Vec<String> = yielding.iter().map(|mapping| mapping.unit.to_string()).collect();
    units.sort();
    units.dedup();
    Err(SettingsError(format!(
        "{}: rate of the service {service:?}: unit = \"{unit}\": its usage is measured in {}; the rate \
         must have the same unit, gigabyte for byte, or hour for second",
        found.place,
        units.join(" and ")
    )))
}

/// Checks that the unit of a rate whose service no mapping yields is known. Such a rate does no harm, but an
/// unknown unit is probably a typing error.
fn check_known_unit(found: &LocatedRate, mappings: &[Mapping]) -> Result<(), SettingsError> {
    let Rate { service, unit, .. } = &found.rate;
    if !matches!(unit, Unit::Other(_)) || mappings.iter().any(|mapping| mapping.unit == *unit) {
        return Ok(());
    }
    Err(SettingsError(format!(
        "{}: rate of the service {service:?}: unit = \"{unit}\": it must be second, hour, byte, \
         gigabyte or the unit of a [[usage]]",
        found.place
    )))
}

/// Returns the number of the line that contains the byte, from 1.
fn line_at(text: &str, byte: usize) -> usize {
    1 + text.bytes().take(byte).filter(|byte| *byte == b'\n').count()
}
