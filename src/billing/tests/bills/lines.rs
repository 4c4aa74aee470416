//! Lines: volumes, units, rates and amounts.

use super::*;

#[test]
fn hours_are_rounded_up_once_per_resource_and_service() {
    let basis = basis(&rate("m1", "hour", "0.044", ""));
    // Each of two machines is up from 10:00 to 10:20 and from 14:00 to 14:20.
    let up = states(&[
        ("10:00", "active"),
        ("10:20", "stopped"),
        ("14:00", "active"),
        ("14:20", "stopped"),
    ]);
    let charges = bill(&basis, day(), &[(VCPUS, "a", &up), (VCPUS, "b", &up)]).price();
    assert_eq!(lines(&charges), ["a m1 1 hour 0.044 0.044000", "b m1 1 hour 0.044 0.044000"]);
    let line = &charges.lines[0];
    assert_eq!((line.usage.as_str(), &line.usage_unit, line.windows), ("2400", &Unit::Second, 2));
    // Samples cover two of the five hours from 10:00 to 15:00.
    assert_eq!(line.coverage, amount("0.400000"));
    for (end, hours) in [("11:00", "1"), ("11:00:00.01", "2"), ("12:30", "3")] {
        let mut up = states(&[("10:00", "active"), ("10:50", "active"), ("11:40", "active")]);
        up.retain(|sample| sample.at < at(end));
        up.push(with_flavor(end, "stopped", "m1"));
        let charges = bill(&basis, day(), &[(VCPUS, "a", &up)]).price();
        assert_eq!(charges.lines[0].volume, hours, "{end}");
    }
}

#[test]
fn hours_can_be_exact() {
    let basis =
        basis(&format!("[billing]\nsecond_to_hour = 'exact'\n{}", rate("m1", "hour", "0.3", "")));
    let up = states(&[("10:00", "active"), ("10:20", "stopped")]);
    let charges = bill(&basis, day(), &[(VCPUS, "a", &up)]).price();
    // The amount is exactly a third of the rate, although the volume's text is rounded.
    assert_eq!(lines(&charges), ["a m1 0.3333333333333333333333333333 hour 0.3 0.100000"]);
}

#[test]
fn a_change_of_rate_splits_the_line_and_the_last_part_takes_the_rounding() {
    let (old, new) = ("to = 2026-11-20", "from = 2026-11-20");
    let basis = basis(&format!(
        "[billing]\nbilling_timezone = 'America/New_York'\n{}{}",
        rate("m1", "hour", "1", old),
        rate("m1", "hour", "2", new)
    ));
    // Midnight in New York is 05:00 in UTC; the change is between two samples of one hour.
    let up = states(&[("04:40", "active"), ("05:30", "stopped")]);
    let charges = bill(&basis, day(), &[(VCPUS, "a", &up)]).price();
    assert_eq!(
        lines(&charges),
        [
            "a m1 0.3333333333333333333333333333 hour 1 0.333333",
            "a m1 0.6666666666666666666666666667 hour 2 1.333333"
        ]
    );
    assert_eq!((charges.lines[0].to, charges.lines[1].from), (at("05:00"), at("05:00")));
    assert_eq!(charges.lines[0].from, day().from);
}

#[test]
fn a_change_of_rate_within_a_window_divides_its_volume_by_time() {
    // 18:30 in UTC is midnight in India.
    let basis = basis(&format!(
        "[billing]\nbilling_timezone = 'Asia/Kolkata'\n{}{}",
        rate("image", "byte", "1", "to = 2026-11-21"),
        rate("image", "byte", "10", "from = 2026-11-21")
    ));
    let size = volumes(&[("18:05", "8")]);
    let charges = bill(&basis, day(), &[(IMAGE, "i", &size)]).price();
    assert_eq!(lines(&charges), ["i image 4 byte 1 4.000000", "i image 4 byte 10 40.000000"]);
}

#[test]
fn bytes_become_gigabytes_exactly() {
    let basis = basis(&rate("image", "gigabyte", "1", ""));
    let of = |bytes: &str| {
        let samples = volumes(&[("10:00", bytes)]);
        lines(&bill(&basis, day(), &[(IMAGE, "i", &samples)]).price())
    };
    assert_eq!(of("1610612736"), ["i image 1.5 gigabyte 1 1.500000"]);
    assert_eq!(of("1"), ["i image 0.000000000931322574615478515625 gigabyte 1 0.000000"]);
    assert_eq!(of("0"), ["i image 0 gigabyte 1 0.000000"]);
    // Exactly half of a millionth: 2⁻³⁰ × 536.870912 = 0.0000005.
    assert_eq!(of("536.870912"), ["i image 0.0000005 gigabyte 1 0.000001"]);
    assert_eq!(of("536.8709119999999999999999999")[0].split(' ').next_back(), Some("0.000000"));
}

#[test]
fn ten_thousand_small_lines_are_not_lost() {
    let basis = basis(&rate("packets", "packet", "0.0005", ""));
    let samples = volumes(&[("10:00", "2")]);
    let mut bill = Bill::new(&basis, day());
    for resource in 0..10_000 {
        bill.add_readings(PACKETS, &resource.to_string(), &timeline(&samples), day());
    }
    let order = Order::new(heading(day()), &basis, bill.price(), Vec::new());
    assert_eq!(order.lines[0].amount, amount("0.001000"));
    assert_eq!(order.total, amount("10.00"));
}

#[test]
fn totals_are_rounded_half_up_once() {
    let of = |rates: &str| {
        let basis = basis(rates);
        let samples = volumes(&[("10:00", "1")]);
        let charges =
            bill(&basis, day(), &[(PACKETS, "a", &samples), (PACKETS, "b", &samples)]).price();
        Order::new(heading(day()), &basis, charges, Vec::new()).total.to_string()
    };
    for (price, total) in [
        ("0.0025", "0.01"),
        ("0.002499", "0.00"),
        ("0.5025", "1.01"),
        ("1.3375", "2.68"),
        ("0.0000004", "0.00"),
        ("12345678901234567890.5", "24691357802469135781.00"),
    ] {
        assert_eq!(of(&rate("packets", "packet", price, "")), total, "{price}");
    }
    let crowns = format!(
        "[billing]\ncurrency = 'CZK'\ndigits = 0\n{}",
        rate("packets", "packet", "0.25", "")
    );
    assert_eq!(of(&crowns), "1");
}

#[test]
fn an_order_without_usage_has_no_lines() {
    let basis = basis("");
    let order = Order::new(heading(day()), &basis, Bill::new(&basis, day()).price(), Vec::new());
    assert!(order.lines.is_empty() && order.unrated.is_empty());
    assert_eq!(order.total.to_string(), "0.00");
}

#[test]
fn usage_without_a_rate_is_listed_and_not_billed() {
    let basis = basis(&rate("m1", "hour", "1", "from = 2026-11-20\nto = 2026-11-21"));
    let two_days = Span::new(day().from, "2026-11-22T00:00:00Z".parse().unwrap()).unwrap();
    let mut up = states(&[("10:00", "active"), ("10:30", "stopped")]);
    let next_day = |time: &str, state| {
        let mut sample = with_flavor(time, state, "m1");
        sample.at = format!("2026-11-21T{time}:00Z").parse().unwrap();
        sample
    };
    up.extend([
        next_day("10:00", "active"),
        next_day("10:15", "stopped"),
        with_flavor("09:00", "active", "m9"),
        with_flavor("09:10", "stopped", "m9"),
    ]);
    let quiet = volumes(&[("10:00", "0")]);
    let charges = bill(&basis, two_days, &[(VCPUS, "a", &up), (PACKETS, "b", &quiet)]).price();
    assert_eq!(lines(&charges), ["a m1 1 hour 1 1.000000"]);
    // Zero usage, as of the packets, needs no rate.
    assert_eq!(unrated(&charges), ["a m1 900 second NoRate", "a m9 600 second NoRate"]);
    let order = Order::new(heading(two_days), &basis, charges, Vec::new());
    let services: Vec<String> =
        order.services_without_rate().iter().map(ToString::to_string).collect();
    assert_eq!(
        services,
        [
            "m1 from 2026-11-21T10:00:00Z to 2026-11-21T11:00:00Z",
            "m9 from 2026-11-20T09:00:00Z to 2026-11-20T10:00:00Z"
        ]
    );
    assert_eq!(order.total, amount("1.00"));
    let shown: serde_json::Value = serde_json::from_slice(&order.to_bytes().unwrap()).unwrap();
    assert_eq!(shown["unrated"][0]["rate"], serde_json::Value::Null);
    assert_eq!(shown["unrated"][0]["reason"], "no_rate");
}

#[test]
fn negative_quantities_are_neither_money_nor_a_credit() {
    let basis =
        basis(&format!("{}{}", rate("image", "byte", "1", ""), rate("packets", "packet", "1", "")));
    let size = volumes(&[("10:00", "-100"), ("11:00", "30"), ("12:00", "-5"), ("12:30", "7")]);
    let packets = volumes(&[("10:00", "5"), ("10:10", "-8"), ("10:20", "1")]);
    let charges = bill(&basis, day(), &[(IMAGE, "i", &size), (PACKETS, "p", &packets)]).price();
    assert_eq!(lines(&charges), ["i image 37 byte 1 37.000000", "p packets 6 packet 1 6.000000"]);
    assert_eq!(unrated(&charges), ["i image -100 byte Negative", "p packets -8 packet Negative"]);
    let order = Order::new(heading(day()), &basis, charges, Vec::new());
    // No rate could bill it, so it does not keep the order from being issued.
    assert_eq!(order.services_without_rate(), []);
    assert_eq!(order.total, amount("43.00"));
    let shown: serde_json::Value = serde_json::from_slice(&order.to_bytes().unwrap()).unwrap();
    assert_eq!(shown["unrated"][0]["reason"], "negative");
}

#[test]
fn a_rate_for_another_unit_is_no_rate() {
    // The check of the configuration refuses such a rate, but a flavor can have any name.
    let mut basis = basis(&rate("m1", "hour", "1", ""));
    basis.mappings[VCPUS].unit = Unit::Byte;
    let up = states(&[("10:00", "active"), ("10:30", "stopped")]);
    let charges = bill(&basis, day(), &[(VCPUS, "a", &up)]).price();
    assert_eq!((lines(&charges).len(), charges.unrated[0].reason), (0, Reason::OtherUnit));
}

#[test]
fn services_of_one_name_on_one_resource_collide_and_are_not_billed() {
    let basis =
        basis(&format!("{}{}", rate("image", "byte", "1", ""), rate("packets", "packet", "1", "")));
    let up = [with_flavor("10:00", "active", "image"), with_flavor("10:30", "stopped", "image")];
    let size = volumes(&[("10:00", "5")]);
    let all: [(usize, &str, &[Sample]); 3] =
        [(VCPUS, "a", &up), (IMAGE, "a", &size), (IMAGE, "b", &size)];
    let charges = bill(&basis, day(), &all).price();
    assert_eq!(lines(&charges), ["b image 5 byte 1 5.000000"]);
    assert_eq!(unrated(&charges), ["a image 1800 second Collision", "a image 5 byte Collision"]);
    let meters: Vec<&str> = charges.unrated.iter().map(|item| item.meter.as_str()).collect();
    assert_eq!(meters, ["vcpus", "image.size"]);
}

/// Usage of whole windows gives the same bill as the readings it was computed from.
#[test]
fn whole_windows_give_the_bill_that_their_readings_give() {
    let change = "2026-11-20";
    let basis = basis(&format!(
        "[billing]\nbilling_timezone = 'Asia/Kolkata'\n{}{}{}",
        rate("m1", "hour", "1", &format!("to = {change}")),
        rate("m1", "hour", "2", &format!("from = {change}")),
        rate("image", "gigabyte", "1", "")
    ));
    let span = Span::new("2026-11-19T12:15:00Z".parse().unwrap(), at("13:40")).unwrap();
    let mut up: Vec<Sample> = Vec::new();
    for quarter in 0..120 {
        let mut sample =
            with_flavor("00:00", if quarter % 7 == 0 { "stopped" } else { "active" }, "m1");
        sample.at = Timestamp::from_second(span.from.as_second() + quarter * 900 - 300).unwrap();
        sample.metadata = Some(Metadata::read(&format!(
            r#"{{"status": "{}", "flavor": {{"name": "m1"}}, "name": "n{quarter}"}}"#,
            if quarter % 7 == 0 { "stopped" } else { "active" }
        )));
        up.push(sample);
    }
    let size: Vec<Sample> =
        up.iter().map(|sample| Sample { volume: 1_000_000_007.into(), ..sample.clone() }).collect();
    let from_readings = bill(&basis, span, &[(VCPUS, "a", &up), (IMAGE, "i", &size)]).price();
    let mut from_windows = Bill::new(&basis, span);
    let mut divided = 0;
    for (mapping, id, samples) in [(VCPUS, "a", &up), (IMAGE, "i", &size)] {
        let (rule, line) = (&basis.mappings[mapping], timeline(samples));
        let hours = span.windows().map(|part| Span::hour_of(part.from));
        for hour in hours {
            match from_windows.add_windows(mapping, id, hour, 1, &compute_usage(rule, &line, hour))
            {
                Ok(()) => {
                    let description = describe_resource(rule, &line, hour);
                    from_windows.describe(mapping, id, hour.from, &description);
                }
                Err(DividedSpan) => {
                    divided += 1;
                    from_windows.add_readings(mapping, id, &line, hour);
                }
            }
        }
    }
    assert_eq!(from_windows.price(), from_readings);
    // The two edges of both resources, and the change of one rate.
    assert_eq!(divided, 5);
    assert_eq!(from_readings.lines.len(), 3);
    assert_eq!(from_readings.lines[0].metadata["name"], "n101");
}

#[test]
fn a_resource_is_described_by_its_first_mapping_and_its_latest_sample() {
    let mut basis =
        basis(&format!("{}{}", rate("m1", "hour", "1", ""), rate("image", "byte", "1", "")));
    basis.mappings[IMAGE].metadata = BTreeMap::from([
        ("name".to_owned(), vec!["name".to_owned()]),
        ("size".to_owned(), vec!["s".to_owned()]),
    ]);
    let up = [
        sample("10:00", "1", r#"{"status": "active", "instance_type": "m1", "name": "old"}"#),
        sample("12:10", "1", r#"{"status": "active", "instance_type": "m1"}"#),
    ];
    let size = [
        sample("11:00", "1", r#"{"name": "later", "s": 5}"#),
        sample("10:00", "1", r#"{"name": "never", "s": 4}"#),
    ];
    for all in [
        [(IMAGE, "a", &size[..]), (VCPUS, "a", &up[..])],
        [(VCPUS, "a", &up[..]), (IMAGE, "a", &size[..])],
    ] {
        let charges = bill(&basis, day(), &all).price();
        for line in &charges.lines {
            assert_eq!(line.resource_type.as_deref(), Some("Virtual Machine"));
            let fields: Vec<(&str, &str)> =
                line.metadata.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            assert_eq!(fields, [("name", "later"), ("size", "5")]);
        }
    }
}
