//! What a unit of a service costs, and from when to when.

mod distil;
mod written;

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

pub(super) use distil::read as read_distil;
pub use written::{Day, Price, Written};

use super::unit::Unit;
use super::window::Span;

/// What a unit of a service costs for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// The service.
    pub service: String,
    /// What is paid for by the piece.
    pub unit: Unit,
    /// The price of one.
    #[serde(with = "crate::billing::exact::as_text")]
    pub rate: Decimal,
    /// Where it is paid; `None`: everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Since when; `None`: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until when, not included; `None`: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
}

impl Rate {
    /// When it is paid.
    fn span(&self) -> Span {
        Span { from: self.from.unwrap_or(Timestamp::MIN), to: self.to.unwrap_or(Timestamp::MAX) }
    }

    fn costs_the_same(&self, other: &Rate) -> bool {
        self.rate == other.rate && self.unit == other.unit
    }
}

/// A part of a span of time with one rate, or with none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// When.
    pub span: Span,
    /// What is to be paid.
    pub rate: Option<&'a Rate>,
}

/// All rates, of each service at most one at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Rate>", into = "Vec<Rate>")]
pub struct Rates(Vec<Rate>);

/// Two rates of one service at one time, by their places in the list.
#[derive(Debug, thiserror::Error)]
#[error("two rates of the service {service:?} are for the same time")]
pub struct Overlap {
    pub(super) service: String,
    pub(super) first: usize,
    pub(super) second: usize,
}

impl Rates {
    /// All of these.
    ///
    /// # Errors
    ///
    /// When two rates of one service are for the same time.
    pub fn new(rates: Vec<Rate>) -> Result<Self, Overlap> {
        let mut placed: Vec<(usize, Rate)> = rates.into_iter().enumerate().collect();
        placed.sort_by(|(_, a), (_, b)| (&a.service, a.span()).cmp(&(&b.service, b.span())));
        for pair in placed.windows(2) {
            let [(i, a), (j, b)] = pair else { continue };
            if a.service == b.service && b.span().from < a.span().to {
                let (first, second) = (*i.min(j), *i.max(j));
                return Err(Overlap { service: a.service.clone(), first, second });
            }
        }
        Ok(Rates(placed.into_iter().map(|(_, rate)| rate).collect()))
    }

    /// By service and time.
    pub fn iter(&self) -> impl Iterator<Item = &Rate> {
        self.0.iter()
    }

    /// Those that may be paid in the span: what an order of it keeps.
    pub fn within(&self, span: Span) -> Rates {
        Rates(self.0.iter().filter(|rate| rate.span().clip(span).is_some()).cloned().collect())
    }

    /// The parts of the span between changes of the service's rate, in order and without gaps. Two
    /// rates that follow each other and cost the same are no change.
    pub fn parts(&self, service: &str, span: Span) -> Vec<Part<'_>> {
        let mut parts = Vec::new();
        let mut at = span.from;
        for rate in self.of(service) {
            let Some(paid) = rate.span().clip(span) else { continue };
            parts.extend(Span::new(at, paid.from).map(|span| Part { span, rate: None }));
            match parts.last_mut() {
                Some(Part { span, rate: Some(before) })
                    if span.to == paid.from && before.costs_the_same(rate) =>
                {
                    span.to = paid.to;
                }
                _ => parts.push(Part { span: paid, rate: Some(rate) }),
            }
            at = paid.to;
        }
        parts.extend(Span::new(at, span.to).map(|span| Part { span, rate: None }));
        parts
    }

    fn of(&self, service: &str) -> &[Rate] {
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
    fn a_span_is_parted_where_the_rate_changes() {
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
    fn what_costs_the_same_is_no_change() {
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
        assert_eq!(error.to_string(), "two rates of the service \"s\" are for the same time");
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
