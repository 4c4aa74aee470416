//! What Distil got wrong, told again, and come to the right answer.

use super::world::*;
use crate::billing::Span;

fn ten_to_eleven() -> Span {
    span("10:00", "11:00")
}

fn up(told: &[Told]) -> Vec<String> {
    used("transformer = 'uptime'", told, ten_to_eleven())
}

/// It billed the time an instance was stopped as soon as that was up again.
#[test]
fn stopped_time_is_not_billed_when_the_instance_is_up_again() {
    let all = [("10:00", "active"), ("10:10", "stopped"), ("10:30", "active"), ("10:40", "active")];
    assert_eq!(up(&states(&all)), ["m1 2400"]);
    let all = [("09:55", "stopped"), ("10:10", "active"), ("10:20", "active")];
    assert_eq!(up(&states(&all)), ["m1 3000"]);
}

/// And did not bill what was up since before its only sample in the window.
#[test]
fn the_only_sample_in_a_window_is_billed() {
    assert_eq!(up(&states(&[("09:55", "stopped"), ("10:10", "active")])), ["m1 3000"]);
    let resized = [flavored("09:59:59", "active", "a"), flavored("10:00", "active", "b")];
    assert_eq!(up(&resized), ["b 3600"]);
}

/// Samples shortly before a window told nothing unless others were in it.
#[test]
fn a_state_of_before_the_window_is_known_in_it() {
    assert_eq!(up(&states(&[("09:55", "active")])), ["m1 3300"]);
}

/// A window was divided among its flavors by their number, not by time.
#[test]
fn flavors_share_a_window_by_time() {
    assert_eq!(up(&states(&[("10:10", "active"), ("10:30", "active")])), ["m1 3000"]);
    assert_eq!(up(&states(&[("10:00", "active"), ("10:30", "stopped")])), ["m1 1800"]);
    let three = [
        flavored("10:00", "active", "a"),
        flavored("10:40", "active", "b"),
        flavored("10:50", "active", "c"),
    ];
    assert_eq!(up(&three), ["a 2400", "b 600", "c 600"]);
}

/// What ended in one hour was billed for the next one too, by ten minutes of lead-in.
#[test]
fn what_has_ended_is_not_billed_for_the_next_hour() {
    let ip = volumes(&[("08:55", "1")]);
    for transformer in
        ["'max'\nunit = 'hour'", "'count'", "'networkservice'", "'sum'\nunit = 'hour'"]
    {
        let options = format!("transformer = {transformer}");
        assert_eq!(used(&options, &ip, span("08:00", "09:00")), ["m 1"], "{options}");
        assert_eq!(used(&options, &ip, span("09:00", "10:00")), [""; 0], "{options}");
    }
}

/// A state that it did not know, or none, or `null` ended the collection of a tenant.
#[test]
fn odd_metadata_harm_no_one() {
    let odd = [
        told("10:00", "1", r#"{"status": null}"#),
        told("10:10", "1", r#"{"status": {"a": 1}}"#),
        told("10:20", "1", "not json"),
        flavored("10:30", "active", "m1"),
        told("10:45", "1", r#"{"flavor": null, "status": ["active"]}"#),
    ];
    assert_eq!(up(&odd), ["m1 900"]);
}

/// Status codes were compared with `< 2` alone.
#[test]
fn a_status_is_active_or_it_is_not() {
    let vpn = |codes: &[(&str, &str)]| {
        used("transformer = 'networkservice'", &volumes(codes), ten_to_eleven())
    };
    assert_eq!(vpn(&[("10:00", "0.5"), ("10:10", "1.5")]), ["m 0"]);
    assert_eq!(vpn(&[("10:00", "-1")]), ["m 0"]);
}

/// Metadata came from the last sample alone, and an empty value counted.
#[test]
fn values_of_earlier_samples_and_further_keys_are_seen() {
    let all =
        [told("10:00", "1", r#"{"name": "web"}"#), told("10:30", "1", r#"{"display_name": ""}"#)];
    let options = "transformer = 'count'\nmetadata = { name = ['display_name', 'name'] }";
    assert_eq!(described(options, &all, ten_to_eleven())["name"], "web");
}
