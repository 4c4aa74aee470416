//! PostgreSQL's standby takes over while everything runs.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::support::broker::broker;
use crate::support::cloud::{assert_consistent, cloud_at, wait_until_complete};
use crate::support::database::database_at;
use crate::support::process::Process;
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
