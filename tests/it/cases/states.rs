//! States of instances: in which words and by which meters they are reported.

use serde_json::{Value, json};

use super::{assert_verified, draft, order, polled, run, run_bodies, usage};

const DAY: (&str, &str) = ("2026-11-20T00:00:00", "2026-11-21T00:00:00");

/// The time of a minute after 10:00.
fn minute(minute: u32) -> String {
    format!("2026-11-20T{:02}:{:02}:00", 10 + minute / 60, minute % 60)
}

/// Metadata of a polled sample, with a status.
fn status(status: &str) -> Value {
    json!({
        "status": status, "instance_type": "m1.small", "display_name": "web", "image_ref": "img",
        "flavor": {"id": "2", "name": "m1.small", "disk": 20, "ephemeral": 0}, "root_gb": 20,
    })
}

/// Metadata of a sample that Ceilometer makes of a notification.
fn notification() -> Value {
    json!({
        "flavor_id": "2", "flavor_name": "m1.small", "display_name": "web", "image_ref": "img",
        "launched_at": "2026-11-20T09:00:00.000000", "host": "cn-a",
    })
}

#[tokio::test]
async fn an_instance_known_by_notifications_only_is_billed_from_launch_to_deletion() {
    run("01-vcpus-from-notifications-only", async |server| {
        let id = "70d7d855-179d-5313-b583-64f4635b9e95";
        let used = usage(server, "t01", DAY.0, DAY.1).await;
        let root = format!("{id}-root b1.root 70");
        // From the first sample, 1.1 s after the launch, to `deleted_at`.
        assert_eq!(used, [format!("{id} m1.small 12568.9"), root]);
        let order = order(server, "t01", "2026-11-21").await;
        assert_eq!(order["unrated"], json!([]));
        assert_verified(server, "").await;
    })
    .await;
}

#[tokio::test]
async fn a_status_may_be_the_api_s_word() {
    run("03-status-as-the-nova-api-says-it", async |server| {
        let used = usage(server, "t03", "2026-11-20T10:00:00", "2026-11-20T11:00:00").await;
        let expected = [
            "active",
            "build",
            "hard_reboot",
            "migrating",
            "password",
            "reboot",
            "rebuild",
            "rescue",
            "resize",
            "verify_resize",
        ];
        assert_eq!(used, expected.map(|resource| format!("{resource} m1.small 3600")));
    })
    .await;
}

#[tokio::test]
async fn samples_without_a_state_between_polls_change_nothing() {
    let mut bodies: Vec<String> = (0..=24)
        .map(|nth| {
            let state = if nth < 24 { "active" } else { "stopped" };
            polled("vcpus", "t", "vm", &minute(nth * 5), 1, &status(state))
        })
        .collect();
    // Audits and changes, between polls and at the time of one.
    for at in ["10:00:31", "10:07:00", "10:20:00", "11:00:12", "11:33:07"] {
        bodies.push(polled(
            "memory",
            "t",
            "vm",
            &format!("2026-11-20T{at}"),
            2048,
            &notification(),
        ));
        bodies.push(polled("vcpus", "t", "vm", &format!("2026-11-20T{at}.5"), 1, &notification()));
    }
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    run_bodies(&bodies, "", async |server| {
        assert_eq!(usage(server, "t", DAY.0, DAY.1).await, ["vm m1.small 7200"]);
        let half = usage(server, "t", "2026-11-20T10:10:00", "2026-11-20T11:40:00").await;
        assert_eq!(half, ["vm m1.small 5400"]);
        order(server, "t", "2026-11-21").await;
        assert_verified(server, "").await;
    })
    .await;
}

#[tokio::test]
async fn a_stop_is_known_from_any_meter() {
    // Of a stopped instance, only the disk sizes are polled.
    let mut bodies = Vec::new();
    for nth in 0..=36 {
        let state = status(if nth <= 12 { "active" } else { "stopped" });
        for meter in ["vcpus", "cpu", "disk.root.size", "disk.ephemeral.size"] {
            if nth <= 12 || meter.starts_with("disk.") {
                bodies.push(polled(meter, "t", "vm", &minute(nth * 5), 1, &state));
            }
        }
    }
    // The audit repeats what was reported.
    bodies.push(polled("vcpus", "t", "vm", "2026-11-20T12:00:12", 1, &notification()));
    bodies.push(polled("memory", "t", "vm", "2026-11-20T12:00:12", 1, &notification()));
    let bodies: Vec<&str> = bodies.iter().map(String::as_str).collect();
    run_bodies(&bodies, "", async |server| {
        let used = usage(server, "t", DAY.0, DAY.1).await;
        // Stopped after 11:00, seen at 11:05.
        assert_eq!(used[0], "vm m1.small 3900");
        order(server, "t", "2026-11-21").await;
        assert_verified(server, "").await;
    })
    .await;
}

#[tokio::test]
async fn an_instance_whose_state_nobody_reports_shows_up() {
    let frobnicated = status("frobnicated");
    let bodies = [
        polled("vcpus", "t", "vm", &minute(0), 1, &frobnicated),
        polled("vcpus", "t", "vm", &minute(10), 1, &status("stopped")),
        polled("vcpus", "t", "dark", &minute(0), 1, &json!({"display_name": "dark"})),
    ];
    run_bodies(&bodies.each_ref().map(String::as_str), "", async |server| {
        let draft = draft(server, "t", "2026-11-21").await;
        let unrated = draft["unrated"].as_array().unwrap();
        let shown: Vec<String> = unrated
            .iter()
            .map(|item| format!("{} {} {}", item["service"], item["volume"], item["reason"]))
            .collect();
        assert_eq!(
            shown,
            [
                r#""unknown_state" "4200" "unknown_state""#,
                r#""unknown_state.frobnicated" "600" "unknown_state""#,
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn the_flavor_s_disk_is_the_root_disk() {
    let mut metadata = status("active");
    metadata["flavor"] = json!({"name": "m1.small", "disk": 20, "ephemeral": 100});
    metadata["root_gb"] = json!(-80);
    let body = polled("disk.root.size", "t", "vm", &minute(0), 0, &metadata);
    run_bodies(&[&body], "", async |server| {
        assert_eq!(usage(server, "t", DAY.0, DAY.1).await, ["vm-root b1.root 20"]);
    })
    .await;
}
