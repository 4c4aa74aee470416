//! Orders: their bytes, and their basis.

use super::*;

fn small_order(order_id: Option<Uuid>) -> (Basis, Order) {
    let basis = basis(&format!(
        "{}{}",
        rate("m1", "hour", "0.044", ""),
        rate("packets", "packet", "0.01", "")
    ));
    let mut up = states(&[
        ("10:00", "active"),
        ("13:10", "stopped"),
        ("10:50", "active"),
        ("11:40", "active"),
        ("12:30", "active"),
    ]);
    for sample in &mut up {
        let state = if sample.at == at("13:10") { "stopped" } else { "active" };
        sample.metadata = Some(Metadata::read(&format!(
            r#"{{"name": "web", "state": "{state}", "instance_type": "m1"}}"#
        )));
    }
    let traffic = volumes(&[("10:00", "1.25")]);
    let other = [with_flavor("10:00", "active", "m7"), with_flavor("10:01", "stopped", "m7")];
    let all: [(usize, &str, &[Sample]); 3] =
        [(VCPUS, "vm-1", &up), (PACKETS, "vm-1", &traffic), (VCPUS, "vm-2", &other)];
    let heading = Heading { order_id, name: Some("alpha".to_owned()), ..heading(day()) };
    let adjustment = Adjustment {
        order_id: Some(Uuid::from_u128(1)),
        resource_id: "vm-0".to_owned(),
        resource_type: Some("Virtual Machine".to_owned()),
        service: "m1".to_owned(),
        windows: vec!["2026-11-19T10:00:00Z".parse().unwrap()],
        billed: amount("0.044000"),
        computed: amount("0.000000"),
        difference: amount("-0.044000"),
    };
    let charges = bill(&basis, day(), &all).price();
    let order = Order::new(heading, &basis, charges, vec![adjustment]);
    (basis, order)
}

#[test]
fn an_order_has_distil_s_nesting_and_our_fields() {
    let (_, order) = small_order(Some(Uuid::from_u128(2)));
    let json: serde_json::Value = serde_json::from_slice(&order.to_bytes().unwrap()).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&json).unwrap());
}

#[test]
fn an_order_read_again_has_the_same_bytes() {
    let (basis, order) = small_order(Some(Uuid::from_u128(2)));
    let bytes = order.to_bytes().unwrap();
    let again: Order = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(again, order);
    assert_eq!(again.to_bytes().unwrap(), bytes);
    let recorded = serde_json::to_vec(&basis).unwrap();
    let basis_again: Basis = serde_json::from_slice(&recorded).unwrap();
    assert_eq!(basis_again, basis);
    assert_eq!(serde_json::to_vec(&basis_again).unwrap(), recorded);
}

#[test]
fn a_draft_is_the_order_except_for_its_id() {
    let ((_, draft), (_, order)) = (small_order(None), small_order(Some(Uuid::from_u128(2))));
    assert_eq!(draft.lines, order.lines);
    assert_eq!(Order { order_id: order.order_id, ..draft }, order);
}

#[test]
fn a_basis_keeps_only_the_rates_of_its_span() {
    let text = format!(
        "{MAPPINGS}{}{}",
        rate("m1", "hour", "1", "to = 2026-11-20"),
        rate("m1", "hour", "2", "from = 2026-11-20")
    );
    let settings = Settings::read(toml::from_str(&text).unwrap(), &text, None).unwrap();
    assert_eq!(Basis::of(&settings, day()).rates.iter().count(), 1);
}
