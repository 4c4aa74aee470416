//! Rates by service and time, at most one of each service at a time.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::billing::unit::Unit;
use crate::billing::window::Span;

/// The price of a unit of a service during some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// The service.
    pub service: String,
    /// The unit that the price is for.
    pub unit: Unit,
    /// The price of one unit.
    #[serde(with = "crate::billing::exact::as_text")]
    pub rate: Decimal,
    /// The region in which the rate applies; `None`: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The first time at which it applies; `None`: it has no beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The first time at which it no longer applies; `None`: it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

impl Rate {
    /// The time during which it applies.
    fn span(&self) -> Span {
        Span { from: self.from.unwrap_or(Timestamp::MIN), to: self.to.unwrap_or(Timestamp::MAX) }
    }

    fn has_price_of(&self, other: &Rate) -> bool {
        self.rate == other.rate && self.unit == other.unit
    }
}

/// A part of a span of time with one rate, or without any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The time of the part.
    pub span: Span,
    /// The rate that applies; `None` if the service has none then.
    pub rate: Option<&'a Rate>,
}

/// Rates, sorted by service and time; at most one of each service applies at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Rate>", into = "Vec<Rate>")]
pub struct Rates(Vec<Rate>);

/// Two rates of one service that apply at the same time, by their indexes in the list.
#[derive(Debug, thiserror::Error)]
#[error("two rates of the service {service:?} apply at the same time")]
pub struct Overlap {
    pub(in crate::billing) service: String,
    pub(in crate::billing) first: usize,
    pub(in crate::billing) second: usize,
}

impl Rates {
    /// Creates the collection.
    ///
    /// # Errors
    ///
    /// If two rates of one service apply at the same time.
    pub fn new(rates: Vec<Rate>) -> Result<Self, Overlap> {
        let mut indexed: Vec<(usize, Rate)> = rates.into_iter().enumerate().collect();
        indexed.sort_by(|(_, a), (_, b)| (&a.service, a.span()).cmp(&(&b.service, b.span())));
        for pair in indexed.windows(2) {
            let [(i, a), (j, b)] = pair else { continue };
            if a.service == b.service && b.span().from < a.span().to {
                let (first, second) = (*i.min(j), *i.max(j));
                return Err(Overlap { service: a.service.clone(), first, second });
            }
        }
        Ok(Rates(indexed.into_iter().map(|(_, rate)| rate).collect()))
    }

    /// Returns the rates by service and time.
    pub fn iter(&self) -> impl Iterator<Item = &Rate> {
        self.0.iter()
    }

    /// Returns the rates that apply at some time of the span. An order of the span is stored with them.
    pub fn within(&self, span: Span) -> Rates {
        Rates(self.0.iter().filter(|rate| rate.span().clip(span).is_some()).cloned().collect())
    }

    /// Divides the span where the service's rate changes, and returns its parts in order and without
    /// gaps. Two rates of the same price that follow each other are not a change.
    pub fn parts(&self, service: &str, span: Span) -> Vec<Part<'_>> {
        let mut parts = Vec::new();
        let mut at = span.from;
        for rate in self.of_service(service) {
            let Some(applied) = rate.span().clip(span) else { continue };
            parts.extend(Span::new(at, applied.from).map(|span| Part { span, rate: None }));
            match parts.last_mut() {
                Some(Part { span, rate: Some(before) })
                    if span.to == applied.from && before.has_price_of(rate) =>
                {
                    span.to = applied.to;
                }
                _ => parts.push(Part { span: applied, rate: Some(rate) }),
            }
            at = applied.to;
        }
        parts.extend(Span::new(at, span.to).map(|span| Part { span, rate: None }));
        parts
    }

    /// Returns the rates of one service, by time.
    fn of_service(&self, service: &str) -> &[Rate] {
        let first = self.0.partition_point(|rate| rate.service.as_str() < service);
        let count = self.0[first..].partition_point(|rate| rate.service == service);
        &self.0[first..first + count]
    }
}

impl TryFrom<Vec<Rate>> for Rates {
    type Error = Overlap;

    fn try_from(rates: Vec<Rate>) -> Result<Self, Overlap> {
        Rates::new(rates)
    }
}

impl From<Rates> for Vec<Rate> {
    fn from(rates: Rates) -> Self {
        rates.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Timestamp {
        format!("{text}T00:00:00Z").parse().unwrap()
    }

    fn rate(service: &str, price: &str, from: Option<&str>, to: Option<&str>) -> Rate {
        Rate {
            service: service.to_owned(),
            unit: Unit::Hour,
            rate: price.parse().unwrap(),
            region: None,
            from: from.map(day),
            to: to.map(day),
        }
    }

    fn parts(rates: Vec<Rate>) -> Vec<(String, String, Option<String>)> {
        let span = Span::new(day("2026-01-01"), day("2026-02-01")).unwrap();
        let text = |at: Timestamp| at.to_string()[5..10].to_owned();
        Rates::new(rates)
            .unwrap()
            .parts("s", span)
            .iter()
            .map(|part| {
                let rate = part.rate.map(|rate| rate.rate.to_string());
                (text(part.span.from), text(part.span.to), rate)
            })
            .collect()
    }

    fn part(from: &str, to: &str, rate: Option<&str>) -> (String, String, Option<String>) {
        (from.to_owned(), to.to_owned(), rate.map(str::to_owned))
    }

    #[test]
    fn a_span_is_divided_where_the_rate_changes() {
        assert_eq!(parts(vec![]), [part("01-01", "02-01", None)]);
        assert_eq!(parts(vec![rate("s", "1", None, None)]), [part("01-01", "02-01", Some("1"))]);
        assert_eq!(
            parts(vec![
                rate("s", "2", Some("2026-01-15"), Some("2026-01-20")),
                rate("s", "1", None, Some("2026-01-10")),
                rate("r", "9", None, None),
                rate("t", "9", None, None),
            ]),
            [
                part("01-01", "01-10", Some("1")),
                part("01-10", "01-15", None),
                part("01-15", "01-20", Some("2")),
                part("01-20", "02-01", None),
            ]
        );
    }

    #[test]
    fn rates_of_the_same_price_are_not_a_change() {
        assert_eq!(
            parts(vec![
                rate("s", "1.0", None, Some("2026-01-10")),
                rate("s", "1", Some("2026-01-10"), None)
            ]),
            [part("01-01", "02-01", Some("1.0"))]
        );
    }

    #[test]
    fn rates_of_one_service_at_one_time_are_refused() {
        let first = rate("s", "1", None, Some("2026-01-10"));
        let error = Rates::new(vec![
            rate("s", "2", Some("2026-01-09"), None),
            rate("r", "1", None, None),
            first.clone(),
        ]);
        let error = error.unwrap_err();
        assert_eq!((error.first, error.second), (0, 2));
        assert_eq!(error.to_string(), "two rates of the service \"s\" apply at the same time");
        assert!(Rates::new(vec![rate("s", "2", Some("2026-01-10"), None), first]).is_ok());
    }

    #[test]
    fn an_order_keeps_the_rates_of_its_time() {
        let rates = Rates::new(vec![
            rate("s", "1", None, Some("2026-01-10")),
            rate("s", "2", Some("2026-01-10"), None),
        ])
        .unwrap();
        let january = Span::new(day("2026-01-10"), day("2026-02-01")).unwrap();
        assert_eq!(rates.within(january).iter().count(), 1);
        let json = serde_json::to_string(&rates).unwrap();
        assert_eq!(
            json,
            r#"[{"service":"s","unit":"hour","rate":"1","to":"2026-01-10T00:00:00Z"},{"service":"s","unit":"hour","rate":"2","from":"2026-01-10T00:00:00Z"}]"#
        );
        assert_eq!(serde_json::from_str::<Rates>(&json).unwrap(), rates);
    }
}
