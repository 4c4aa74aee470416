//! Adjustments: amounts billed before, and amounts computed with late samples.

use super::*;

fn compute(basis: &Basis, all: &[(usize, &str, &[Sample])]) -> Charges {
    bill(basis, day(), all).price()
}

fn changed_windows(all: &[(&str, &str)]) -> ChangedWindows {
    let key = |(id, service): &(&str, &str)| ((*id).to_owned(), (*service).to_owned());
    all.iter().map(|pair| (key(pair), BTreeSet::from([at("10:00")]))).collect()
}

fn show(adjustments: &[Adjustment]) -> Vec<String> {
    let show =
        |Adjustment { resource_id, service, billed, computed, difference, .. }: &Adjustment| {
            format!("{resource_id} {service} {billed} {computed} {difference}")
        };
    adjustments.iter().map(show).collect()
}

#[test]
fn late_samples_are_billed_by_adjustments() {
    let basis = basis(&rate("m1", "hour", "1", ""));
    let id = Some(Uuid::from_u128(9));
    let early = states(&[("10:00", "active"), ("10:30", "stopped")]);
    let issued = compute(&basis, &[(VCPUS, "a", &early), (VCPUS, "b", &early)]);
    // Late samples: `a` ran until 12:30, `c` was unknown before, and `b` costs the same.
    let more = [
        early[0].clone(),
        with_flavor("11:00", "active", "m1"),
        with_flavor("12:00", "active", "m1"),
        with_flavor("12:30", "stopped", "m1"),
    ];
    let same = [early[0].clone(), with_flavor("10:20", "stopped", "m1")];
    let known = compute(&basis, &[(VCPUS, "a", &more), (VCPUS, "b", &same), (VCPUS, "c", &early)]);
    let changed = changed_windows(&[("a", "m1"), ("b", "m1"), ("c", "m1")]);
    let billed = BilledPeriod { order_id: id, lines: &issued.lines, adjustments: &[] };
    let first = compute_adjustments(&billed, &known.lines, &changed);
    assert_eq!(
        show(&first),
        ["a m1 1.000000 3.000000 2.000000", "c m1 0.000000 1.000000 1.000000"]
    );
    assert_eq!(
        (first[0].order_id, first[0].resource_type.as_deref()),
        (id, Some("Virtual Machine"))
    );
    assert_eq!(first[0].windows, [at("10:00")]);

    // These adjustments were billed; now it turns out that `a` was never up. Adjustments of another order
    // do not count.
    let mut earlier = first.clone();
    earlier.push(Adjustment { order_id: None, ..first[0].clone() });
    let billed = BilledPeriod { order_id: id, lines: &issued.lines, adjustments: &earlier };
    let never = compute(&basis, &[(VCPUS, "c", &early)]);
    let second =
        compute_adjustments(&billed, &never.lines, &changed_windows(&[("a", "m1"), ("c", "m1")]));
    assert_eq!(show(&second), ["a m1 3.000000 0.000000 -3.000000"]);
    assert_eq!(second[0].resource_type.as_deref(), Some("Virtual Machine"));

    // An order of this adjustment alone is a credit.
    let order = Order::new(heading(day()), &basis, Charges::default(), second);
    assert_eq!(order.total, amount("-3.00"));
}

#[test]
fn usage_before_the_first_order_was_billed_at_zero() {
    let basis = basis(&rate("m1", "hour", "1", ""));
    let up = states(&[("10:00", "active"), ("10:30", "stopped")]);
    let known = compute(&basis, &[(VCPUS, "a", &up)]);
    let all = compute_adjustments(
        &BilledPeriod::default(),
        &known.lines,
        &changed_windows(&[("a", "m1")]),
    );
    assert_eq!(show(&all), ["a m1 0.000000 1.000000 1.000000"]);
    assert_eq!(all[0].order_id, None);
}

#[test]
fn resources_are_billed_under_the_id_of_the_template() {
    let mut basis = basis(&rate("image", "byte", "1", ""));
    let rule: &mut Mapping = &mut basis.mappings[IMAGE];
    rule.resource_id = "{}-root".to_owned();
    let size = volumes(&[("10:00", "5")]);
    let charges = compute(&basis, &[(IMAGE, "vm", &size)]);
    assert_eq!(lines(&charges), ["vm-root image 5 byte 1 5.000000"]);
    assert_eq!(charges.lines[0].resource_type.as_deref(), Some("Image"));
}
