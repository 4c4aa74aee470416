//! Faults that an export survives.

use std::process::{Child, Stdio};
use std::time::Duration;

use super::{export, once, refused};
use crate::support::metering::{MeteringDatabase, metering_database};
use crate::support::process::{command, succeed};
use crate::support::services::{PrivateServer, Shutdown};
use crate::support::target::OtherDatabase;
use crate::support::{eventually, is_long};

/// A running `stackledger export --follow`. It is killed when dropped.
struct Follower(Child);

impl Follower {
    fn start(from: &MeteringDatabase, url: &str, configuration: &str) -> Follower {
        let mut follow = export(from, configuration, &["--follow", "--interval", "1", "--to", url]);
        Follower(follow.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Kills it as `kill -9` does.
    fn kill(mut self) {
        assert!(self.0.try_wait().unwrap().is_none(), "the export is still running");
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Acceptance: after kill -9 ten times in the middle, the table equals the read model.
async fn killed_ten_times(to: OtherDatabase) {
    let mut from = metering_database().await;
    let events = if is_long() { 20_000 } else { 400 };
    from.add_samples(events, 8).await;
    let small = "batch = 16";
    let mut in_the_middle = 0;
    for round in 0..10_u64 {
        let before = to.position().await;
        let following = Follower::start(&from, to.url(), small);
        eventually("the export moves", || async { to.position().await > before }).await;
        tokio::time::sleep(Duration::from_millis(round * 7 % 40)).await;
        following.kill();
        let position = to.position().await;
        if position < from.position {
            in_the_middle += 1;
        }
        // The rows are those of this position: no chunk is written by half.
        let of_whole_chunks = format!("position <= {position}");
        let rows = to.rows().await;
        let expected = from.rows(&of_whole_chunks).await;
        assert!(expected.iter().all(|row| rows.binary_search(row).is_ok()), "round {round}");
        from.supersede(20).await;
        from.add_samples(40, 8).await;
    }
    assert!(in_the_middle >= 7, "only {in_the_middle} of 10 were killed in the middle");
    once(&from, &to, small).await;
    assert_eq!(to.rows().await, from.rows("true").await);
    assert_eq!(to.sums().await, from.sums().await);
    assert_eq!(to.position().await, from.position);
}

#[tokio::test]
async fn killed_ten_times_a_postgresql_is_equal() {
    killed_ten_times(OtherDatabase::postgres().await).await;
}

#[tokio::test]
async fn killed_ten_times_a_mariadb_is_equal() {
    killed_ten_times(OtherDatabase::mariadb().await).await;
}

/// The second exporter waits, and goes on at the position where the first ended.
#[tokio::test]
async fn two_exporters_do_not_write_at_once() {
    for to in [OtherDatabase::postgres().await, OtherDatabase::mariadb().await] {
        let mut from = metering_database().await;
        from.add_samples(30, 8).await;
        let first = Follower::start(&from, to.url(), "");
        eventually("the first has exported", || async { to.position().await == 30 }).await;
        let error = refused(export(&from, "", &["--once", "--to", to.url()])).await;
        assert!(error.contains("another exporter writes to it"), "{error}");
        let second = Follower::start(&from, to.url(), "");
        from.add_samples(30, 8).await;
        eventually("the first goes on", || async { to.position().await == 60 }).await;
        first.kill();
        from.add_samples(30, 8).await;
        eventually("the second takes over", || async { to.position().await == 90 }).await;
        assert_eq!(to.rows().await, from.rows("true").await);
        drop(second);
    }
}

/// Waits until the recorded progress of the export meets a condition.
async fn wait_for_progress(from: &MeteringDatabase, what: &str, condition: &str) {
    let count = format!("SELECT count(*) FROM projection.export WHERE {condition}");
    eventually(what, || async { from.db.number(&count).await == 1 }).await;
}

/// The target is killed and started again later; the export goes on and nothing is missing.
async fn goes_on_when_the_target_is_back(server: &PrivateServer, to: OtherDatabase) {
    let mut from = metering_database().await;
    from.add_samples(20, 8).await;
    let following = Follower::start(&from, to.url(), "");
    wait_for_progress(&from, "it has exported", "position = 20").await;
    server.stop(Shutdown::Immediate).await;
    from.add_samples(20, 8).await;
    wait_for_progress(&from, "the reason is recorded", "error IS NOT NULL").await;
    let mut status = command(&from.db, None);
    status.arg("status").env("AMQP_URL", "amqp://127.0.0.1:1");
    let shown = succeed(status).await;
    assert!(shown.contains("the target does not"), "{shown}");

    server.start().await;
    wait_for_progress(&from, "it goes on", "error IS NULL AND position = 40").await;
    assert_eq!(to.rows().await, from.rows("true").await);
    following.kill();
}

#[tokio::test]
async fn a_postgresql_that_is_away_is_waited_for() {
    let server = PrivateServer::postgres().await;
    let target = OtherDatabase::Postgres(Box::new(server.empty_database().await));
    goes_on_when_the_target_is_back(&server, target).await;
}

#[tokio::test]
async fn a_mariadb_that_is_away_is_waited_for() {
    let server = PrivateServer::mariadb().await;
    let target = OtherDatabase::Mariadb(server.mariadb_database().await);
    goes_on_when_the_target_is_back(&server, target).await;
}

#[tokio::test]
async fn once_reports_that_the_target_is_away() {
    let from = metering_database().await;
    for url in ["mysql://u:geheim@127.0.0.1:1/d", "postgresql://u:geheim@127.0.0.1:1/d"] {
        let error = refused(export(&from, "", &["--once", "--to", url])).await;
        assert!(error.contains("the target does not answer"), "{error}");
        assert!(error.contains("u:***@127.0.0.1:1/d") && !error.contains("geheim"), "{error}");
    }
}
