//! Properties that hold for any samples.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;

use super::samples::*;
use crate::billing::order::{Charges, Heading, Reason};
use crate::billing::settings::Settings;
use crate::billing::transform::{compute_usage, describe_resource};
use crate::billing::window::affected_windows;
use crate::billing::{Amount, Basis, Bill, Mapping, Order, Span, Usage, Volume};

/// One mapping of each transformer, with every option that changes which windows a sample affects.
const ALL: [&str; 13] = [
    "transformer = 'uptime'",
    "transformer = 'uptime'\nmax_gap_s = 700\nfilter = { ok = true }",
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

fn spans() -> impl Strategy<Value = Span> {
    (times(), times())
        .prop_filter_map("no time between them", |(a, b)| Span::new(a.min(b), a.max(b)))
}

fn samples() -> impl Strategy<Value = Sample> {
    let texts = (
        select(vec!["active", "stopped", ""]),
        select(vec!["m1", "m2"]),
        select(vec!["\"a\"", "null"]),
        select(vec!["true", "false"]),
        select(vec!["ssd", ""]),
        select(vec!["cn-a", "cn-b", ""]),
    );
    let volume = prop_oneof![-3..9_i64, any::<i32>().prop_map(i64::from)];
    (times(), volume, 0..20_u32, texts, any::<u16>()).prop_map(|(at, volume, scale, texts, id)| {
        let (status, flavor, name, ok, kind, host) = texts;
        let metadata = format!(
            r#"{{"status": "{status}", "instance_type": "{flavor}", "name": {name}, "ok": {ok},
                "volume_type": "{kind}", "image_ref": {name}, "root_gb": {volume},
                "instance_host": "{host}"}}"#
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

/// Returns the readings of the span's whole windows, and the last one of each host before them.
fn needed_readings(series: &[Sample], span: Span) -> Vec<Sample> {
    let span = span.whole_windows();
    let line = timeline(series);
    let before = line.readings().iter().rev().filter(|reading| reading.at < span.from);
    let mut hosts = BTreeSet::new();
    let before: BTreeSet<Timestamp> =
        before.filter(|reading| hosts.insert(reading.host())).map(|reading| reading.at).collect();
    let is_needed = |sample: &&Sample| span.contains(sample.at) || before.contains(&sample.at);
    series.iter().filter(is_needed).cloned().collect()
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
        series in series(), mapping in mappings(), range in spans(),
    ) {
        let line = timeline(&series);
        let windows: Vec<_> = range.windows().map(|window| compute_usage(&mapping, &line, window)).collect();
        let whole = compute_usage(&mapping, &line, range);
        prop_assert_eq!(sum(&windows), nonzero_volumes(&whole));
        let covered = whole.first().map_or(0, |usage| usage.covered_us);
        prop_assert!(covered <= range.us());
    }

    #[test]
    fn the_parts_of_a_span_add_up_wherever_it_is_divided(
        series in series(), mapping in mappings(), cuts in prop::collection::btree_set(times(), 2..7),
    ) {
        let spans = spans_between(&cuts);
        let line = timeline(&series);
        let parts: Vec<_> = spans.iter().map(|part| compute_usage(&mapping, &line, *part)).collect();
        let whole = Span::new(*cuts.first().unwrap(), *cuts.last().unwrap()).unwrap();
        prop_assert_eq!(sum(&parts), nonzero_volumes(&compute_usage(&mapping, &line, whole)));
    }

    /// Each part has only the readings that are loaded for it: those of its whole windows and the last
    /// one before them.
    #[test]
    fn bills_of_the_parts_add_up_to_the_bill_of_the_whole(
        series in series(), mapping in mappings(), cuts in prop::collection::btree_set(times(), 2..7),
    ) {
        let basis = Basis { mappings: vec![mapping], ..Basis::of(&Settings::default(), spans_between(&cuts)[0]) };
        let usage = |span: Span| -> Vec<Usage> {
            let needed = needed_readings(&series, span);
            let line = timeline(&needed);
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
    fn a_reading_changes_no_window_beyond_its_affected_windows(
        series in series(), added in samples(), mapping in mappings(), is_replacement in any::<bool>(),
        other in samples().prop_map(|sample| sample.metadata),
    ) {
        let mut before = series;
        before.retain(|sample| sample.at != added.at);
        let mut after = before.clone();
        after.push(added.clone());
        // Or the added one replaces another, perhaps of another host.
        let replaced = Sample { metadata: other, ..added.clone() };
        before.extend(is_replacement.then_some(replaced));
        let next = before.iter().map(|sample| sample.at).filter(|at| *at > added.at).min();
        let (before, after) = (timeline(&before), timeline(&after));
        let hosts = [&before, &after].map(|line| {
            let found = line.readings().iter().find(|reading| reading.at == added.at);
            found.map(crate::billing::Reading::host)
        });
        let hosts = hosts.iter().flatten();
        let next_of_hosts = hosts.filter_map(|host| after.next_of_host(added.at, host));
        let affected = affected_windows(&mapping, added.at, next, next_of_hosts);
        for window in span("06:00", "20:00").windows() {
            let same = compute_usage(&mapping, &before, window) == compute_usage(&mapping, &after, window)
                && describe_resource(&mapping, &before, window)
                    == describe_resource(&mapping, &after, window);
            prop_assert!(same || affected.contains(&window), "{window:?} is not in {affected:?}");
        }
    }

    #[test]
    fn readings_after_a_span_s_windows_or_long_before_them_change_nothing(
        series in series(), mapping in mappings(), range in spans(),
    ) {
        let all = timeline(&series);
        let needed = needed_readings(&series, range);
        let some = timeline(&needed);
        prop_assert_eq!(compute_usage(&mapping, &all, range), compute_usage(&mapping, &some, range));
        prop_assert_eq!(
            describe_resource(&mapping, &all, range),
            describe_resource(&mapping, &some, range)
        );
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
