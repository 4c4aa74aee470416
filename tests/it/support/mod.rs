//! The helpers of the tests.

pub mod broker;
pub mod cloud;
pub mod consumer;
pub mod database;
pub mod events;
pub mod mariadb;
pub mod metering;
pub mod perf;
pub mod process;
pub mod procfs;
pub mod projector;
pub mod raw_amqp;
pub mod samples;
pub mod server;
pub mod services;
pub mod stub;
pub mod target;

use std::time::{Duration, Instant};

/// Returns the value of a variable that `scripts/test` sets.
pub fn variable(name: &str) -> String {
    std::env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| {
        panic!("{name} is not set: run the tests with scripts/test, which starts the services")
    })
}

/// Whether the long tests run at full size (`scripts/test --long`).
pub fn is_long() -> bool {
    std::env::var("STACKLEDGER_LONG").is_ok_and(|value| value == "1")
}

/// Waits until `is_met` returns true. Panics with the expectation's text after a minute (ten in the long
/// tests).
pub async fn eventually<F: Future<Output = bool>>(
    expectation: &str,
    mut is_met: impl FnMut() -> F,
) {
    let timeout = Duration::from_secs(if is_long() { 600 } else { 60 });
    let started = Instant::now();
    while !is_met().await {
        assert!(started.elapsed() < timeout, "not within {timeout:?}: {expectation}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns a name that no other call, in this or another process, returns.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}_{}", stackledger::lifecycle::random_id().simple())
}
