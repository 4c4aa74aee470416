//! An event that the database refuses is set aside, alone, with its reason. On the real log and tables.

use serde_json::{Value, json};
use stackledger::config::File;

use crate::cases::{import, polled};
use crate::support::process::{command, succeed};
use crate::support::projector::wait_until_applied;
use crate::support::server::Server;

/// Refuses each row of a resource whose id begins with `refused`, as the database refuses a value.
const REFUSE: &str = "
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.resource_id LIKE 'refused%' THEN
            RAISE 'no such value: %', NEW.resource_id USING ERRCODE = '22021';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON metering.resource
    FOR EACH ROW EXECUTE FUNCTION public.refuse()";

async fn skipped(server: &Server) -> Vec<(Value, Value, Value)> {
    let answer = server.ok("/v1/skipped").await;
    let items = answer["items"].as_array().unwrap().iter();
    items
        .map(|item| (item["projection"].clone(), item["position"].clone(), item["reason"].clone()))
        .collect()
}

async fn resources(server: &Server) -> i64 {
    server.db.number("SELECT count(*) FROM metering.resource").await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_the_database_refuses_is_set_aside_alone() {
    let server = Server::with_projector_of(File::default()).await;
    wait_until_applied(&server.db).await;
    server.db.superuser().await.batch_execute(REFUSE).await.unwrap();
    // The events of one batch, two of which are refused: one within, and the last one.
    let sample = |nth: u32, resource: String| {
        let at = format!("2026-11-20T10:{:02}:00", nth % 60);
        polled("vcpus", "p", &resource, &at, 1, &json!({"status": "active"}))
    };
    let id = |nth: u32| match nth {
        20 | 49 => format!("refused-{nth}"),
        _ => format!("r-{nth}"),
    };
    let bodies: Vec<String> = (0..50).map(|nth| sample(nth, id(nth))).collect();
    import(&server, &bodies.iter().map(String::as_str).collect::<Vec<_>>()).await;

    assert_eq!(resources(&server).await, 48);
    let reason = |nth: u32| json!(format!("no such value: refused-{nth} [22021]"));
    let expected =
        [(json!("metering"), json!(21), reason(20)), (json!("metering"), json!(50), reason(49))];
    assert_eq!(skipped(&server).await, expected);
    let page = server.ok("/v1/skipped?limit=1").await;
    let next = page["next"].as_str().unwrap();
    let rest = server.ok(&format!("/v1/skipped?cursor={next}")).await;
    assert_eq!((&rest["items"][0]["position"], &rest["next"]), (&json!(50), &Value::Null));

    // It is neither an error of the projection nor a difference.
    let projections = server.ok("/v1/projections").await;
    let items = projections["items"].as_array().unwrap();
    let metering = items.iter().find(|item| item["name"] == "metering").unwrap();
    assert_eq!((&metering["skipped"], &metering["error"]), (&json!(2), &Value::Null));
    let mut verify = command(&server.db, None);
    verify.args(["verify", "--read-models"]);
    succeed(verify).await;

    // The tables of a replay have no trigger: it tries the events again.
    let mut replay = command(&server.db, None);
    replay.args(["replay", "metering"]);
    succeed(replay).await;
    wait_until_applied(&server.db).await;
    assert_eq!(resources(&server).await, 50);
    assert_eq!(skipped(&server).await, []);
    server.stop.cancel();
    server.served.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_sets_aside_what_it_cannot_use() {
    let server = Server::with_projector_of(File::default()).await;
    wait_until_applied(&server.db).await;
    let superuser = server.db.superuser().await;
    // Every resource table gets the trigger, also the one that a replay creates.
    let everywhere = format!(
        "{REFUSE};
         CREATE FUNCTION public.refuse_everywhere() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
             IF to_regclass('metering__next.resource') IS NOT NULL AND NOT EXISTS (
                 SELECT FROM pg_trigger WHERE tgrelid = to_regclass('metering__next.resource')
             ) THEN
                 CREATE TRIGGER refuse BEFORE INSERT ON metering__next.resource
                 FOR EACH ROW EXECUTE FUNCTION public.refuse();
             END IF;
         END $$;
         CREATE EVENT TRIGGER refuse_everywhere ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
         EXECUTE FUNCTION public.refuse_everywhere()"
    );
    superuser.batch_execute(&everywhere).await.unwrap();
    let sample = |resource: &str| {
        polled("vcpus", "p", resource, "2026-11-20T10:00:00", 1, &json!({"status": "active"}))
    };
    let bodies = ["a", "refused-b", "c"].map(sample);
    import(&server, &bodies.each_ref().map(String::as_str)).await;
    let before = skipped(&server).await;
    assert_eq!(before.len(), 1, "{before:?}");
    for _ in 0..2 {
        let mut replay = command(&server.db, None);
        replay.args(["replay", "metering"]);
        succeed(replay).await;
        wait_until_applied(&server.db).await;
        assert_eq!(skipped(&server).await, before);
        assert_eq!(resources(&server).await, 2);
    }
    server.stop.cancel();
    server.served.await.unwrap().unwrap();
}
