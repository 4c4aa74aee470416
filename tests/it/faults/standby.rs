//! PostgreSQL's standby takes over while everything runs.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use stackledger::db::Database;
use stackledger::secret::ConnectionString;

use crate::support::broker::broker;
use crate::support::cloud::{
    append, assert_consistent, cloud, cloud_at, combine, wait_until_complete,
};
use crate::support::database::{database, database_at, empty_database};
use crate::support::process::{Process, command, run};
use crate::support::services::{PrivateServer, Shutdown};
use crate::support::{eventually, is_long, unique};

/// The address at which clients find the primary, whichever server that is: a link to the folder of its socket.
struct Address {
    link: PathBuf,
}

impl Address {
    fn of(server: &PrivateServer) -> Address {
        let address = Address { link: std::env::temp_dir().join(unique("sl")) };
        symlink(server.data(), &address.link).unwrap();
        address
    }

    /// Hands the address over to another server.
    fn move_to(&self, server: &PrivateServer) {
        let next = self.link.with_extension("next");
        symlink(server.data(), &next).unwrap();
        std::fs::rename(next, &self.link).unwrap();
    }

    fn url(&self) -> String {
        format!("postgresql://postgres@{}/stackledger", encoded(&self.link))
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.link);
    }
}

fn encoded(path: &Path) -> String {
    path.to_str().unwrap().replace('/', "%2F")
}

/// The standby is synchronous, so it has what was confirmed to the process, and hence what was acked. The primary crashes
/// while messages flow, and the standby is promoted.
#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_takes_over_has_everything_that_was_acked() {
    let (primary, broker) = (PrivateServer::postgres().await, broker().await);
    let address = Address::of(&primary);
    let db = database_at(&address.url()).await;
    let standby = primary.beside().await;
    let superuser = db.superuser().await;
    superuser.batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'").await.unwrap();
    superuser.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    let is_synchronous = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
    eventually("the standby is synchronous", || async { db.number(is_synchronous).await == 1 })
        .await;

    let process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;
    // Slow enough to be interrupted half way on any machine.
    let plan = cloud_at(if is_long() { 2000 } else { 60 }, 81, if is_long() { 4000 } else { 300 });
    let publishing = tokio::spawn({
        let (plan, url) = (plan.clone(), broker.url.clone());
        async move { stackledger::simulate::publish(&url, &plan, false).await.unwrap() }
    });
    let enough = plan.truth().messages.unique as i64 / 4;
    eventually("a part is stored", || async {
        db.number("SELECT position FROM log.head").await > enough
    })
    .await;
    primary.stop(Shutdown::Immediate).await;
    address.move_to(&standby);
    eventually("the standby is promoted", || async {
        let Ok(client) = db.database.connect_as_given().await else { return false };
        client.execute("SELECT pg_promote()", &[]).await.is_ok()
    })
    .await;
    publishing.await.unwrap();
    // There is no second standby to wait for.
    let superuser = db.superuser().await;
    superuser.batch_execute("ALTER SYSTEM RESET synchronous_standby_names").await.unwrap();
    superuser.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    wait_until_complete(&db, plan.truth()).await;
    process.wait_until_ready().await;
    assert_consistent(&db, &process, plan.truth()).await;
    assert_eq!(process.terminate().await.0, Some(0));
    assert_eq!(broker.left().await, 0);
}

/// Returns the number of instances that the process lists.
async fn listed(process: &Process) -> usize {
    let (status, answer) = process.get("/v1/instances?limit=1000").await;
    assert_eq!(status, 200, "{answer}");
    answer["items"].as_array().unwrap().len()
}

/// A standby answers queries, the primary those about what was just written; and all while the standby is away.
#[tokio::test(flavor = "multi_thread")]
async fn a_standby_answers_queries_until_it_is_away() {
    let (primary, broker) = (PrivateServer::postgres().await, broker().await);
    let db = primary.database().await;
    let standby = primary.beside().await;
    let name = db.url.rsplit_once('/').unwrap().1;
    let standby_url = format!("postgresql://postgres@{}/{name}", encoded(&standby.data()));
    let (one, other) = (cloud(2, 82), cloud(3, 83));
    append(&one, &db).await;
    let projecting = Process::start("project", &db, &broker);
    let variables = [("READ_DATABASE_URL", standby_url.as_str())];
    let serving = Process::start_with("serve", &db, &broker, &variables);
    wait_until_complete(&db, one.truth()).await;
    eventually("the standby has the rows", || async { listed(&serving).await == 2 }).await;

    // A standby that stands still shows where the answers come from.
    let standby_url = ConnectionString::new(standby_url.as_str());
    let at_standby = Database::new(Some(&standby_url)).unwrap().connect_as_given().await.unwrap();
    at_standby.execute("SELECT pg_wal_replay_pause()", &[]).await.unwrap();
    append(&other, &db).await;
    wait_until_complete(&db, &combine(one.truth(), other.truth())).await;
    assert_eq!(listed(&serving).await, 2);
    let head = db.number("SELECT position FROM log.head").await;
    assert_eq!(serving.get(&format!("/v1/events/{head}")).await.0, 200, "the log is the primary's");
    at_standby.execute("SELECT pg_wal_replay_resume()", &[]).await.unwrap();
    eventually("the standby follows", || async { listed(&serving).await == 5 }).await;
    assert_eq!(serving.metrics().await["stackledger_read_standby_up"], 1.0);

    drop(at_standby);
    standby.stop(Shutdown::Immediate).await;
    eventually("the primary answers", || async {
        serving.get("/v1/instances").await.0 == 200
            && serving.metrics().await["stackledger_read_standby_up"] == 0.0
    })
    .await;
    assert_eq!(listed(&serving).await, 5);
    assert_eq!(serving.get("/readyz").await.0, 200);
    assert_eq!(serving.terminate().await.0, Some(0));
    assert_eq!(projecting.terminate().await.0, Some(0));
}

/// Another log's rows would be answers as well.
#[tokio::test(flavor = "multi_thread")]
async fn another_log_is_no_standby() {
    let (db, other, broker) = (database().await, database().await, broker().await);
    append(&cloud(1, 84), &db).await;
    append(&cloud(1, 85), &other).await;
    let empty = empty_database().await;
    for (url, reason) in [(&other.url, "its log is another one"), (&empty.url, "[42P01]")] {
        let mut serve = command(&db, Some(&broker));
        serve.arg("serve").env("READ_DATABASE_URL", url);
        let output = run(serve).await;
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(
            error.contains(" is no standby of DATABASE_URL: ") && error.contains(reason),
            "{error}"
        );
    }
}
