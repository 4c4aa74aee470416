//! Adjustments: what was billed, and what the late samples make of it.

use super::*;

fn computed(basis: &Basis, all: &[(usize, &str, &[Told])]) -> Priced {
    bill(basis, day(), all).price()
}

fn touched(all: &[(&str, &str)]) -> Touched {
    let key = |(id, service): &(&str, &str)| ((*id).to_owned(), (*service).to_owned());
    all.iter().map(|it| (key(it), BTreeSet::from([at("10:00")]))).collect()
}

fn shown(adjustments: &[Adjustment]) -> Vec<String> {
    let shown = adjustments.iter().map(|it| {
        format!("{} {} {} {} {}", it.resource_id, it.service, it.billed, it.computed, it.difference)
    });
    shown.collect()
}

#[test]
fn late_samples_are_billed_by_adjustments() {
    let basis = basis(&rate("m1", "hour", "1", ""));
    let id = Some(Uuid::from_u128(9));
    let early = states(&[("10:00", "active"), ("10:30", "stopped")]);
    let issued = computed(&basis, &[(VCPUS, "a", &early), (VCPUS, "b", &early)]);
    // Late: `a` went on until 12:30, `c` was not known at all; of `b` nothing that costs.
    let more = [
        early[0].clone(),
        flavored("11:00", "active", "m1"),
        flavored("12:00", "active", "m1"),
        flavored("12:30", "stopped", "m1"),
    ];
    let same = [early[0].clone(), flavored("10:20", "stopped", "m1")];
    let known = computed(&basis, &[(VCPUS, "a", &more), (VCPUS, "b", &same), (VCPUS, "c", &early)]);
    let touch = touched(&[("a", "m1"), ("b", "m1"), ("c", "m1")]);
    let billed = Billed { order_id: id, lines: &issued.lines, adjustments: &[] };
    let first = adjustments(&billed, &known.lines, &touch);
    assert_eq!(
        shown(&first),
        ["a m1 1.000000 3.000000 2.000000", "c m1 0.000000 1.000000 1.000000"]
    );
    assert_eq!(
        (first[0].order_id, first[0].resource_type.as_deref()),
        (id, Some("Virtual Machine"))
    );
    assert_eq!(first[0].windows, [at("10:00")]);

    // Billed by that; now it turns out that `a` was never up. Another order's adjustments are its
    // own.
    let mut earlier = first.clone();
    earlier.push(Adjustment { order_id: None, ..first[0].clone() });
    let billed = Billed { order_id: id, lines: &issued.lines, adjustments: &earlier };
    let never = computed(&basis, &[(VCPUS, "c", &early)]);
    let second = adjustments(&billed, &never.lines, &touched(&[("a", "m1"), ("c", "m1")]));
    assert_eq!(shown(&second), ["a m1 3.000000 0.000000 -3.000000"]);
    assert_eq!(second[0].resource_type.as_deref(), Some("Virtual Machine"));

    // Nothing but that: a credit.
    let order = Order::new(heading(day()), &basis, Priced::default(), second);
    assert_eq!(order.total, amount("-3.00"));
}

#[test]
fn what_lies_before_the_first_order_was_billed_nothing() {
    let basis = basis(&rate("m1", "hour", "1", ""));
    let up = states(&[("10:00", "active"), ("10:30", "stopped")]);
    let known = computed(&basis, &[(VCPUS, "a", &up)]);
    let all = adjustments(&Billed::default(), &known.lines, &touched(&[("a", "m1")]));
    assert_eq!(shown(&all), ["a m1 0.000000 1.000000 1.000000"]);
    assert_eq!(all[0].order_id, None);
}

#[test]
fn resources_are_billed_under_the_id_that_the_template_makes() {
    let mut basis = basis(&rate("image", "byte", "1", ""));
    let rule: &mut Mapping = &mut basis.mappings[IMAGE];
    rule.resource_id = "{}-root".to_owned();
    let size = volumes(&[("10:00", "5")]);
    let priced = computed(&basis, &[(IMAGE, "vm", &size)]);
    assert_eq!(lines(&priced), ["vm-root image 5 byte 1 5.000000"]);
    assert_eq!(priced.lines[0].resource_type.as_deref(), Some("Image"));
}
