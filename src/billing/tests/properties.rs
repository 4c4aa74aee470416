//! Properties that hold for any samples.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;

use super::samples::*;
use crate::billing::order::{Charges, Heading, Reason};
use crate::billing::reading::{ForeignReading, OtherReading, Timeline};
use crate::billing::settings::Settings;
use crate::billing::transform::{
    changed_windows, compute_usage, describe_resource, source_readings,
};
use crate::billing::window::{evidence_span, reach_back};
use crate::billing::{Amount, Basis, Bill, Mapping, Order, Reading, Span, Unit, Usage, Volume};

/// One mapping of each transformer, with every option that changes which windows a sample affects.
const ALL: [&str; 13] = [
    "transformer = 'uptime'\nmax_gap_s = 3600",
    "transformer = 'uptime'\naudit_gap_s = 5400\nmax_gap_s = 700\nfilter = { ok = true }",
    "transformer = 'max'\nunit = 'x'",
    "transformer = 'max'\nunit = 'x'\ncarry_over = true\nmax_gap_s = 9000",
    "transformer = 'average'\nunit = 'x'",
    "transformer = 'sum'\nunit = 'x'",
    "transformer = 'cumulative'\nunit = 'x'",
    "transformer = 'cumulative'\nunit = 'x'\nmax_gap_s = 10\nfilter = { ok = true }",
    "transformer = 'storagemax'\nunit = 'x'\ncarry_over = true",
    "transformer = 'storagemax'\nunit = 'x'",
    "transformer = 'networkservice'",
    "transformer = 'fromimage'\nunit = 'x'\ncarry_over = true",
    "transformer = 'count'\nfilter = { ok = true }",
];

fn mappings() -> impl Strategy<Value = Mapping> {
    select(&ALL[..]).prop_map(|options| {
        mapping(&format!("{options}\nmetadata = {{ name = ['name', 'other'] }}"))
    })
}

/// Times within six hours, often whole hours.
fn times() -> impl Strategy<Value = Timestamp> {
    let start = at("08:00").as_microsecond();
    let us = prop_oneof![
        (0..=6_i64).prop_map(|hour| hour * 3_600_000_000),
        (0..=36_i64).prop_map(|tenth| tenth * 600_000_000),
        0..=21_600_000_000_i64,
    ];
    us.prop_map(move |us| Timestamp::from_microsecond(start + us).unwrap())
}

/// Returns the readings that a window depends on.
fn used_readings<'t>(
    mapping: &Mapping,
    timeline: &'t Timeline<'_>,
    window: Span,
) -> (Vec<&'t Reading<'t>>, Vec<&'t OtherReading<'t>>, Vec<&'t ForeignReading>) {
    let sources = source_readings(mapping, timeline, window);
    (
        sources.readings.iter().map(|index| &timeline.readings()[*index]).collect(),
        sources.others.iter().map(|index| &timeline.others()[*index]).collect(),
        sources.foreign.iter().map(|index| &timeline.foreign()[*index]).collect(),
    )
}

fn spans() -> impl Strategy<Value = Span> {
    (times(), times())
        .prop_filter_map("no time between them", |(a, b)| Span::new(a.min(b), a.max(b)))
}

fn samples() -> impl Strategy<Value = Sample> {
    let texts = (
        select(vec!["active", "stopped", "", "frobnicated"]),
        select(vec!["m1", "m2"]),
        select(vec!["\"a\"", "null"]),
        select(vec!["true", "false"]),
        (select(vec!["ssd", ""]), select(vec!["", "2026-11-20T09:10:00", "2026-11-20T12:00:00"])),
        select(vec!["cn-a", "cn-b", ""]),
    );
    let volume = prop_oneof![-3..9_i64, any::<i32>().prop_map(i64::from)];
    (times(), volume, 0..20_u32, texts, any::<u16>()).prop_map(|(at, volume, scale, texts, id)| {
        let (status, flavor, name, ok, (kind, time), host) = texts;
        // A time is that of the launch, or of the deletion.
        let key = if scale % 2 == 0 { "deleted_at" } else { "launched_at" };
        let metadata = format!(
            r#"{{"status": "{status}", "instance_type": "{flavor}", "name": {name}, "ok": {ok},
                "volume_type": "{kind}", "image_ref": {name}, "root_gb": {volume},
                "{key}": "{time}", "instance_host": "{host}"}}"#
        );
        let volume = rust_decimal::Decimal::from_i128_with_scale(volume.into(), scale);
        Sample { volume, message_id: id.to_string(), at, ..sample("08:00", "0", &metadata) }
    })
}

/// Samples with distinct ids, at several times; some share a time.
fn series() -> impl Strategy<Value = Vec<Sample>> {
    prop::collection::vec(samples(), 0..14).prop_map(|mut series| {
        for (number, sample) in series.iter_mut().enumerate() {
            sample.message_id = format!("{}-{number}", sample.message_id);
        }
        series
    })
}

/// Samples of the resource's meter, of another meter, and times of another project's samples.
type Evidence = (Vec<Sample>, Vec<Sample>, Vec<Timestamp>);

fn evidence() -> impl Strategy<Value = Evidence> {
    (series(), series(), prop::collection::vec(times(), 0..3))
}

/// Returns as much as is loaded for the span: the readings of its whole windows, the last one of each host
/// before them, and the other evidence within reach.
fn needed_evidence(
    (series, others, foreign): &Evidence,
    mapping: &Mapping,
    span: Span,
) -> Evidence {
    let span = span.whole_windows();
    let evidence = evidence_span([mapping], span);
    let line = timeline(series);
    let before = line.readings().iter().rev().filter(|reading| reading.at < span.from);
    let mut hosts = BTreeSet::new();
    let before: BTreeSet<Timestamp> =
        before.filter(|reading| hosts.insert(reading.host())).map(|reading| reading.at).collect();
    let is_near = |sample: &&Sample| evidence.contains(sample.at);
    let is_needed = |sample: &&Sample| is_near(sample) || before.contains(&sample.at);
    let first = reach_back(mapping, span).unwrap_or(evidence.from);
    let foreign = foreign.iter().copied().filter(|at| first <= *at && *at < span.to);
    (
        series.iter().filter(is_needed).cloned().collect(),
        others.iter().filter(is_near).cloned().collect(),
        foreign.collect(),
    )
}

/// Returns the spans between the times.
fn spans_between(times: &BTreeSet<Timestamp>) -> Vec<Span> {
    let ends = times.iter().skip(1);
    times.iter().zip(ends).map(|(from, to)| Span::new(*from, *to).unwrap()).collect()
}

/// Returns the volumes by service and sign, without zeros.
fn nonzero_volumes(all: &[Usage]) -> Vec<((String, bool), Volume)> {
    let is_used = |usage: &&Usage| !usage.volume.is_zero();
    let volume = |usage: &Usage| ((usage.service.clone(), usage.is_negative), usage.volume.clone());
    all.iter().filter(is_used).map(volume).collect()
}

fn sum(parts: &[Vec<Usage>]) -> Vec<((String, bool), Volume)> {
    let mut sums = std::collections::BTreeMap::<(String, bool), Volume>::new();
    for used in parts.iter().flatten() {
        *sums.entry((used.service.clone(), used.is_negative)).or_default() += &used.volume;
    }
    sums.into_iter().filter(|(_, volume)| !volume.is_zero()).collect()
}

proptest! {
    #[test]
    fn order_and_duplication_of_samples_change_nothing(
        (series, shuffled) in series().prop_flat_map(|series| {
            let twice: Vec<Sample> = series.iter().chain(&series).cloned().collect();
            (Just(series), Just(twice).prop_shuffle())
        }),
        mapping in mappings(),
        range in spans(),
    ) {
        let (once, often) = (timeline(&series), timeline(&shuffled));
        prop_assert_eq!(compute_usage(&mapping, &once, range), compute_usage(&mapping, &often, range));
        prop_assert_eq!(
            describe_resource(&mapping, &once, range),
            describe_resource(&mapping, &often, range)
        );
    }

    #[test]
    fn usage_of_windows_adds_up_to_that_of_the_span(
        (series, others, foreign) in evidence(), mapping in mappings(), range in spans(),
    ) {
        let line = timeline_with(&series, &others, &foreign);
        let windows: Vec<_> = range.windows().map(|window| compute_usage(&mapping, &line, window)).collect();
        let whole = compute_usage(&mapping, &line, range);
        prop_assert_eq!(sum(&windows), nonzero_volumes(&whole));
        let covered = whole.first().map_or(0, |usage| usage.covered_us);
        prop_assert!(covered <= range.us());
    }

    #[test]
    fn the_parts_of_a_span_add_up_wherever_it_is_divided(
        (series, others, foreign) in evidence(), mapping in mappings(),
        cuts in prop::collection::btree_set(times(), 2..7),
    ) {
        let spans = spans_between(&cuts);
        let line = timeline_with(&series, &others, &foreign);
        let parts: Vec<_> = spans.iter().map(|part| compute_usage(&mapping, &line, *part)).collect();
        let whole = Span::new(*cuts.first().unwrap(), *cuts.last().unwrap()).unwrap();
        prop_assert_eq!(sum(&parts), nonzero_volumes(&compute_usage(&mapping, &line, whole)));
    }

    /// Each part has only the readings that are loaded for it: those of its whole windows and the last
    /// one before them.
    #[test]
    fn bills_of_the_parts_add_up_to_the_bill_of_the_whole(
        all in evidence(), mapping in mappings(), cuts in prop::collection::btree_set(times(), 2..7),
    ) {
        let basis = Basis { mappings: vec![mapping.clone()], ..Basis::of(&Settings::default(), spans_between(&cuts)[0]) };
        let usage = |span: Span| -> Vec<Usage> {
            let (series, others, foreign) = needed_evidence(&all, &mapping, span);
            let line = timeline_with(&series, &others, &foreign);
            let mut bill = Bill::new(&basis, span);
            bill.add_readings(0, "r", &line, span.whole_windows());
            let used = bill.totals().map(|total| Usage {
                service: total.service.to_owned(), type_id: None, is_negative: total.is_negative,
                volume: total.volume, covered_us: 0,
            });
            used.collect()
        };
        let parts: Vec<_> = spans_between(&cuts).into_iter().map(usage).collect();
        let whole = Span::new(*cuts.first().unwrap(), *cuts.last().unwrap()).unwrap();
        prop_assert_eq!(sum(&parts), nonzero_volumes(&usage(whole)));
    }

    #[test]
    fn evidence_changes_no_window_beyond_the_changed_ones(
        (mut series, mut others, foreign) in evidence(), added in samples(), which in 0..3_u8,
        is_replacement in any::<bool>(), replaced in samples().prop_map(|sample| sample.metadata),
        mapping in mappings(),
    ) {
        // Perhaps it replaces another one, of another host.
        let replaced = is_replacement.then(|| Sample { metadata: replaced, ..added.clone() });
        let (mut more, mut more_others, mut more_foreign) =
            (series.clone(), others.clone(), foreign.clone());
        let replace = |samples: &mut Vec<Sample>, by: Option<Sample>| {
            samples.retain(|sample| sample.at != added.at);
            samples.extend(by);
        };
        match which {
            0 => {
                replace(&mut series, replaced);
                replace(&mut more, Some(added.clone()));
            }
            1 => {
                replace(&mut others, replaced);
                replace(&mut more_others, Some(added.clone()));
            }
            _ if foreign.contains(&added.at) => {}
            _ => more_foreign.push(added.at),
        }
        let before = timeline_with(&series, &others, &foreign);
        let after = timeline_with(&more, &more_others, &more_foreign);
        let changed = changed_windows(&mapping, &after, &after.changes_from(&before));
        for window in span("02:00", "23:00").windows() {
            let same = compute_usage(&mapping, &before, window) == compute_usage(&mapping, &after, window)
                && describe_resource(&mapping, &before, window)
                    == describe_resource(&mapping, &after, window);
            prop_assert!(same || changed.contains(&window), "{window:?} is not in {changed:?}");
            // Nor does any other window depend on the added reading.
            let sources = source_readings(&mapping, &after, window);
            let uses = match which {
                0 => sources.readings.iter().any(|index| after.readings()[*index].at == added.at),
                1 => sources.others.iter().any(|index| after.others()[*index].reading.at == added.at),
                _ => sources.foreign.iter().any(|index| after.foreign()[*index].at == added.at),
            };
            let is_new = before != after;
            prop_assert!(!uses || !is_new || changed.contains(&window), "{window:?} depends on it");
            // Each window that depends on other readings than before is changed.
            let (old, new) = (used_readings(&mapping, &before, window), used_readings(&mapping, &after, window));
            prop_assert!(old == new || changed.contains(&window), "{window:?} depended on others");
        }
    }

    #[test]
    fn evidence_beyond_its_reach_changes_nothing(
        all in evidence(), mapping in mappings(), range in spans(),
    ) {
        let needed = needed_evidence(&all, &mapping, range);
        let all = timeline_with(&all.0, &all.1, &all.2);
        let some = timeline_with(&needed.0, &needed.1, &needed.2);
        prop_assert_eq!(compute_usage(&mapping, &all, range), compute_usage(&mapping, &some, range));
        prop_assert_eq!(
            describe_resource(&mapping, &all, range),
            describe_resource(&mapping, &some, range)
        );
    }

    #[test]
    fn a_resource_is_one_project_s_at_a_time(
        mine in prop::collection::vec(times(), 1..8), theirs in prop::collection::vec(times(), 1..8),
        options in select(vec![
            "transformer = 'count'\ncarry_over = true",
            "transformer = 'uptime'\nmax_gap_s = 700",
            "transformer = 'average'\nunit = 'x'",
            "transformer = 'max'\nunit = 'x'",
        ]),
        window in 0..6_i64,
    ) {
        let mapping = mapping(options);
        let active = |at: &Timestamp| Sample { at: *at, ..with_flavor("08:00", "active", "m1") };
        let (a, b): (Vec<Sample>, Vec<Sample>) =
            (mine.iter().map(active).collect(), theirs.iter().map(active).collect());
        let others = |times: &[Timestamp], is_last| {
            times.iter().map(|at| ForeignReading { at: *at, is_last }).collect::<Vec<_>>()
        };
        let a = timeline(&a).with_evidence(Vec::new(), others(&theirs, true));
        let b = timeline(&b).with_evidence(Vec::new(), others(&mine, false));
        let from = at("08:00") + SignedDuration::from_hours(window);
        let hour = Span::hour_of(from);
        let used: Vec<Usage> = [a, b].iter().flat_map(|line| compute_usage(&mapping, line, hour)).collect();
        let covered: i64 = used.iter().map(|usage| usage.covered_us).sum();
        prop_assert!(covered <= hour.us(), "{used:?}");
        let whole = match mapping.unit { Unit::Second => Volume::seconds(hour.us()), _ => Volume::unit_hours(1.into(), hour.us()) };
        for (_, volume) in sum(&[used]) {
            prop_assert!(volume == whole || volume.minus(&whole).to_numeric().starts_with('-'), "{volume}");
        }
    }

    #[test]
    fn lines_add_up_to_the_total(
        all_series in prop::collection::vec(series(), 1..4), range in spans(), cut in 0..6_u32,
        ceil in any::<bool>(),
    ) {
        let hours = if ceil { "ceil" } else { "exact" };
        // Midnight in these zones is at half past an hour of UTC, or at the full hour.
        let zone = ["Asia/Kolkata", "UTC", "Europe/Prague", "Australia/Adelaide"][cut as usize % 4];
        let text = format!(
            "[billing]\nsecond_to_hour = '{hours}'\nbilling_timezone = '{zone}'\n\
             [[usage]]\nmeter = 'a'\ntransformer = 'uptime'\n\
             [[usage]]\nmeter = 'b'\ntransformer = 'average'\nservice = 'gauge'\nunit = 'byte'\n\
             [[rate]]\nservice = 'm1'\nunit = 'hour'\nrate = '0.0123'\nto = 2026-11-20\n\
             [[rate]]\nservice = 'm1'\nunit = 'hour'\nrate = '0.0456'\nfrom = 2026-11-20\n\
             [[rate]]\nservice = 'm2'\nunit = 'second'\nrate = '0.00007'\n\
             [[rate]]\nservice = 'unknown_state'\nunit = 'hour'\nrate = '0'\n\
             [[rate]]\nservice = 'unknown_state.frobnicated'\nunit = 'hour'\nrate = '0'\n\
             [[rate]]\nservice = 'gauge'\nunit = 'gigabyte'\nrate = '0.5'\n"
        );
        let settings = Settings::read(toml::from_str(&text).unwrap(), &text, None).unwrap();
        let basis = Basis::of(&settings, range);
        let mut bill = Bill::new(&basis, range);
        for (resource, series) in all_series.iter().enumerate() {
            for mapping in 0..2 {
                bill.add_readings(mapping, &resource.to_string(), &timeline(series), range);
            }
        }
        let Charges { lines, unrated } = bill.price();
        prop_assert!(unrated.iter().all(|item| item.reason == Reason::Negative));
        prop_assert!(lines.iter().all(|line| !line.amount.to_string().starts_with('-')));
        let amounts = Amount::sum(lines.iter().map(|line| &line.amount), 6);
        let heading = Heading {
            order_id: None, tenant_id: "t".to_owned(), name: None, span: range, position: 1,
        };
        let order = Order::new(heading, &basis, Charges { lines, unrated }, Vec::new());
        prop_assert_eq!(&order.total, &amounts.round(2));
        for line in &order.lines {
            prop_assert!(line.coverage <= "1.000000".parse().unwrap(), "{line:?}");
            prop_assert!(range.from <= line.from && line.from < line.to && line.to <= range.to);
        }
        let again: Order = serde_json::from_slice(&order.to_bytes().unwrap()).unwrap();
        prop_assert_eq!(again, order);
    }
}
