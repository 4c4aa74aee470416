//! The usage that each transformer computes: examples worked out by hand, and edge cases.

use super::samples::*;
use crate::billing::transform::compute_usage;
use crate::billing::{Span, Volume, VolumeTypeNames};

const UPTIME: &str = "transformer = 'uptime'\nmax_gap_s = 3600";

fn ten_to_eleven() -> Span {
    span("10:00", "11:00")
}

/// Returns the uptime in the window from 10:00 to 11:00.
fn up(samples: &[Sample]) -> Vec<String> {
    list_usage(UPTIME, samples, ten_to_eleven())
}

#[test]
fn uptime_adds_up_the_times_in_tracked_states() {
    for (all, expected) in [
        (&[("10:00", "active"), ("10:30", "stopped")][..], "m1 1800"),
        (&[("09:50", "active"), ("10:10", "active")], "m1 3600"),
        (&[("10:10", "active")], "m1 3000"),
        (
            &[("10:00", "active"), ("10:10", "stopped"), ("10:30", "active"), ("10:40", "active")],
            "m1 2400",
        ),
        (&[("09:55", "stopped"), ("10:10", "active")], "m1 3000"),
        (&[("10:00", "active"), ("10:00:00.5", "stopped")], "m1 0.5"),
    ] {
        assert_eq!(up(&states(all)), [expected], "{all:?}");
    }
    assert_eq!(up(&states(&[("10:00", "stopped")])), [""; 0]);
    assert_eq!(up(&[]), [""; 0]);
}

#[test]
fn uptime_is_per_flavor() {
    let resized = [with_flavor("10:00", "active", "m1"), with_flavor("10:30", "active", "m2")];
    assert_eq!(up(&resized), ["m1 1800", "m2 1800"]);
}

#[test]
fn a_state_holds_no_longer_than_the_gap() {
    let silent_since = states(&[("08:30", "active")]);
    assert_eq!(list_usage(UPTIME, &silent_since, span("08:00", "12:00")), ["m1 3600"]);
    assert_eq!(list_usage(UPTIME, &silent_since, span("09:00", "10:00")), ["m1 1800"]);
    assert_eq!(up(&silent_since), [""; 0]);
    let longer = "transformer = 'uptime'\nmax_gap_s = 7200";
    assert_eq!(list_usage(longer, &silent_since, span("08:00", "12:00")), ["m1 7200"]);
    // A gap in collection is not billed, even if the state before and after it is the same.
    let gap = states(&[("08:00", "active"), ("11:30", "active")]);
    assert_eq!(list_usage(UPTIME, &gap, span("08:00", "12:00")), ["m1 5400"]);
}

#[test]
fn states_are_found_under_every_key() {
    let one = |metadata: &str| up(&[sample("10:00", "1", metadata)]);
    assert_eq!(one(r#"{"status": "ACTIVE", "flavor": {"name": "f"}}"#), ["f 3600"]);
    assert_eq!(one(r#"{"status": "", "state": "Paused", "instance_type": "f"}"#), ["f 3600"]);
    assert_eq!(one(r#"{"state": "rescued", "flavor": {"id": 7}}"#), ["7 3600"]);
    assert_eq!(one(r#"{"state": "resized", "instance_flavor_id": "8"}"#), ["8 3600"]);
    assert_eq!(one(r#"{"status": "stopped", "state": "active", "instance_type": "f"}"#), [""; 0]);
    assert_eq!(one(r#"{"status": "migrating", "instance_type": "f"}"#), ["f 3600"]);
    assert_eq!(one(r#"{"instance_type": "f", "launched_at": "2026-11-20T09:00:00"}"#), ["f 3600"]);
    assert_eq!(one(r#"{"flavor_name": "f", "flavor_id": "2", "status": "active"}"#), ["f 3600"]);
    // Nothing shows whether it runs.
    assert_eq!(one(r#"{"instance_type": "f"}"#), ["unknown_state 3600"]);
    // Without a flavor, the service is the mapping's own.
    assert_eq!(one(r#"{"status": "active"}"#), ["m 3600"]);
}

#[test]
fn the_meter_state_has_codes() {
    let mut state = mapping(UPTIME);
    state.meter = "state".to_owned();
    let up = |volume: &str, metadata: &str| {
        list_usage_by(&state, &[sample("10:00", volume, metadata)], ten_to_eleven())
    };
    for (code, is_tracked) in [
        ("1", true),
        ("2", true),
        ("3", true),
        ("4", false),
        ("5", false),
        ("6", true),
        ("7", true),
        ("8", false),
        ("12", false),
        ("1.0", true),
    ] {
        assert_eq!(up(code, r#"{"instance_type": "f"}"#).len(), usize::from(is_tracked), "{code}");
    }
    for code in ["13", "0", "-1", "1.5", "79228162514264337593543950335"] {
        let unknown = format!("unknown_state.{code} 3600");
        assert_eq!(up(code, r#"{"instance_type": "f"}"#), [unknown]);
    }
    assert_eq!(up("1", ""), ["m 3600"]);
    assert_eq!(up("1", r#"{"status": "stopped"}"#), [""; 0]);
    // The volume of any other meter is not a state.
    let silent = [sample("10:00", "1", "")];
    assert_eq!(list_usage(UPTIME, &silent, ten_to_eleven()), ["unknown_state 3600"]);
}

#[test]
fn tracked_states_can_be_chosen() {
    let options =
        "transformer = 'uptime'\nmax_gap_s = 3600\ntracked_states = ['Stopped', 'SHUTOFF']";
    let all = states(&[("10:00", "stopped"), ("10:10", "active"), ("10:20", "shutoff")]);
    assert_eq!(list_usage(options, &all, ten_to_eleven()), ["m1 3000"]);
}

#[test]
fn either_vocabulary_of_states_may_be_used() {
    let one = |status: &str, vm_state: &str| {
        let metadata =
            format!(r#"{{"status": "{status}", "state": "{vm_state}", "instance_type": "f"}}"#);
        up(&[sample("10:00", "1", &metadata)])
    };
    for (status, vm_state) in [
        ("verify_resize", "resized"),
        ("RESCUE", "rescued"),
        ("reboot", "active"),
        ("hard_reboot", ""),
        ("password", "active"),
        ("build", "building"),
        ("resize", "active"),
        ("rebuild", ""),
        ("migrating", "paused"),
        ("active", "running"),
        ("frobnicated", "active"),
    ] {
        assert_eq!(one(status, vm_state), ["f 3600"], "{status} {vm_state}");
    }
    for (status, vm_state) in [
        ("shutoff", "stopped"),
        ("stopped", "shutdown"),
        ("SHELVED_OFFLOADED", "shelved_offloaded"),
        ("soft_deleted", "soft-delete"),
        ("error", "crashed"),
        // A server that is off is resized and rebuilt as well.
        ("resize", "stopped"),
        ("rebuild", "error"),
    ] {
        assert_eq!(one(status, vm_state), [""; 0], "{status} {vm_state}");
    }
    let tracked = "transformer = 'uptime'\ntracked_states = ['VERIFY_RESIZE', 'paused']";
    let all = states(&[("10:00", "resized"), ("10:10", "PAUSED"), ("10:20", "active")]);
    assert_eq!(list_usage(tracked, &all, ten_to_eleven()), ["m1 1200"]);
}

#[test]
fn a_word_that_nobody_is_known_to_use_shows_up() {
    let all = states(&[("10:00", "Frob-Nicated"), ("10:10", "active"), ("10:20", "UNKNOWN")]);
    assert_eq!(
        up(&all),
        ["m1 600", "unknown_state.frob_nicated 600", "unknown_state.unknown 2400"]
    );
    // The configuration decides.
    let tracked =
        "transformer = 'uptime'\nmax_gap_s = 3600\ntracked_states = ['active', 'frob nicated']";
    assert_eq!(
        list_usage(tracked, &all, ten_to_eleven()),
        ["m1 1200", "unknown_state.unknown 2400"]
    );
}

const MAX: &str = "transformer = 'max'\nunit = 'gigabyte'";

#[test]
fn max_is_the_greatest_volume_of_a_window_times_its_hours() {
    let one = volumes(&[("10:00", "12"), ("10:20", "3"), ("10:59:59.999999", "25")]);
    assert_eq!(list_usage(MAX, &one, ten_to_eleven()), ["m 25"]);
    let two = volumes(&[("10:30", "3"), ("11:30", "8")]);
    assert_eq!(list_usage(MAX, &two, span("10:00", "12:00")), ["m 11"]);
    assert_eq!(list_usage(MAX, &two, span("10:15", "10:45")), ["m 1.5"]);
    assert_eq!(list_usage(MAX, &two, span("10:20", "10:40")), ["m 1"]);
    assert_eq!(list_usage(MAX, &volumes(&[("10:00", "-3")]), ten_to_eleven()), ["m -3"]);
}

#[test]
fn max_without_a_sample_in_the_window_is_absent_unless_carried_over() {
    let before = volumes(&[("09:50", "7"), ("11:00", "9")]);
    assert_eq!(list_usage(MAX, &before, ten_to_eleven()), [""; 0]);
    let carried = format!("{MAX}\ncarry_over = true");
    assert_eq!(list_usage(&carried, &before, ten_to_eleven()), ["m 7"]);
    assert_eq!(list_usage(&carried, &volumes(&[("09:00", "7")]), ten_to_eleven()), [""; 0]);
    assert_eq!(
        list_usage(&carried, &volumes(&[("09:59", "7"), ("10:00", "1")]), ten_to_eleven()),
        ["m 1"]
    );
    assert_eq!(
        list_usage(&carried, &volumes(&[("09:59", "7"), ("10:01", "1")]), ten_to_eleven()),
        ["m 7"]
    );
}

#[test]
fn average_weighs_volumes_by_time() {
    let average = "transformer = 'average'\nunit = 'gigabyte'";
    let all = volumes(&[("09:50", "6"), ("10:20", "12"), ("10:40", "0")]);
    assert_eq!(list_usage(average, &all, ten_to_eleven()), ["m 6"]);
    assert_eq!(list_usage(average, &all, span("10:10", "10:30")), ["m 3"]);
    // Unknown time counts as zero.
    assert_eq!(list_usage(average, &volumes(&[("10:30", "6")]), ten_to_eleven()), ["m 3"]);
    let thirds = volumes(&[("10:00", "1"), ("10:20", "0")]);
    assert_eq!(list_usage(average, &thirds, ten_to_eleven()), ["m 0.3333333333333333333333333333"]);
}

#[test]
fn sum_adds_the_samples_of_the_window() {
    let sum = "transformer = 'sum'\nunit = 'byte'";
    let all =
        volumes(&[("09:59:59", "100"), ("10:00", "1"), ("10:59:59.999", "2"), ("11:00", "50")]);
    assert_eq!(list_usage(sum, &all, ten_to_eleven()), ["m 3"]);
    assert_eq!(list_usage(sum, &all, span("09:00", "12:00")), ["m 153"]);
    assert_eq!(list_usage(sum, &all, span("10:10", "10:50")), [""; 0]);
}

#[test]
fn cumulative_adds_increases_and_detects_restarts() {
    let cumulative = "transformer = 'cumulative'\nunit = 'byte'";
    let all = volumes(&[
        ("05:00", "10"),
        ("10:10", "50"),
        ("10:20", "5"),
        ("10:30", "20"),
        ("11:10", "21"),
    ]);
    assert_eq!(list_usage(cumulative, &all, ten_to_eleven()), ["m 60"]);
    assert_eq!(list_usage(cumulative, &all, span("11:00", "12:00")), ["m 1"]);
    assert_eq!(list_usage(cumulative, &all, span("05:00", "06:00")), ["m 0"]);
    assert_eq!(list_usage(cumulative, &all, span("06:00", "10:00")), [""; 0]);
}

#[test]
fn a_negative_volume_is_no_counter_s() {
    let options = "transformer = 'cumulative'\nunit = 'byte'";
    let all = volumes(&[("09:50", "10"), ("10:10", "-7"), ("10:20", "4"), ("10:30", "6")]);
    // The counter goes on from 0.
    assert_eq!(list_usage(options, &all, ten_to_eleven()), ["m 6", "m -7"]);
}

#[test]
fn a_counter_is_the_readings_of_one_host() {
    let options = "transformer = 'cumulative'\nunit = 'byte'";
    let of = |time, host: &str, volume| {
        sample(time, volume, &format!(r#"{{"instance_host": "{host}", "host": "hash"}}"#))
    };
    let all = [
        of("08:00", "cn-a", "100"),
        of("09:59", "cn-b", "3"),
        of("10:10", "cn-a", "101"),
        of("10:20", "cn-b", "4"),
        of("10:30", "cn-a", "1"),
        of("10:40", "cn-c", "1000"),
    ];
    // 1 and, after its restart, 1 of cn-a; 1 of cn-b; the first of cn-c only sets the start.
    assert_eq!(list_usage(options, &all, ten_to_eleven()), ["m 3"]);
}

#[test]
fn storage_is_billed_by_its_type() {
    let storage = "transformer = 'storagemax'\nunit = 'gigabyte'\nservice = 'b1'\n\
                   volume_types = { uuid-1 = 'b1.fast' }";
    let typed =
        |time, volume, of: &str| sample(time, volume, &format!(r#"{{"volume_type": "{of}"}}"#));
    assert_eq!(
        list_usage(
            storage,
            &[typed("10:00", "10", "ssd"), typed("10:30", "12", "ssd")],
            ten_to_eleven()
        ),
        ["b1.ssd 12"]
    );
    assert_eq!(
        list_usage(storage, &[typed("10:00", "10", "uuid-1")], ten_to_eleven()),
        ["b1.fast 10"]
    );
    assert_eq!(list_usage(storage, &[sample("10:00", "10", "")], ten_to_eleven()), ["b1 10"]);
    // After a change of type, the latest sample determines the type of the window.
    let retyped =
        [typed("10:00", "12", "hdd"), typed("10:40", "10", "ssd"), typed("11:00", "10", "hdd")];
    assert_eq!(list_usage(storage, &retyped, ten_to_eleven()), ["b1.ssd 12"]);
    assert_eq!(list_usage(storage, &retyped, span("10:00", "12:00")), ["b1.hdd 10", "b1.ssd 12"]);
}

#[test]
fn a_volume_type_reported_by_id_is_that_of_its_name() {
    const X: &str = "7d0f61a2-0b1c-4c77-9f39-5c6e4e1f0a01";
    const Y: &str = "7d0f61a2-0b1c-4c77-9f39-5c6e4e1f0a02";
    let of = |time, reported: &str, id: &str| {
        let id =
            if id.is_empty() { String::new() } else { format!(r#", "volume_type_id": "{id}""#) };
        sample(time, "10", &format!(r#"{{"volume_type": "{reported}"{id}}}"#))
    };
    let storage = |more: &str| {
        mapping(&format!("transformer = 'storagemax'\nunit = 'gigabyte'\nservice = 'b1'\n{more}"))
    };
    let names: VolumeTypeNames = [(Y.to_owned(), "gold".to_owned())].into_iter().collect();
    let shown = |more: &str, samples: &[Sample], hour: Span| {
        let rule = storage(more);
        let usage = compute_usage(&rule, &timeline(samples), hour);
        assert_eq!(usage.len(), 1);
        usage[0].service_by(&rule, &names).into_owned()
    };
    let hour = ten_to_eleven();
    for (samples, service) in [
        // Notifications have the id in both places.
        (vec![of("10:10", "ssd", X), of("10:20", X, X)], "b1.ssd".to_owned()),
        (vec![of("10:10", X, X), of("10:20", "ssd", X)], "b1.ssd".to_owned()),
        // Before 2025 there was no volume_type_id: an unknown id changes nothing of the type.
        (vec![of("10:10", "ssd", ""), of("10:20", X, "")], "b1.ssd".to_owned()),
        // A known one does: the volume was given another type.
        (vec![of("10:10", "ssd", ""), of("10:20", Y, "")], "b1.gold".to_owned()),
        (vec![of("10:10", "ssd", X), of("10:20", Y, Y)], "b1.gold".to_owned()),
        (vec![of("10:10", "gold", Y), of("10:20", X, X)], format!("b1.{X}")),
        // The sample before the hour still holds.
        (vec![of("09:50", "ssd", X), of("10:20", X, X)], "b1.ssd".to_owned()),
        (vec![of("09:50", "ssd", ""), sample("10:20", "10", "{}")], "b1.ssd".to_owned()),
        (vec![of("10:20", X, X)], format!("b1.{X}")),
        (vec![of("10:20", Y, Y)], "b1.gold".to_owned()),
        (vec![of("10:20", "ssd", Y)], "b1.ssd".to_owned()),
    ] {
        assert_eq!(shown("", &samples, hour), service, "{samples:?}");
    }
    // The configuration may name either.
    let by_id = format!("volume_types = {{ {X} = 'fast' }}");
    assert_eq!(shown(&by_id, &[of("10:20", X, X)], hour), "fast");
    assert_eq!(shown(&by_id, &[of("10:20", "ssd", X)], hour), "fast");
    assert_eq!(shown("volume_types = { gold = 'fast' }", &[of("10:20", Y, Y)], hour), "fast");
}

#[test]
fn a_network_service_is_billed_for_windows_in_which_it_was_active() {
    let vpn = "transformer = 'networkservice'";
    for (codes, expected) in [
        (&["1", "0", "2"][..], "m 1"),
        (&["2", "2", "2"], "m 0"),
        (&["0.5", "1.5"], "m 0"),
        (&["1.0"], "m 1"),
    ] {
        let all: Vec<Sample> = codes
            .iter()
            .enumerate()
            .map(|(n, code)| sample(&format!("10:0{n}"), code, ""))
            .collect();
        assert_eq!(list_usage(vpn, &all, ten_to_eleven()), [expected], "{codes:?}");
    }
    let all = volumes(&[("10:00", "1"), ("11:00", "0")]);
    assert_eq!(list_usage(vpn, &all, span("10:00", "12:30")), ["m 1"]);
    assert_eq!(list_usage(vpn, &volumes(&[("09:59", "1")]), ten_to_eleven()), [""; 0]);
}

#[test]
fn a_root_disk_is_billed_when_it_comes_from_an_image() {
    let image = "transformer = 'fromimage'\nunit = 'gigabyte'\nservice = 'b1'\n\
                 size_keys = ['root_gb', 'disk.size']";
    let disk = |time, metadata: &str| sample(time, "1", metadata);
    let with_image =
        |time, size: &str| disk(time, &format!(r#"{{"image_ref": "i", "root_gb": {size}}}"#));
    let sizes =
        [with_image("10:00", "20"), with_image("10:10", "\"60\""), with_image("10:20", "20")];
    assert_eq!(list_usage(image, &sizes, ten_to_eleven()), ["b1 60"]);
    assert_eq!(list_usage(image, &sizes, span("10:00", "10:30")), ["b1 30"]);
    let mut from_volume = sizes.to_vec();
    from_volume.push(disk("10:30", r#"{"image_ref": "None", "root_gb": 20}"#));
    assert_eq!(list_usage(image, &from_volume, ten_to_eleven()), [""; 0]);
    for absent in [
        r#"{"root_gb": 20}"#,
        r#"{"image_ref": null, "root_gb": 20}"#,
        r#"{"image_ref": "", "root_gb": 20}"#,
        "",
    ] {
        assert_eq!(
            list_usage(image, &[disk("10:00", absent)], ten_to_eleven()),
            [""; 0],
            "{absent}"
        );
    }
    // The first key that has a value decides; sizes that are not numbers are ignored.
    assert_eq!(
        list_usage(
            image,
            &[disk(
                "10:00",
                r#"{"image_ref": "", "image_meta": {"base_image_ref": "i"}, "root_gb": "big",
                    "disk": {"size": 4.5}}"#
            )],
            ten_to_eleven()
        ),
        ["b1 4.5"]
    );
    assert_eq!(list_usage(image, &[with_image("10:00", "\"big\"")], ten_to_eleven()), [""; 0]);
}

#[test]
fn count_is_the_time_of_windows_with_a_sample_that_passes() {
    let count = "transformer = 'count'\nfilter = { status = ['ACTIVE', 'DOWN'] }";
    let is = |time, status: &str| sample(time, "3", &format!(r#"{{"status": "{status}"}}"#));
    assert_eq!(
        list_usage(count, &[is("10:00", "DOWN"), is("10:10", "ERROR")], ten_to_eleven()),
        ["m 1"]
    );
    assert_eq!(list_usage(count, &[is("10:00", "ERROR")], ten_to_eleven()), [""; 0]);
    assert_eq!(
        list_usage(count, &[is("10:00", "DOWN"), is("11:59", "DOWN")], span("10:00", "12:15")),
        ["m 2"]
    );
}

#[test]
fn samples_that_do_not_pass_the_filter_end_the_state_before_them() {
    let of_m1 = "filter = { \"flavor.name\" = 'm1' }";
    let resized = [
        with_flavor("10:00", "active", "m1"),
        with_flavor("10:20", "active", "m2"),
        with_flavor("10:40", "active", "m1"),
    ];
    assert_eq!(list_usage(&format!("{UPTIME}\n{of_m1}"), &resized, ten_to_eleven()), ["m1 2400"]);
    let counter = format!("transformer = 'cumulative'\nunit = 'byte'\n{of_m1}");
    let mut counted = resized.to_vec();
    for (sample, volume) in counted.iter_mut().zip([10, 30, 35]) {
        sample.volume = volume.into();
    }
    assert_eq!(list_usage(&counter, &counted, ten_to_eleven()), ["m 5"]);
}

#[test]
fn coverage_is_the_time_with_a_known_state() {
    let covered = |all: &[Sample], range| {
        compute_usage(&mapping(UPTIME), &timeline(all), range)[0].covered_us
    };
    assert_eq!(
        covered(&states(&[("10:10", "active"), ("10:20", "stopped")]), ten_to_eleven()),
        3_000_000_000
    );
    assert_eq!(covered(&states(&[("09:10", "active")]), ten_to_eleven()), 600_000_000);
}

#[test]
fn the_latest_sample_with_a_value_describes_the_resource() {
    let options = "transformer = 'count'\nfilter = { ok = true }\n\
                   metadata = { name = ['display_name', 'name'], zone = ['az'] }";
    let all = [
        sample("09:30", "1", r#"{"ok": true, "name": "first", "az": "z1"}"#),
        sample("10:10", "1", r#"{"ok": true, "display_name": "second", "name": "x"}"#),
        sample("10:20", "1", r#"{"ok": true, "display_name": "", "az": null}"#),
        sample("10:30", "1", r#"{"ok": false, "name": "not this"}"#),
        sample("11:00", "1", r#"{"ok": true, "name": "later"}"#),
    ];
    let fields = |range| describe(options, &all, range).into_iter().collect::<Vec<_>>();
    let expected = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    assert_eq!(fields(ten_to_eleven()), expected(&[("name", "second"), ("zone", "z1")]));
    assert_eq!(fields(span("11:00", "12:00")), expected(&[("name", "later")]));
    assert_eq!(fields(span("13:00", "14:00")), expected(&[]));
}

#[test]
fn the_largest_volumes_do_not_overflow() {
    let max = "79228162514264337593543950335";
    let all = volumes(&[("10:00", max), ("10:20", max), ("10:40", max)]);
    let sum = compute_usage(
        &mapping("transformer = 'sum'\nunit = 'x'"),
        &timeline(&all),
        ten_to_eleven(),
    );
    assert_eq!(sum[0].volume.to_string(), "237684487542793012780631851005");
    let tiny = volumes(&[("10:00", max), ("10:20", "0.0000000000000000000000000001")]);
    let grown = compute_usage(
        &mapping("transformer = 'average'\nunit = 'x'"),
        &timeline(&tiny),
        ten_to_eleven(),
    );
    let mut expected = Volume::unit_hours(tiny[0].volume, 1_200_000_000);
    expected += &Volume::unit_hours(tiny[1].volume, 2_400_000_000);
    assert_eq!(grown[0].volume, expected);
}
