//! What each transformer makes of samples: examples worked out by hand, and the edges.

use super::world::*;
use crate::billing::transform::usage;
use crate::billing::{Span, Volume};

const UPTIME: &str = "transformer = 'uptime'";

fn ten_to_eleven() -> Span {
    span("10:00", "11:00")
}

/// Uptime of the window from 10:00 to 11:00.
fn up(told: &[Told]) -> Vec<String> {
    used(UPTIME, told, ten_to_eleven())
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
    let resized = [flavored("10:00", "active", "m1"), flavored("10:30", "active", "m2")];
    assert_eq!(up(&resized), ["m1 1800", "m2 1800"]);
}

#[test]
fn a_state_holds_no_longer_than_the_gap() {
    let stopped_telling = states(&[("08:30", "active")]);
    assert_eq!(used(UPTIME, &stopped_telling, span("08:00", "12:00")), ["m1 3600"]);
    assert_eq!(used(UPTIME, &stopped_telling, span("09:00", "10:00")), ["m1 1800"]);
    assert_eq!(up(&stopped_telling), [""; 0]);
    let longer = "transformer = 'uptime'\nmax_gap_s = 7200";
    assert_eq!(used(longer, &stopped_telling, span("08:00", "12:00")), ["m1 7200"]);
    // A gap in collection is not billed, though the state before and after it was the same.
    let gap = states(&[("08:00", "active"), ("11:30", "active")]);
    assert_eq!(used(UPTIME, &gap, span("08:00", "12:00")), ["m1 5400"]);
}

#[test]
fn states_are_found_wherever_they_are_told() {
    let one = |metadata: &str| up(&[told("10:00", "1", metadata)]);
    assert_eq!(one(r#"{"status": "ACTIVE", "flavor": {"name": "f"}}"#), ["f 3600"]);
    assert_eq!(one(r#"{"status": "", "state": "Paused", "instance_type": "f"}"#), ["f 3600"]);
    assert_eq!(one(r#"{"state": "rescued", "flavor": {"id": 7}}"#), ["7 3600"]);
    assert_eq!(one(r#"{"state": "resized", "instance_flavor_id": "8"}"#), ["8 3600"]);
    assert_eq!(one(r#"{"status": "stopped", "state": "active", "instance_type": "f"}"#), [""; 0]);
    assert_eq!(one(r#"{"status": "migrating", "instance_type": "f"}"#), [""; 0]);
    assert_eq!(one(r#"{"instance_type": "f"}"#), [""; 0]);
    // No flavor is told: the mapping's own service.
    assert_eq!(one(r#"{"status": "active"}"#), ["m 3600"]);
}

#[test]
fn the_meter_state_tells_codes() {
    let mut state = mapping("transformer = 'uptime'");
    state.meter = "state".to_owned();
    let up = |volume: &str, metadata: &str| {
        used_by(&state, &[told("10:00", volume, metadata)], ten_to_eleven())
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
        ("13", false),
        ("0", false),
        ("-1", false),
        ("1.5", false),
        ("1.0", true),
        ("79228162514264337593543950335", false),
    ] {
        assert_eq!(up(code, r#"{"instance_type": "f"}"#).len(), usize::from(is_tracked), "{code}");
    }
    assert_eq!(up("1", ""), ["m 3600"]);
    assert_eq!(up("1", r#"{"status": "stopped"}"#), [""; 0]);
    // Any other meter's volume is no state.
    assert_eq!(used(UPTIME, &[told("10:00", "1", "")], ten_to_eleven()), [""; 0]);
}

#[test]
fn tracked_states_can_be_chosen() {
    let options = "transformer = 'uptime'\ntracked_states = ['Stopped', 'SHUTOFF']";
    let all = states(&[("10:00", "stopped"), ("10:10", "active"), ("10:20", "shutoff")]);
    assert_eq!(used(options, &all, ten_to_eleven()), ["m1 3000"]);
}

const MAX: &str = "transformer = 'max'\nunit = 'gigabyte'";

#[test]
fn max_is_of_each_window_times_its_hours() {
    let one = volumes(&[("10:00", "12"), ("10:20", "3"), ("10:59:59.999999", "25")]);
    assert_eq!(used(MAX, &one, ten_to_eleven()), ["m 25"]);
    let two = volumes(&[("10:30", "3"), ("11:30", "8")]);
    assert_eq!(used(MAX, &two, span("10:00", "12:00")), ["m 11"]);
    assert_eq!(used(MAX, &two, span("10:15", "10:45")), ["m 1.5"]);
    assert_eq!(used(MAX, &two, span("10:20", "10:40")), ["m 1"]);
    assert_eq!(used(MAX, &volumes(&[("10:00", "-3")]), ten_to_eleven()), ["m -3"]);
}

#[test]
fn max_without_a_sample_in_the_window_is_nothing_unless_it_is_carried_over() {
    let before = volumes(&[("09:50", "7"), ("11:00", "9")]);
    assert_eq!(used(MAX, &before, ten_to_eleven()), [""; 0]);
    let carried = format!("{MAX}\ncarry_over = true");
    assert_eq!(used(&carried, &before, ten_to_eleven()), ["m 7"]);
    assert_eq!(used(&carried, &volumes(&[("09:00", "7")]), ten_to_eleven()), [""; 0]);
    assert_eq!(
        used(&carried, &volumes(&[("09:59", "7"), ("10:00", "1")]), ten_to_eleven()),
        ["m 1"]
    );
    assert_eq!(
        used(&carried, &volumes(&[("09:59", "7"), ("10:01", "1")]), ten_to_eleven()),
        ["m 7"]
    );
}

#[test]
fn average_weighs_volumes_by_time() {
    let average = "transformer = 'average'\nunit = 'gigabyte'";
    let all = volumes(&[("09:50", "6"), ("10:20", "12"), ("10:40", "0")]);
    assert_eq!(used(average, &all, ten_to_eleven()), ["m 6"]);
    assert_eq!(used(average, &all, span("10:10", "10:30")), ["m 3"]);
    // What is unknown counts nothing.
    assert_eq!(used(average, &volumes(&[("10:30", "6")]), ten_to_eleven()), ["m 3"]);
    let thirds = volumes(&[("10:00", "1"), ("10:20", "0")]);
    assert_eq!(used(average, &thirds, ten_to_eleven()), ["m 0.3333333333333333333333333333"]);
}

#[test]
fn sum_takes_the_window_s_own() {
    let sum = "transformer = 'sum'\nunit = 'byte'";
    let all =
        volumes(&[("09:59:59", "100"), ("10:00", "1"), ("10:59:59.999", "2"), ("11:00", "50")]);
    assert_eq!(used(sum, &all, ten_to_eleven()), ["m 3"]);
    assert_eq!(used(sum, &all, span("09:00", "12:00")), ["m 153"]);
    assert_eq!(used(sum, &all, span("10:10", "10:50")), [""; 0]);
}

#[test]
fn cumulative_adds_increases_and_knows_restarts() {
    let cumulative = "transformer = 'cumulative'\nunit = 'byte'";
    let all = volumes(&[
        ("05:00", "10"),
        ("10:10", "50"),
        ("10:20", "5"),
        ("10:30", "20"),
        ("11:10", "21"),
    ]);
    assert_eq!(used(cumulative, &all, ten_to_eleven()), ["m 60"]);
    assert_eq!(used(cumulative, &all, span("11:00", "12:00")), ["m 1"]);
    assert_eq!(used(cumulative, &all, span("05:00", "06:00")), ["m 0"]);
    assert_eq!(used(cumulative, &all, span("06:00", "10:00")), [""; 0]);
    // Below zero it is no counter.
    assert_eq!(
        used(cumulative, &volumes(&[("10:00", "5"), ("10:10", "-7")]), ten_to_eleven()),
        ["m 0"]
    );
}

#[test]
fn storage_is_billed_by_its_type() {
    let storage = "transformer = 'storagemax'\nunit = 'gigabyte'\nservice = 'b1'\n\
                   volume_types = { uuid-1 = 'b1.fast' }";
    let typed =
        |time, volume, of: &str| told(time, volume, &format!(r#"{{"volume_type": "{of}"}}"#));
    assert_eq!(
        used(storage, &[typed("10:00", "10", "ssd"), typed("10:30", "12", "ssd")], ten_to_eleven()),
        ["b1.ssd 12"]
    );
    assert_eq!(used(storage, &[typed("10:00", "10", "uuid-1")], ten_to_eleven()), ["b1.fast 10"]);
    assert_eq!(used(storage, &[told("10:00", "10", "")], ten_to_eleven()), ["b1 10"]);
    // Retyped: the latest sample says of which type the window is.
    let retyped =
        [typed("10:00", "12", "hdd"), typed("10:40", "10", "ssd"), typed("11:00", "10", "hdd")];
    assert_eq!(used(storage, &retyped, ten_to_eleven()), ["b1.ssd 12"]);
    assert_eq!(used(storage, &retyped, span("10:00", "12:00")), ["b1.hdd 10", "b1.ssd 12"]);
}

#[test]
fn a_network_service_is_billed_while_it_is_seen_active() {
    let vpn = "transformer = 'networkservice'";
    for (codes, expected) in [
        (&["1", "0", "2"][..], "m 1"),
        (&["2", "2", "2"], "m 0"),
        (&["0.5", "1.5"], "m 0"),
        (&["1.0"], "m 1"),
    ] {
        let all: Vec<Told> =
            codes.iter().enumerate().map(|(n, code)| told(&format!("10:0{n}"), code, "")).collect();
        assert_eq!(used(vpn, &all, ten_to_eleven()), [expected], "{codes:?}");
    }
    let all = volumes(&[("10:00", "1"), ("11:00", "0")]);
    assert_eq!(used(vpn, &all, span("10:00", "12:30")), ["m 1"]);
    assert_eq!(used(vpn, &volumes(&[("09:59", "1")]), ten_to_eleven()), [""; 0]);
}

#[test]
fn a_root_disk_is_billed_when_it_comes_from_an_image() {
    let image = "transformer = 'fromimage'\nunit = 'gigabyte'\nservice = 'b1'\n\
                 size_keys = ['root_gb', 'disk.size']";
    let disk = |time, metadata: &str| told(time, "1", metadata);
    let with_image =
        |time, size: &str| disk(time, &format!(r#"{{"image_ref": "i", "root_gb": {size}}}"#));
    let sizes =
        [with_image("10:00", "20"), with_image("10:10", "\"60\""), with_image("10:20", "20")];
    assert_eq!(used(image, &sizes, ten_to_eleven()), ["b1 60"]);
    assert_eq!(used(image, &sizes, span("10:00", "10:30")), ["b1 30"]);
    let mut from_volume = sizes.to_vec();
    from_volume.push(disk("10:30", r#"{"image_ref": "None", "root_gb": 20}"#));
    assert_eq!(used(image, &from_volume, ten_to_eleven()), [""; 0]);
    for absent in [
        r#"{"root_gb": 20}"#,
        r#"{"image_ref": null, "root_gb": 20}"#,
        r#"{"image_ref": "", "root_gb": 20}"#,
        "",
    ] {
        assert_eq!(used(image, &[disk("10:00", absent)], ten_to_eleven()), [""; 0], "{absent}");
    }
    // The first key that has a value decides; sizes that are no numbers are left out.
    assert_eq!(
        used(
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
    assert_eq!(used(image, &[with_image("10:00", "\"big\"")], ten_to_eleven()), [""; 0]);
}

#[test]
fn count_is_the_time_of_windows_with_a_sample_that_passes() {
    let count = "transformer = 'count'\nfilter = { status = ['ACTIVE', 'DOWN'] }";
    let is = |time, status: &str| told(time, "3", &format!(r#"{{"status": "{status}"}}"#));
    assert_eq!(used(count, &[is("10:00", "DOWN"), is("10:10", "ERROR")], ten_to_eleven()), ["m 1"]);
    assert_eq!(used(count, &[is("10:00", "ERROR")], ten_to_eleven()), [""; 0]);
    assert_eq!(
        used(count, &[is("10:00", "DOWN"), is("11:59", "DOWN")], span("10:00", "12:15")),
        ["m 2"]
    );
}

#[test]
fn samples_that_do_not_pass_the_filter_end_the_state_before_them() {
    let of_m1 = "filter = { \"flavor.name\" = 'm1' }";
    let resized = [
        flavored("10:00", "active", "m1"),
        flavored("10:20", "active", "m2"),
        flavored("10:40", "active", "m1"),
    ];
    assert_eq!(used(&format!("{UPTIME}\n{of_m1}"), &resized, ten_to_eleven()), ["m1 2400"]);
    let counter = format!("transformer = 'cumulative'\nunit = 'byte'\n{of_m1}");
    let mut counted = resized.to_vec();
    for (sample, volume) in counted.iter_mut().zip([10, 30, 35]) {
        sample.volume = volume.into();
    }
    assert_eq!(used(&counter, &counted, ten_to_eleven()), ["m 5"]);
}

#[test]
fn coverage_is_the_time_of_which_something_is_known() {
    let covered =
        |all: &[Told], range| usage(&mapping(UPTIME), &timeline(all), range)[0].covered_us;
    assert_eq!(
        covered(&states(&[("10:10", "active"), ("10:20", "stopped")]), ten_to_eleven()),
        3_000_000_000
    );
    assert_eq!(covered(&states(&[("09:10", "active")]), ten_to_eleven()), 600_000_000);
}

#[test]
fn the_latest_sample_that_says_something_describes_the_resource() {
    let options = "transformer = 'count'\nfilter = { ok = true }\n\
                   metadata = { name = ['display_name', 'name'], zone = ['az'] }";
    let all = [
        told("09:30", "1", r#"{"ok": true, "name": "first", "az": "z1"}"#),
        told("10:10", "1", r#"{"ok": true, "display_name": "second", "name": "x"}"#),
        told("10:20", "1", r#"{"ok": true, "display_name": "", "az": null}"#),
        told("10:30", "1", r#"{"ok": false, "name": "not this"}"#),
        told("11:00", "1", r#"{"ok": true, "name": "later"}"#),
    ];
    let described = |range| described(options, &all, range).into_iter().collect::<Vec<_>>();
    let is = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    };
    assert_eq!(described(ten_to_eleven()), is(&[("name", "second"), ("zone", "z1")]));
    assert_eq!(described(span("11:00", "12:00")), is(&[("name", "later")]));
    assert_eq!(described(span("13:00", "14:00")), is(&[]));
}

#[test]
fn the_largest_volumes_do_not_overflow() {
    let max = "79228162514264337593543950335";
    let all = volumes(&[("10:00", max), ("10:20", max), ("10:40", max)]);
    let sum = usage(&mapping("transformer = 'sum'\nunit = 'x'"), &timeline(&all), ten_to_eleven());
    assert_eq!(sum[0].volume.to_string(), "237684487542793012780631851005");
    let tiny = volumes(&[("10:00", max), ("10:20", "0.0000000000000000000000000001")]);
    let grown =
        usage(&mapping("transformer = 'average'\nunit = 'x'"), &timeline(&tiny), ten_to_eleven());
    let mut expected = Volume::held(tiny[0].volume, 1_200_000_000);
    expected += &Volume::held(tiny[1].volume, 2_400_000_000);
    assert_eq!(grown[0].volume, expected);
}
