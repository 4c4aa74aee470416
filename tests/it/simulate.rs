//! Simulated clouds on their way into the log: hosts, deployments, and real time.

use std::time::Duration;

use stackledger::simulate::{
    DeploymentOptions, MonitoringOptions, Options, plan, plan_from, publish_in_real_time,
};

use crate::support::broker::broker;
use crate::support::cloud::{assert_consistent, publish, wait_until_complete};
use crate::support::database::database;
use crate::support::events::now;
use crate::support::is_long;
use crate::support::process::Process;

/// A fifth of the messages are published twice and a fifth out of order; each is one event of its family.
#[tokio::test(flavor = "multi_thread")]
async fn hosts_and_deployments_are_in_the_log_once() {
    let (db, broker) = (database().await, broker().await);
    let (hosts, deployments) = if is_long() { (100, 200) } else { (5, 8) };
    let plan = plan(&Options {
        instances: 4,
        monitoring: MonitoringOptions { hosts, interval_s: if is_long() { 10 } else { 60 } },
        deploying: DeploymentOptions { deployments, ..DeploymentOptions::default() },
        duplicates_percent: 20,
        shuffle_percent: 20,
        ..Options::until("2026-11-01T12:00:00Z".parse().unwrap())
    });
    let process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;
    publish(&plan, &broker).await;
    wait_until_complete(&db, plan.truth()).await;
    assert_consistent(&db, &process, plan.truth()).await;
    let families = &plan.truth().messages.by_family;
    assert_eq!(families["perf"], u64::from(hosts) * if is_long() { 360 } else { 60 });
    assert!(families["deployment"] > u64::from(deployments) * 10, "{families:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn in_real_time_nothing_is_published_before_it_happens() {
    let (db, broker) = (database().await, broker().await);
    let process = Process::start("up", &db, &broker);
    process.wait_until_ready().await;
    let seconds = if is_long() { 60 } else { 3 };
    let start = now();
    let plan = plan_from(
        &Options {
            monitoring: MonitoringOptions { hosts: 3, interval_s: 1 },
            duration: Duration::from_secs(seconds),
            ..Options::until(start)
        },
        start,
    );
    publish_in_real_time(&broker.url, &plan, false, start).await.unwrap();
    wait_until_complete(&db, plan.truth()).await;
    let early = "SELECT count(*) FROM log.event WHERE occurred_at > recorded_at";
    assert_eq!(db.number(early).await, 0);
    let events = db.number("SELECT count(*) FROM log.event WHERE family = 'perf'").await;
    assert_eq!(events, 3 * seconds as i64);
    assert_eq!(process.terminate().await.0, Some(0));
}
