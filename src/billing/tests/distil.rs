//! Cases that Distil computed wrongly, with the right answer.

use super::samples::*;
use crate::billing::Span;

fn ten_to_eleven() -> Span {
    span("10:00", "11:00")
}

fn up(samples: &[Sample]) -> Vec<String> {
    list_usage("transformer = 'uptime'\nmax_gap_s = 3600", samples, ten_to_eleven())
}

/// Distil billed the time an instance was stopped, once the instance was up again.
#[test]
fn stopped_time_is_not_billed_when_the_instance_is_up_again() {
    let all = [("10:00", "active"), ("10:10", "stopped"), ("10:30", "active"), ("10:40", "active")];
    assert_eq!(up(&states(&all)), ["m1 2400"]);
    let all = [("09:55", "stopped"), ("10:10", "active"), ("10:20", "active")];
    assert_eq!(up(&states(&all)), ["m1 3000"]);
}

/// Distil did not bill an instance's time before its only sample in the window.
#[test]
fn the_only_sample_in_a_window_is_billed() {
    assert_eq!(up(&states(&[("09:55", "stopped"), ("10:10", "active")])), ["m1 3000"]);
    let resized = [with_flavor("09:59:59", "active", "a"), with_flavor("10:00", "active", "b")];
    assert_eq!(up(&resized), ["b 3600"]);
}

/// Distil ignored a sample shortly before a window, unless there were others in it.
#[test]
fn a_state_from_before_the_window_holds_in_it() {
    assert_eq!(up(&states(&[("09:55", "active")])), ["m1 3300"]);
}

/// Distil divided a window among its flavors by their number, not by time.
#[test]
fn flavors_share_a_window_by_time() {
    assert_eq!(up(&states(&[("10:10", "active"), ("10:30", "active")])), ["m1 3000"]);
    assert_eq!(up(&states(&[("10:00", "active"), ("10:30", "stopped")])), ["m1 1800"]);
    let three = [
        with_flavor("10:00", "active", "a"),
        with_flavor("10:40", "active", "b"),
        with_flavor("10:50", "active", "c"),
    ];
    assert_eq!(up(&three), ["a 2400", "b 600", "c 600"]);
}

/// Distil billed a resource that ended in one hour for the next hour too, because of ten minutes of lead-in.
#[test]
fn a_resource_that_has_ended_is_not_billed_for_the_next_hour() {
    let ip = volumes(&[("08:55", "1")]);
    for transformer in
        ["'max'\nunit = 'hour'", "'count'", "'networkservice'", "'sum'\nunit = 'hour'"]
    {
        let options = format!("transformer = {transformer}");
        assert_eq!(list_usage(&options, &ip, span("08:00", "09:00")), ["m 1"], "{options}");
        assert_eq!(list_usage(&options, &ip, span("09:00", "10:00")), [""; 0], "{options}");
    }
}

/// An unknown, absent or `null` state made Distil end the collection of a tenant.
#[test]
fn odd_metadata_does_no_harm() {
    let odd = [
        sample("10:00", "1", r#"{"status": null}"#),
        sample("10:10", "1", r#"{"status": {"a": 1}}"#),
        sample("10:20", "1", "not json"),
        with_flavor("10:30", "active", "m1"),
        sample("10:45", "1", r#"{"flavor": null, "status": ["active"]}"#),
    ];
    // A sample that reports no state does not end the state before it.
    assert_eq!(up(&odd), ["m1 1800", "unknown_state 1800"]);
}

/// Distil compared status codes only with `< 2`.
#[test]
fn a_status_is_active_or_it_is_not() {
    let vpn = |codes: &[(&str, &str)]| {
        list_usage("transformer = 'networkservice'", &volumes(codes), ten_to_eleven())
    };
    assert_eq!(vpn(&[("10:00", "0.5"), ("10:10", "1.5")]), ["m 0"]);
    assert_eq!(vpn(&[("10:00", "-1")]), ["m 0"]);
}

/// Distil took metadata only from the last sample, and an empty value counted.
#[test]
fn values_of_earlier_samples_and_further_keys_are_found() {
    let all = [
        sample("10:00", "1", r#"{"name": "web"}"#),
        sample("10:30", "1", r#"{"display_name": ""}"#),
    ];
    let options = "transformer = 'count'\nmetadata = { name = ['display_name', 'name'] }";
    assert_eq!(describe(options, &all, ten_to_eleven())["name"], "web");
}
