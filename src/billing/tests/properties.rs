//! What holds for any samples.

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;

use super::world::*;
use crate::billing::order::{Heading, Priced};
use crate::billing::settings::Settings;
use crate::billing::transform::{description, usage, usage_of_part};
use crate::billing::window::touched;
use crate::billing::{Amount, Basis, Bill, Mapping, Order, Span, Usage, Volume};

/// One of each transformer, with every option that changes what a sample reaches.
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

/// Those whose parts add up at any time, not only where windows begin.
fn additive() -> impl Strategy<Value = Mapping> {
    select(vec![ALL[0], ALL[1], ALL[4], ALL[5], ALL[6], ALL[7]]).prop_map(mapping)
}

/// Within six hours, often at whole ones.
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

fn samples() -> impl Strategy<Value = Told> {
    let texts = (
        select(vec!["active", "stopped", ""]),
        select(vec!["m1", "m2"]),
        select(vec!["\"a\"", "null"]),
        select(vec!["true", "false"]),
        select(vec!["ssd", ""]),
    );
    let volume = prop_oneof![-3..9_i64, any::<i32>().prop_map(i64::from)];
    (times(), volume, 0..20_u32, texts, any::<u16>()).prop_map(|(at, volume, scale, texts, id)| {
        let (status, flavor, name, ok, kind) = texts;
        let metadata = format!(
            r#"{{"status": "{status}", "instance_type": "{flavor}", "name": {name}, "ok": {ok},
                "volume_type": "{kind}", "image_ref": {name}, "root_gb": {volume}}}"#
        );
        let volume = rust_decimal::Decimal::from_i128_with_scale(volume.into(), scale);
        Told { volume, message_id: id.to_string(), at, ..told("08:00", "0", &metadata) }
    })
}

/// Samples of several identities; where two are of one, their ids tell them apart.
fn stories() -> impl Strategy<Value = Vec<Told>> {
    prop::collection::vec(samples(), 0..14).prop_map(|mut story| {
        for (number, it) in story.iter_mut().enumerate() {
            it.message_id = format!("{}-{number}", it.message_id);
        }
        story
    })
}

/// By service; what is nothing left out.
fn volumes_of(all: &[Usage]) -> Vec<(String, Volume)> {
    let is_some = |it: &&Usage| !it.volume.is_zero();
    all.iter().filter(is_some).map(|it| (it.service.clone(), it.volume.clone())).collect()
}

fn sum(parts: &[Vec<Usage>]) -> Vec<(String, Volume)> {
    let mut sums = std::collections::BTreeMap::<String, Volume>::new();
    for used in parts.iter().flatten() {
        *sums.entry(used.service.clone()).or_default() += &used.volume;
    }
    sums.into_iter().filter(|(_, volume)| !volume.is_zero()).collect()
}

proptest! {
    #[test]
    fn order_and_duplication_of_samples_change_nothing(
        (story, shuffled) in stories().prop_flat_map(|story| {
            let twice: Vec<Told> = story.iter().chain(&story).cloned().collect();
            (Just(story), Just(twice).prop_shuffle())
        }),
        mapping in mappings(),
        range in spans(),
    ) {
        let (once, often) = (timeline(&story), timeline(&shuffled));
        prop_assert_eq!(usage(&mapping, &once, range), usage(&mapping, &often, range));
        prop_assert_eq!(description(&mapping, &once, range), description(&mapping, &often, range));
    }

    #[test]
    fn usage_of_two_spans_adds_up_to_that_of_both(
        story in stories(), mapping in additive(), whole in spans(), cut in times(),
    ) {
        prop_assume!(whole.from < cut && cut < whole.to);
        let (a, b) = (Span::new(whole.from, cut).unwrap(), Span::new(cut, whole.to).unwrap());
        let line = timeline(&story);
        let parts = [usage(&mapping, &line, a), usage(&mapping, &line, b)];
        prop_assert_eq!(sum(&parts), volumes_of(&usage(&mapping, &line, whole)));
    }

    #[test]
    fn usage_of_windows_adds_up_to_that_of_the_span(
        story in stories(), mapping in mappings(), range in spans(),
    ) {
        let line = timeline(&story);
        let windows: Vec<_> = range.windows().map(|it| usage(&mapping, &line, it)).collect();
        let whole = usage(&mapping, &line, range);
        prop_assert_eq!(sum(&windows), volumes_of(&whole));
        let covered = whole.first().map_or(0, |it| it.covered_us);
        prop_assert!(covered <= range.us());
    }

    #[test]
    fn parts_of_a_span_add_up_whatever_the_transformer(
        story in stories(), mapping in mappings(), range in spans(), cut in times(),
    ) {
        prop_assume!(range.from < cut && cut < range.to);
        let line = timeline(&story);
        let parts = [Span::new(range.from, cut).unwrap(), Span::new(cut, range.to).unwrap()]
            .map(|part| usage_of_part(&mapping, &line, range, part));
        prop_assert_eq!(sum(&parts), volumes_of(&usage(&mapping, &line, range)));
    }

    #[test]
    fn a_reading_changes_no_window_but_those_it_is_said_to_touch(
        story in stories(), added in samples(), mapping in mappings(),
    ) {
        let mut before = story;
        before.retain(|it| it.at != added.at);
        let mut after = before.clone();
        after.push(added.clone());
        let next = before.iter().map(|it| it.at).filter(|at| *at > added.at).min();
        let touched = touched(&mapping, added.at, next);
        let (before, after) = (timeline(&before), timeline(&after));
        for window in span("06:00", "20:00").windows() {
            let same = usage(&mapping, &before, window) == usage(&mapping, &after, window)
                && description(&mapping, &before, window) == description(&mapping, &after, window);
            prop_assert!(same || touched.contains(&window), "{window:?} is not in {touched:?}");
        }
    }

    #[test]
    fn what_comes_after_a_span_or_long_before_it_changes_nothing(
        story in stories(), mapping in mappings(), range in spans(),
    ) {
        let all = timeline(&story);
        let before = story.iter().map(|it| it.at).filter(|at| *at < range.from).max();
        let needed: Vec<Told> = story
            .iter()
            .filter(|it| it.at < range.to && before.is_none_or(|before| it.at >= before))
            .cloned()
            .collect();
        let some = timeline(&needed);
        prop_assert_eq!(usage(&mapping, &all, range), usage(&mapping, &some, range));
        prop_assert_eq!(description(&mapping, &all, range), description(&mapping, &some, range));
    }

    #[test]
    fn lines_add_up_to_the_total_and_to_what_was_used(
        stories in prop::collection::vec(stories(), 1..4), range in spans(), cut in 0..6_u32,
        ceil in any::<bool>(),
    ) {
        let hours = if ceil { "ceil" } else { "exact" };
        // Half past any hour in UTC, and the hour, are midnight somewhere.
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
        for (resource, story) in stories.iter().enumerate() {
            for mapping in 0..2 {
                bill.add_readings(mapping, &resource.to_string(), &timeline(story), range);
            }
        }
        let Priced { lines, unrated } = bill.price();
        prop_assert!(unrated.is_empty());
        let amounts = Amount::sum(lines.iter().map(|line| &line.amount), 6);
        let heading = Heading {
            order_id: None, tenant_id: "t".to_owned(), name: None, span: range, position: 1,
        };
        let order = Order::new(heading, &basis, Priced { lines, unrated }, Vec::new());
        prop_assert_eq!(&order.total, &amounts.round(2));
        for line in &order.lines {
            prop_assert!(line.coverage <= "1.000000".parse().unwrap(), "{line:?}");
            prop_assert!(range.from <= line.from && line.from < line.to && line.to <= range.to);
        }
        let again: Order = serde_json::from_slice(&order.to_bytes().unwrap()).unwrap();
        prop_assert_eq!(again, order);
    }
}
