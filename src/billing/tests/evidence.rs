//! Evidence beside the readings of a meter: samples of other meters and projects, ends, and samples that report
//! no state.

use super::samples::*;
use crate::billing::Span;
use crate::billing::reading::Timeline;
use crate::billing::transform::{changed_windows, source_readings};

fn ten_to_eleven() -> Span {
    span("10:00", "11:00")
}

/// A sample that Ceilometer makes of a notification.
fn notified(time: &str) -> Sample {
    sample(
        time,
        "1",
        r#"{"flavor_name": "m1", "flavor_id": "2", "launched_at": "2026-11-20T08:00:00.000000"}"#,
    )
}

fn deleted(time: &str, deleted_at: &str) -> Sample {
    sample(
        time,
        "1",
        &format!(
            r#"{{"flavor_name": "m1", "launched_at": "2026-11-20T08:00:00", "deleted_at": "{deleted_at}"}}"#
        ),
    )
}

#[test]
fn a_sample_without_a_state_changes_nothing_of_a_state_that_holds() {
    let uptime = "transformer = 'uptime'";
    let mut all = states(&[("10:00", "active"), ("10:20", "active"), ("10:40", "stopped")]);
    all.extend(["10:05", "10:30", "10:45"].map(notified));
    assert_eq!(list_usage(uptime, &all, ten_to_eleven()), ["m1 2400"]);
    // Where the state has run out, it is repeated; a stopped instance does not start.
    let mut all = states(&[("10:00", "active")]);
    all.push(notified("10:50"));
    assert_eq!(list_usage(uptime, &all, span("10:00", "12:00")), ["m1 6000"]);
    let mut all = states(&[("10:00", "stopped")]);
    all.push(notified("10:50"));
    assert_eq!(list_usage(uptime, &all, span("10:00", "12:00")), [""; 0]);
    // Without any state within reach, an instance that was launched runs.
    assert_eq!(list_usage(uptime, &[notified("10:50")], span("10:00", "13:00")), ["m1 4200"]);
}

#[test]
fn state_flavor_and_end_come_from_any_meter() {
    let uptime = "transformer = 'uptime'";
    let used = |own: &[Sample], others: &[Sample]| {
        list_usage_with(uptime, own, others, &[], span("10:00", "13:00"))
    };
    let counted = [sample("10:00", "1", ""), sample("10:30", "1", "")];
    let others = [
        with_flavor("10:00", "active", "m1"),
        with_flavor("10:10", "active", "m2"),
        with_flavor("10:20", "stopped", "m2"),
    ];
    assert_eq!(used(&counted, &others), ["m1 600", "m2 600"]);
    // Measured at 10:30 for the last time, an instance counts no longer than its evidence.
    let long: Vec<Sample> = ["10:00", "10:30", "11:00", "11:30", "12:00"]
        .map(|time| with_flavor(time, "active", "m1"))
        .into();
    assert_eq!(used(&counted, &long), ["m1 6000"]);
    let ended = [with_flavor("10:00", "active", "m1"), deleted("10:26", "2026-11-20T10:25:00")];
    assert_eq!(used(&counted[..1], &ended), ["m1 1500"]);
    // A sample of another meter that reports nothing begins no new life.
    let ended = [deleted("10:10", "2026-11-20T10:10:00"), sample("10:20", "1", "")];
    assert_eq!(used(&[with_flavor("10:00", "active", "m1")], &ended), ["m1 600"]);
    // Samples of other meters alone measure nothing.
    assert_eq!(used(&[], &others), [""; 0]);
}

#[test]
fn nothing_is_used_after_an_end() {
    let uptime = "transformer = 'uptime'";
    let life = [notified("10:00"), notified("11:00"), deleted("11:30", "2026-11-20T11:29:59.5")];
    assert_eq!(list_usage(uptime, &life, span("10:00", "14:00")), ["m1 5399.5"]);
    assert_eq!(
        list_usage(uptime, &[deleted("11:30", "2026-10-01T00:00:00")], span("10:00", "14:00")),
        [""; 0]
    );
    // The end is reported in the next window, and the deleting machine's clock may be ahead.
    let late = [notified("10:00"), deleted("11:00", "2026-11-20T10:59:00")];
    assert_eq!(list_usage(uptime, &late, ten_to_eleven()), ["m1 3540"]);
    let ahead = [notified("10:00"), deleted("10:30", "2026-11-20T10:30:01")];
    assert_eq!(list_usage(uptime, &ahead, ten_to_eleven()), ["m1 1800"]);
    for options in [
        "transformer = 'count'",
        "transformer = 'networkservice'",
        "transformer = 'max'\nunit = 'x'",
        "transformer = 'average'\nunit = 'x'",
        "transformer = 'storagemax'\nunit = 'x'",
    ] {
        let all = [
            notified("10:00"),
            deleted("10:30", "2026-11-20T10:15:00"),
            deleted("12:30", "2026-11-20T10:15:00"),
        ];
        assert_eq!(list_usage(options, &all, span("10:00", "14:00")), ["m 0.25"], "{options}");
    }
    // A sample after it begins a new life.
    let again = [notified("10:00"), deleted("10:15", "2026-11-20T10:15:00"), notified("10:30")];
    assert_eq!(list_usage("transformer = 'count'", &again, ten_to_eleven()), ["m 0.75"]);
}

#[test]
fn a_sample_of_another_project_ends_what_is_used() {
    let all = states(&[("10:00", "active"), ("10:20", "active")]);
    let used =
        |options: &str| list_usage_with(options, &all, &[], &["10:30"], span("10:00", "12:00"));
    assert_eq!(used("transformer = 'uptime'"), ["m1 1800"]);
    assert_eq!(used("transformer = 'count'\ncarry_over = true"), ["m 0.5"]);
    assert_eq!(used("transformer = 'average'\nunit = 'x'"), ["m 0.5"]);
    assert_eq!(used("transformer = 'sum'\nunit = 'x'"), ["m 2"]);
}

#[test]
fn a_window_that_depends_on_other_readings_than_before_is_changed() {
    let mapping = mapping("transformer = 'average'\nunit = 'x'\nmax_gap_s = 9000");
    let all = [notified("11:00"), deleted("11:13", "2026-11-20T09:09:00")];
    let noon = span("12:00", "13:00");
    let foreign = |timeline: &Timeline<'_>| source_readings(&mapping, timeline, noon).foreign.len();
    let before = timeline_with(&all[1..], &[], &[at("10:00")]);
    let after = timeline_with(&all, &[], &[at("10:00")]);
    // The reading of another project no longer counts, since one of this project's followed it.
    assert_eq!((foreign(&before), foreign(&after)), (1, 0));
    assert!(changed_windows(&mapping, &after, &after.changes_from(&before)).contains(&noon));
}
