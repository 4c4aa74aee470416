//! Division of a span where a rate begins or ends.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::billing::{Basis, Span};

/// Returns the starts of the parts of a span: its own start, and when a rate begins or ends within it; in
/// order.
pub(super) fn part_starts(basis: &Basis, span: Span) -> Vec<Timestamp> {
    let ends = basis.rates.iter().flat_map(|rate| [rate.from, rate.to]).flatten();
    let within = ends.filter(|at| span.contains(*at));
    within.chain([span.from]).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Returns the end of the window that a time divides; the time itself where a window begins.
pub(super) fn window_end(at: Timestamp) -> Timestamp {
    let window = Span::hour_of(at);
    if window.from == at { at } else { window.to }
}

/// Returns the starts of the windows that are divided: the span begins or ends, or a rate changes, within
/// them.
pub(super) fn divided_windows(basis: &Basis, span: Span) -> BTreeSet<Timestamp> {
    let edges = part_starts(basis, span).into_iter().chain([span.to]);
    let windows = edges.filter_map(|at| {
        let window = Span::hour_of(at);
        (window.from != at).then_some(window.from)
    });
    windows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::billing::Settings;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn windows_are_divided_where_an_edge_or_a_change_lies_within() {
        let text = "[billing]\nbilling_timezone = 'Asia/Kolkata'\n[[rate]]\nservice = 's'\nunit = 'hour'\n\
                    rate = '1'\nfrom = 2026-11-02\nto = 2026-12-05\n[[usage]]\nmeter = 's'\n\
                    transformer = 'count'\nunit = 'hour'";
        let settings = Settings::read(toml::from_str(text).unwrap(), text, None).unwrap();
        let span = Span { from: at("2026-11-01T00:00:00Z"), to: at("2026-11-30T18:30:00Z") };
        let basis = Basis::of(&settings, span);
        let changed = at("2026-11-01T18:30:00Z");
        assert_eq!(part_starts(&basis, span), [span.from, changed]);
        let starts = [at("2026-11-01T18:00:00Z"), at("2026-11-30T18:00:00Z")];
        assert_eq!(divided_windows(&basis, span), BTreeSet::from(starts));
        assert_eq!([span.from, span.to].map(window_end), [span.from, at("2026-11-30T19:00:00Z")]);
        let hours = Span { from: changed, to: at("2026-11-30T18:00:00Z") };
        assert_eq!(divided_windows(&basis, hours), BTreeSet::from([starts[0]]));
    }
}
