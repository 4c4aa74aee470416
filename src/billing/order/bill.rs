//! Bills: the usage of a tenant, gathered window by window until it is priced.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;

use super::basis::Basis;
use crate::billing::exact::{Amount, Fraction, Volume};
use crate::billing::mapping::Mapping;
use crate::billing::reading::Timeline;
use crate::billing::transform::{self, Usage};
use crate::billing::volume_type::VolumeTypeNames;
use crate::billing::window::Span;

/// Decimal places of a coverage.
const COVERAGE_SCALE: u32 = 6;

/// The usage of one tenant's resources in the span of an order.
///
/// Mappings are given by their index in the basis; an index that it does not contain adds nothing.
#[derive(Debug)]
pub struct Bill<'a> {
    pub(super) basis: &'a Basis,
    volume_types: Option<&'a VolumeTypeNames>,
    span: Span,
    pub(super) resources: BTreeMap<String, Description>,
    /// Usage by billed resource and service.
    pub(super) usage: BTreeMap<(String, String), UsageSums>,
    /// The spans of each service's rates: a cache, as they are looked up for every window.
    parts: HashMap<String, Vec<Span>>,
}

/// The description of a resource.
#[derive(Debug, Default)]
pub(super) struct Description {
    /// The type given by the first mapping that has one, with the mapping's index.
    resource_type: Option<(usize, String)>,
    fields: BTreeMap<String, (Rank, String)>,
}

/// The rank of a field's value: the latest counts, and of several mappings at one time the first.
type Rank = (Timestamp, Reverse<usize>);

impl Description {
    pub(super) fn resource_type(&self) -> Option<&str> {
        self.resource_type.as_ref().map(|(_, resource_type)| resource_type.as_str())
    }

    pub(super) fn metadata(&self) -> BTreeMap<String, String> {
        self.fields.iter().map(|(field, (_, value))| (field.clone(), value.clone())).collect()
    }
}

/// The usage of one service of one resource, by the index of its mapping (there is only one, unless
/// mappings collide) and whether it is negative, then by the index of the part of the span.
pub(super) type UsageSums = BTreeMap<(usize, bool), BTreeMap<usize, Sum>>;

/// The usage of several windows.
#[derive(Clone, Debug)]
pub(super) struct Sum {
    pub(super) volume: Volume,
    pub(super) covered_us: i64,
    pub(super) windows: u32,
    /// From the start of the first window to the end of the last.
    pub(super) span: Span,
}

impl Sum {
    /// Returns the sum of both.
    pub(super) fn plus(mut self, other: &Sum) -> Self {
        self.volume += &other.volume;
        self.covered_us = self.covered_us.saturating_add(other.covered_us);
        self.windows = self.windows.saturating_add(other.windows);
        let (a, b) = (self.span, other.span);
        self.span = Span { from: a.from.min(b.from), to: a.to.max(b.to) };
        self
    }

    /// Returns the share of its time that has a known state.
    pub(super) fn coverage(&self) -> Amount {
        Fraction::share(self.covered_us, self.span.us()).round(COVERAGE_SCALE)
    }
}

/// Usage of whole windows cannot be added, because the order begins or ends or a rate changes among them:
/// the readings of that window are needed ([`Bill::add_readings`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the order begins or ends, or a rate changes, within the span")]
pub struct DividedSpan;

impl<'a> Bill<'a> {
    /// Creates an empty bill.
    pub fn new(basis: &'a Basis, span: Span) -> Self {
        Bill {
            basis,
            volume_types: None,
            span,
            resources: BTreeMap::new(),
            usage: BTreeMap::new(),
            parts: HashMap::new(),
        }
    }

    /// Names volume types that were reported by their ids alone.
    pub fn with_volume_types(self, names: &'a VolumeTypeNames) -> Self {
        Bill { volume_types: Some(names), ..self }
    }

    /// Returns the service of usage by a mapping.
    fn service_of<'u>(&self, mapping: usize, used: &'u Usage) -> Cow<'u, str>
    where
        'a: 'u,
    {
        match (self.basis.mappings.get(mapping), self.volume_types) {
            (Some(rule), Some(names)) => used.service_by(rule, names),
            _ => Cow::Borrowed(&used.service),
        }
    }

    /// Adds a resource's usage in a number of whole windows of a span, as computed earlier by the mapping.
    /// Adding the sum of several windows is the same as adding one after the other.
    ///
    /// # Errors
    ///
    /// If the order begins or ends or a rate changes within the span; then nothing is added.
    pub fn add_windows(
        &mut self,
        mapping: usize,
        resource_id: &str,
        span: Span,
        windows: u32,
        usage: &[Usage],
    ) -> Result<(), DividedSpan> {
        let mut parts = Vec::with_capacity(usage.len());
        for used in usage {
            let service = self.service_of(mapping, used);
            let mut service_parts = self.parts(&service).iter();
            let part = service_parts.position(|part| part.clip(span) == Some(span));
            parts.push(part.ok_or(DividedSpan)?);
        }
        for (used, part) in usage.iter().zip(parts) {
            self.add(mapping, resource_id, part, span, windows, used);
        }
        Ok(())
    }

    /// Adds the description of a resource by the samples of a window in which it has usage; `at` is the
    /// window's start. The latest window counts, field by field.
    pub fn describe(
        &mut self,
        mapping: usize,
        resource_id: &str,
        at: Timestamp,
        description: &BTreeMap<String, String>,
    ) {
        let Some(rule) = self.basis.mappings.get(mapping) else { return };
        let billed = rule.billed_resource(resource_id);
        let entry = self.resources.entry(billed).or_default();
        if let Some(named) = &rule.resource_type
            && entry.resource_type.as_ref().is_none_or(|(before, _)| mapping < *before)
        {
            entry.resource_type = Some((mapping, named.clone()));
        }
        let rank = (at, Reverse(mapping));
        for (field, value) in description {
            if entry.fields.get(field).is_none_or(|(before, _)| *before < rank) {
                entry.fields.insert(field.clone(), (rank, value.clone()));
            }
        }
    }

    /// Adds a resource's usage in a span by the mapping, computed from its readings. The span is limited to
    /// the order's, but the readings are those of its whole windows ([`Span::whole_windows`]): a part of a
    /// window has a share of the window's usage.
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
            let usage = transform::compute_usage(rule, timeline, window);
            for used in &usage {
                self.add_divided(mapping, resource_id, timeline, window, used);
            }
            if !usage.is_empty() {
                let whole = window.whole_windows();
                // What samples after the order's end report counts only if nothing else is known.
                let known = Span { to: window.to, ..whole };
                let mut description = transform::describe_resource(rule, timeline, known);
                if description.is_empty() {
                    description = transform::describe_resource(rule, timeline, whole);
                }
                self.describe(mapping, resource_id, whole.from, &description);
            }
        }
    }

    /// The span of the order.
    pub(super) fn span(&self) -> Span {
        self.span
    }

    /// Returns the parts of the order's span between changes of the service's rate.
    fn parts(&mut self, service: &str) -> &[Span] {
        let (basis, span) = (self.basis, self.span);
        self.parts.entry(service.to_owned()).or_insert_with(|| {
            basis.rates.parts(service, span).iter().map(|part| part.span).collect()
        })
    }

    /// Adds a window's usage of one service, divided where the service's rate changes.
    fn add_divided(
        &mut self,
        mapping: usize,
        resource_id: &str,
        timeline: &Timeline<'_>,
        window: Span,
        used: &Usage,
    ) {
        let service = self.service_of(mapping, used);
        let parts: Vec<(usize, Span)> = self
            .parts(&service)
            .iter()
            .enumerate()
            .filter_map(|(index, part)| Some((index, part.clip(window)?)))
            .collect();
        if let [(part, _)] = parts[..] {
            return self.add(mapping, resource_id, part, window, 1, used);
        }
        let rule: &Mapping = &self.basis.mappings[mapping];
        for (part, span) in parts {
            let shares = transform::compute_usage(rule, timeline, span);
            let is_same = |share: &&Usage| {
                (&share.service, &share.type_id, share.is_negative)
                    == (&used.service, &used.type_id, used.is_negative)
            };
            if let Some(share) = shares.iter().find(is_same) {
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
        let service = self.service_of(mapping, usage).into_owned();
        let sums = self.usage.entry((billed, service)).or_default();
        let sums = sums.entry((mapping, usage.is_negative)).or_default();
        let sum = sums.entry(part).or_insert_with(|| Sum {
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
