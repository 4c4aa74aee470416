//! Samples of things that were deleted.

use serde_json::json;

use super::{assert_verified, order, polled, run, run_bodies, usage};

#[tokio::test]
async fn an_audit_of_a_deleted_instance_is_no_use() {
    let config = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/fixtures/cases/07-instance-exists-after-it-was-deleted.toml"
    ));
    run("07-instance-exists-after-it-was-deleted", async |server| {
        let used = usage(server, "t07", "2026-11-01T00:00:00", "2026-12-01T00:00:00").await;
        assert_eq!(used, [""; 0]);
        let first = order(server, "t07", "2026-11-01").await;
        assert_eq!(first["lines"].as_array().unwrap().len(), 1);
        let second = order(server, "t07", "2026-11-30").await;
        assert_eq!((&second["lines"], &second["total"]), (&json!([]), &json!("0.00")));
        assert_verified(server, config).await;
    })
    .await;
}

#[tokio::test]
async fn the_last_message_of_a_life_is_its_end() {
    let at = |time: &str| format!("2026-11-20T{time}");
    let image = |status: &str| json!({"name": "i", "status": status});
    let image_end = json!({"name": "i", "status": "deleted", "deleted": true,
        "deleted_at": "2026-11-20T11:15:00", "event_type": "image.delete"});
    let volume = json!({"display_name": "v", "status": "available"});
    let volume_end = json!({"display_name": "v", "status": "deleting",
        "event_type": "volume.delete.end"});
    let bodies = [
        polled("image.size", "t", "image", &at("10:00:00"), 1 << 30, &image("active")),
        polled("image.size", "t", "image", &at("11:00:00"), 1 << 30, &image("active")),
        polled("image.size", "t", "image", &at("11:15:01"), 1 << 30, &image_end),
        polled("volume.size", "t", "volume", &at("10:00:00"), 8, &volume),
        polled("volume.size", "t", "volume", &at("12:30:00"), 8, &volume_end),
    ];
    run_bodies(&bodies.each_ref().map(String::as_str), "", async |server| {
        let used = usage(server, "t", "2026-11-20T00:00:00", "2026-11-21T00:00:00").await;
        // A quarter of the second hour, and nothing of the hour in which only the deletion was reported.
        assert_eq!(used, ["image i1.image 1342177280", "volume b1 8"]);
        order(server, "t", "2026-11-21").await;
        assert_verified(server, "").await;
    })
    .await;
}
