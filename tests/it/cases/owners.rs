//! Resources that are given to another project.

use serde_json::{Value, json};

use super::{assert_verified, order, polled, run_bodies, usage};

const DAY: (&str, &str) = ("2026-11-20T00:00:00", "2026-11-21T00:00:00");

fn instance() -> Value {
    json!({"status": "active", "instance_type": "m1.small", "display_name": "web"})
}

#[tokio::test]
async fn a_resource_is_billed_to_one_project_at_a_time() {
    let mut bodies = Vec::new();
    for nth in 0..24 {
        // Given away after 10:45, seen at 10:50.000001.
        let (owner, fraction) = if nth < 10 { ("old", "") } else { ("new", ".000001") };
        let at = format!("2026-11-20T{:02}:{:02}:00{fraction}", 10 + nth * 5 / 60, nth * 5 % 60);
        bodies.push(polled("vcpus", owner, "vm", &at, 1, &instance()));
        bodies.push(polled("volume.size", owner, "vol", &at, 10, &json!({"name": "v"})));
        bodies.push(polled("ip.floating", owner, "ip", &at, 1, &json!({"status": "ACTIVE"})));
    }
    bodies.push(polled(
        "vcpus",
        "new",
        "vm",
        "2026-11-20T12:00:00",
        1,
        &json!({"status": "stopped"}),
    ));
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    run_bodies(&bodies, "", async |server| {
        let old = usage(server, "old", DAY.0, DAY.1).await;
        let new = usage(server, "new", DAY.0, DAY.1).await;
        assert_eq!(
            (old, new),
            (
                vec![
                    "ip n1.ipv4 0.8333333336111111111111111111".to_owned(),
                    "vm m1.small 3000.000001".to_owned(),
                    "vol b1 8.3333333361111111111111111111".to_owned(),
                ],
                vec![
                    "ip n1.ipv4 1.1666666663888888888888888889".to_owned(),
                    "vm m1.small 4199.999999".to_owned(),
                    "vol b1 11.6666666638888888888888888889".to_owned(),
                ]
            )
        );
        for tenant in ["old", "new"] {
            order(server, tenant, "2026-11-21").await;
        }
        assert_verified(server, "").await;
    })
    .await;
}
