//! Roles in processes of their own.

use crate::support::broker::broker;
use crate::support::cloud::{cloud, publish, wait_until_complete};
use crate::support::database::database;
use crate::support::eventually;
use crate::support::process::{Process, command, run, succeed};

#[tokio::test(flavor = "multi_thread")]
async fn each_role_alone_has_health_and_metrics() {
    let (db, broker) = (database().await, broker().await);
    // Tokens are for the HTTP server.
    let tokens = [("TOKENS", "secret")];
    let consuming = Process::start_with("consume", &db, &broker, &tokens);
    // Ready although nobody projects: that is not its work.
    consuming.wait_until_ready().await;
    let projecting = Process::start_with("project", &db, &broker, &tokens);
    projecting.wait_until_ready().await;
    assert_eq!(consuming.get("/healthz").await.0, 200);
    assert_eq!(consuming.get("/v1/events").await.0, 404);

    let plan = cloud(20, 3);
    publish(&plan, &broker).await;
    wait_until_complete(&db, plan.truth()).await;
    let queue = "stackledger.instance";
    let name = format!("stackledger_last_message_age_seconds{{queue=\"{queue}\"}}");
    let metrics = consuming.metrics().await;
    assert!(metrics[&name] < 600.0, "{metrics:?}");
    let of_broker = |metric: &str, labels: &str| {
        let shown = broker.url.replace(":guest@", ":***@");
        format!("stackledger_{metric}{{broker=\"{shown}\"{labels}}}")
    };
    assert_eq!(metrics[&of_broker("broker_connected", "")], 1.0, "{metrics:?}");
    let waiting = of_broker("queue_messages", &format!(",queue=\"{queue}\""));
    eventually("the queue's depth is known", || async {
        consuming.metrics().await.contains_key(&waiting)
    })
    .await;
    for process in [&consuming, &projecting] {
        let metrics = process.metrics().await;
        for (name, expected) in [
            ("stackledger_ready", 1.0),
            ("stackledger_database_up", 1.0),
            ("stackledger_dead_letters_open", 0.0),
            ("stackledger_projection_failed{projection=\"timing\"}", 0.0),
            ("stackledger_config_conflict{projection=\"timing\"}", 0.0),
            (concat!("stackledger_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1.0),
        ] {
            assert_eq!(metrics.get(name), Some(&expected), "{name} in {metrics:?}");
        }
        for name in [
            "stackledger_log_head",
            "stackledger_database_bytes",
            "stackledger_log_bytes{family=\"instance\"}",
            "stackledger_projection_bytes{projection=\"timing\"}",
        ] {
            assert!(metrics[name] > 0.0, "{name} in {metrics:?}");
        }
    }
    let mut check = command(&db, Some(&broker));
    check.args(["status", "--check"]);
    let status = succeed(check).await;
    assert!(!status.contains("fault: "), "{status}");
    // Without the one that projects, the other is still ready.
    assert_eq!(projecting.terminate().await.0, Some(0));
    eventually("the other one is ready", || async { consuming.get("/readyz").await.0 == 200 })
        .await;
    // A projection that gave its lease back has nobody at once.
    let mut check = command(&db, Some(&broker));
    check.args(["status", "--check"]);
    let output = run(check).await;
    assert_eq!(output.status.code(), Some(1));
    let status = String::from_utf8(output.stdout).unwrap();
    assert!(status.contains("fault: no process runs projection timing\n"), "{status}");
    assert_eq!(consuming.terminate().await.0, Some(0));
}
