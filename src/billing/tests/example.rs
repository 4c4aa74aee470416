//! The built-in example bills the meters that a default cloud's pollsters and notifications report.

use jiff::Timestamp;

use super::samples::*;
use crate::billing::order::Heading;
use crate::billing::{Basis, Bill, Order, Settings, Span};

const INSTANCE: &str = r#"{"display_name": "web-1", "name": "instance-00000001",
    "instance_type": "m1.tiny", "instance_host": "compute-01", "flavor": {"id": "1",
    "name": "m1.tiny", "vcpus": 1, "ram": 512, "disk": 1}, "status": "active", "state": "running",
    "image": {"id": "i"}, "image_ref": "i", "root_gb": 1, "disk_gb": 1}"#;
const FROM_VOLUME: &str =
    r#"{"display_name": "web-2", "image": null, "image_ref": null, "root_gb": 9}"#;
const PORT: &str = r#"{"display_name": "web-1", "name": "tap1", "vnic_name": "tap1"}"#;

/// Six samples, ten minutes apart from 10:00 on, of a volume that grows by a step.
fn polled(first: i64, step: i64, metadata: &str) -> Vec<Sample> {
    let sample = |n: i64| Sample {
        volume: (first + n * step).into(),
        ..sample(&format!("10:{n}0"), "0", metadata)
    };
    (0..6).map(sample).collect()
}

#[test]
fn a_cloud_s_meters_make_a_bill() {
    let settings = Settings::default();
    let day = Span::hour_of(at("10:00"));
    let basis = Basis::of(&settings, day);
    let gib = 1 << 30;
    let volume = r#"{"name": "data", "volume_type": "ssd", "status": "in-use"}"#;
    let all = [
        ("vcpus", "vm", polled(1, 0, INSTANCE)),
        ("disk.root.size", "vm", polled(1, 0, INSTANCE)),
        ("disk.root.size", "vm-2", polled(9, 0, FROM_VOLUME)),
        ("volume.size", "vol", polled(100, 0, volume)),
        ("volume.size", "old", polled(10, 0, r#"{"name": "old"}"#)),
        ("image.size", "img", polled(2 * gib, 0, r#"{"name": "snapshot"}"#)),
        // The volume of this meter is a status.
        ("ip.floating", "ip", polled(3, 0, r#"{"floating_ip_address": "203.0.113.7"}"#)),
        ("router", "r", vec![sample("09:59", "1", r#"{"name": "router-1"}"#)]),
        ("network.incoming.bytes", "instance-00000001-vm-tap1", polled(0, gib, PORT)),
        ("network.outgoing.bytes", "instance-00000001-vm-tap1", polled(0, 2 * gib, PORT)),
        ("bandwidth", "label", polled(gib, 0, r#"{"label_id": "label"}"#)),
        (
            "storage.containers.objects.size",
            "p/photos",
            polled(gib / 2, 0, r#"{"storage_policy": "Policy-0"}"#),
        ),
    ];
    let mut bill = Bill::new(&basis, day);
    for (meter, resource_id, samples) in &all {
        let mapping = basis.mappings.iter().position(|mapping| mapping.meter == *meter);
        bill.add_readings(mapping.unwrap(), resource_id, &timeline(samples), day);
    }
    let heading = Heading {
        order_id: None,
        tenant_id: "t".to_owned(),
        name: None,
        span: Span { from: day.from, to: Timestamp::MAX },
        position: 1,
    };
    let order = Order::new(heading, &basis, bill.price(), Vec::new());
    let shown: Vec<String> = order
        .lines
        .iter()
        .map(|line| {
            let name = line.metadata.get("name").or(line.metadata.get("ip address"));
            let kind = line.resource_type.as_deref().unwrap_or_default();
            let name = name.map_or("", String::as_str);
            format!("{kind} {name}: {} {} {} {}", line.service, line.volume, line.unit, line.amount)
        })
        .collect();
    assert_eq!(
        shown,
        [
            "Image snapshot: i1.image 2 gigabyte 0.000100",
            "Port web-1: n1.traffic-in 5 gigabyte 0.000000",
            "Port web-1: n1.traffic-out 10 gigabyte 0.100000",
            "Floating IP 203.0.113.7: n1.ipv4 1 hour 0.005000",
            "Traffic Label : n1.label-traffic 6 gigabyte 0.060000",
            "Volume old: b1 10 gigabyte 0.001000",
            "Object Storage Container : o1.standard 0.5 gigabyte 0.000015",
            "Router router-1: n1.router 1 hour 0.010000",
            "Virtual Machine web-1: m1.tiny 1 hour 0.006000",
            "Root Disk web-1: b1.root 1 gigabyte 0.000080",
            "Volume data: b1.ssd 100 gigabyte 0.025000",
        ]
    );
    assert!(order.unrated.is_empty(), "{:?}", order.unrated);
    assert_eq!(order.total.to_string(), "0.21");
}
