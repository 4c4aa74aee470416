//! Gathers usage, window by window, until it is priced.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::price;
use super::{Basis, Line, Unrated};
use crate::billing::exact::{Amount, Fraction, Volume};
use crate::billing::mapping::Mapping;
use crate::billing::reading::Timeline;
use crate::billing::transform::{self, Usage};
use crate::billing::window::Span;

/// Decimals of a coverage.
const COVERAGE_SCALE: u32 = 6;

/// The usage of one tenant in the span of an order, of as many resources as there are.
///
/// Mappings are given by their index in the basis; one that is not there adds nothing.
#[derive(Debug)]
pub struct Bill<'a> {
    pub(super) basis: &'a Basis,
    span: Span,
    pub(super) resources: BTreeMap<String, Described>,
    pub(super) used: BTreeMap<(String, String), Used>,
    /// Of each service the spans of its rates: looked up for every window.
    parts: HashMap<String, Vec<Span>>,
}

/// What is told about a resource.
#[derive(Debug, Default)]
pub(super) struct Described {
    /// Of the first mapping that has one.
    pub(super) resource_type: Option<(usize, String)>,
    fields: BTreeMap<String, (Said, String)>,
}

/// Which value counts: the latest; of several mappings that tell of one time that of the first.
type Said = (Timestamp, Reverse<usize>);

impl Described {
    pub(super) fn metadata(&self) -> BTreeMap<String, String> {
        self.fields.iter().map(|(field, (_, value))| (field.clone(), value.clone())).collect()
    }
}

/// Of one service of one resource, by the index of the mapping that tells it: one, unless they
/// collide; then by the index of the part of the span.
pub(super) type Used = BTreeMap<usize, BTreeMap<usize, Sum>>;

/// The usage of several windows.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    pub(super) volume: Volume,
    pub(super) covered_us: i64,
    pub(super) windows: u32,
    /// From the start of the first to the end of the last.
    pub(super) span: Span,
}

impl Sum {
    /// Both together.
    pub(super) fn plus(mut self, other: &Sum) -> Self {
        self.volume += &other.volume;
        self.covered_us = self.covered_us.saturating_add(other.covered_us);
        self.windows = self.windows.saturating_add(other.windows);
        let (a, b) = (self.span, other.span);
        self.span = Span { from: a.from.min(b.from), to: a.to.max(b.to) };
        self
    }

    /// The share of its time for which it is known how things stood.
    pub(super) fn coverage(&self) -> Amount {
        Fraction::share(self.covered_us, self.span.us()).round(COVERAGE_SCALE)
    }
}

/// Lines, and what cannot be one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Priced {
    /// By resource, service and time.
    pub lines: Vec<Line>,
    /// Likewise.
    pub unrated: Vec<Unrated>,
}

/// Usage of whole windows was to be added, but the order begins or ends or a rate changes among
/// them: within that window the readings are needed ([`Bill::add_readings`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the order's edge or a change of rate lies within the span")]
pub struct NotOnePart;

impl<'a> Bill<'a> {
    /// An empty one.
    pub fn new(basis: &'a Basis, span: Span) -> Self {
        Bill {
            basis,
            span,
            resources: BTreeMap::new(),
            used: BTreeMap::new(),
            parts: HashMap::new(),
        }
    }

    /// Adds what a resource used in so many whole windows of a span, as it was computed earlier by
    /// the mapping; the sum of several windows is as good as one after the other.
    ///
    /// # Errors
    ///
    /// When the order begins or ends or a rate changes within the span; nothing is added then.
    pub fn add_windows(
        &mut self,
        mapping: usize,
        resource_id: &str,
        span: Span,
        windows: u32,
        usage: &[Usage],
    ) -> Result<(), NotOnePart> {
        let mut parts = Vec::with_capacity(usage.len());
        for used in usage {
            let mut of_service = self.parts(&used.service).iter();
            let part = of_service.position(|part| part.clip(span) == Some(span));
            parts.push(part.ok_or(NotOnePart)?);
        }
        for (used, part) in usage.iter().zip(parts) {
            self.add(mapping, resource_id, part, span, windows, used);
        }
        Ok(())
    }

    /// Says what the samples of a window tell about a resource, if it used something in it; `at` is
    /// the window's start. Of several windows the latest counts, field by field.
    pub fn describe(
        &mut self,
        mapping: usize,
        resource_id: &str,
        at: Timestamp,
        description: &BTreeMap<String, String>,
    ) {
        let Some(rule) = self.basis.mappings.get(mapping) else { return };
        let billed = rule.billed_resource(resource_id);
        let described = self.resources.entry(billed).or_default();
        if let Some(named) = &rule.resource_type
            && described.resource_type.as_ref().is_none_or(|(by, _)| mapping < *by)
        {
            described.resource_type = Some((mapping, named.clone()));
        }
        let said = (at, Reverse(mapping));
        for (field, value) in description {
            if described.fields.get(field).is_none_or(|(before, _)| *before < said) {
                described.fields.insert(field.clone(), (said, value.clone()));
            }
        }
    }

    /// Adds what a resource used in a span by the mapping, from its readings. Of the span counts
    /// what the order is for. Each hour that begins or ends with it is a window of its own.
    pub fn add_readings(
        &mut self,
        mapping: usize,
        resource_id: &str,
        timeline: &Timeline<'_>,
        span: Span,
    ) {
        let basis = self.basis;
        let Some(rule) = basis.mappings.get(mapping) else { return };
        for window in span.clip(self.span).into_iter().flat_map(Span::windows) {
            let usage = transform::usage(rule, timeline, window);
            for used in &usage {
                self.add_divided(mapping, resource_id, timeline, window, used);
            }
            if !usage.is_empty() {
                let description = transform::description(rule, timeline, window);
                self.describe(mapping, resource_id, window.from, &description);
            }
        }
    }

    /// What is to be paid for it.
    pub fn price(self) -> Priced {
        price::price(&self)
    }

    /// What it is for.
    pub(super) fn span(&self) -> Span {
        self.span
    }

    /// The parts of the order's span between changes of the service's rate.
    fn parts(&mut self, service: &str) -> &[Span] {
        let (basis, span) = (self.basis, self.span);
        self.parts.entry(service.to_owned()).or_insert_with(|| {
            basis.rates.parts(service, span).iter().map(|part| part.span).collect()
        })
    }

    /// A window's usage of one service, divided where its rate changes.
    fn add_divided(
        &mut self,
        mapping: usize,
        resource_id: &str,
        timeline: &Timeline<'_>,
        window: Span,
        used: &Usage,
    ) {
        let parts: Vec<(usize, Span)> = self
            .parts(&used.service)
            .iter()
            .enumerate()
            .filter_map(|(index, part)| Some((index, part.clip(window)?)))
            .collect();
        if let [(part, _)] = parts[..] {
            return self.add(mapping, resource_id, part, window, 1, used);
        }
        let rule: &Mapping = &self.basis.mappings[mapping];
        for (part, span) in parts {
            let shares = transform::usage_of_part(rule, timeline, window, span);
            if let Some(share) = shares.iter().find(|share| share.service == used.service) {
                self.add(mapping, resource_id, part, span, 1, share);
            }
        }
    }

    fn add(
        &mut self,
        mapping: usize,
        resource_id: &str,
        part: usize,
        span: Span,
        windows: u32,
        usage: &Usage,
    ) {
        let Some(rule) = self.basis.mappings.get(mapping) else { return };
        let billed = rule.billed_resource(resource_id);
        let sums = self.used.entry((billed, usage.service.clone())).or_default();
        let sum = sums.entry(mapping).or_default().entry(part).or_insert_with(|| Sum {
            volume: Volume::default(),
            covered_us: 0,
            windows: 0,
            span,
        });
        sum.volume += &usage.volume;
        sum.covered_us = sum.covered_us.saturating_add(usage.covered_us);
        sum.windows = sum.windows.saturating_add(windows);
        sum.span = Span { from: sum.span.from.min(span.from), to: sum.span.to.max(span.to) };
    }
}
