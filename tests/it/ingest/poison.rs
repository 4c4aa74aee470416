//! Events that can be decoded, but that the database refuses.

use stackledger::event;

use crate::support::broker::{broker, declare_as_oslo, publish};
use crate::support::consumer::consume;
use crate::support::database::database;
use crate::support::eventually;
use crate::support::process::{command, succeed};

fn notification(n: u32) -> Vec<u8> {
    format!(
        "{{\"message_id\": \"00000000-0000-4000-8000-{n:012}\", \"event_type\": \"compute.instance.test\",
         \"publisher_id\": \"compute.h\", \"timestamp\": \"2026-11-01 12:00:00.000000\",
         \"priority\": \"INFO\", \"payload\": {{\"instance_id\": \"i-{n}\"}}}}"
    )
    .into_bytes()
}

/// The server refuses a value of some events of a large batch (SQLSTATE class 22): only these events become dead
/// letters, everything is acked, and after a fix they can be redriven.
#[tokio::test]
async fn an_event_the_server_refuses_is_split_off_its_batch() {
    const COUNT: u32 = 300;
    let (db, broker) = (database().await, broker().await);
    let (_connection, cloud) = broker.channel().await;
    declare_as_oslo(&cloud, "nova").await;
    let refused = [notification(0), notification(137), notification(138)];
    let ids: Vec<String> = refused
        .iter()
        .map(|body| format!("'{}'", event::decode(body.clone(), None).unwrap().id))
        .collect();
    let mut superuser = db.superuser().await;
    superuser
        .batch_execute(&format!(
            "CREATE FUNCTION public.refuse_value() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                RAISE EXCEPTION 'no such value' USING ERRCODE = '22023';
             END $$;
             CREATE TRIGGER refuse_value BEFORE INSERT ON log.event_instance FOR EACH ROW
                WHEN (NEW.id IN ({})) EXECUTE FUNCTION public.refuse_value()",
            ids.join(", ")
        ))
        .await
        .unwrap();
    let consuming = consume(&db, &broker);
    eventually("bound to nova", || async {
        broker
            .ask("bindings")
            .await
            .as_array()
            .unwrap()
            .iter()
            .any(|binding| binding["source"] == "nova")
    })
    .await;
    // The lock holds appends back until all messages are there, so that they are appended in full batches.
    let lock = superuser.transaction().await.unwrap();
    lock.query_one("SELECT position FROM log.head FOR UPDATE", &[]).await.unwrap();
    for n in 0..COUNT {
        publish(&cloud, "nova", "notifications.info", &notification(n), &[]).await;
    }
    lock.commit().await.unwrap();
    let neighbours = i64::from(COUNT) - refused.len() as i64;
    eventually("the neighbours are stored", || async {
        db.number("SELECT position FROM log.head").await == neighbours
    })
    .await;
    consuming.stop().await;
    assert_eq!(broker.left().await, 0);
    assert!(db.number("SELECT max(last_position - first_position) FROM log.batch").await >= 10);
    assert_eq!(db.number("SELECT count(*) FROM log.event").await, neighbours);
    let rows = superuser
        .query("SELECT body, reason FROM log.dead_letter ORDER BY body", &[])
        .await
        .unwrap();
    let mut kept: Vec<Vec<u8>> = rows.iter().map(|row| row.get(0)).collect();
    kept.sort();
    assert_eq!(kept, refused);
    for row in &rows {
        assert_eq!(row.get::<_, &str>(1), "the database refuses a value: no such value [22023]");
    }

    superuser.batch_execute("DROP TRIGGER refuse_value ON log.event_instance").await.unwrap();
    let mut redrive = command(&db, None);
    redrive.args(["dead-letters", "redrive", "--all"]);
    assert_eq!(succeed(redrive).await.matches("in the log").count(), refused.len());
    assert_eq!(
        db.number(&format!("SELECT count(*) FROM log.event WHERE id IN ({})", ids.join(", ")))
            .await,
        refused.len() as i64
    );
    let mut verify = command(&db, None);
    verify.arg("verify");
    succeed(verify).await;
}
