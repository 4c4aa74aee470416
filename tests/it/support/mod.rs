//! What the tests stand on.

pub mod broker;
pub mod cloud;
pub mod consuming;
pub mod database;
pub mod events;
pub mod mariadb;
pub mod metered;
pub mod perf;
pub mod process;
pub mod procfs;
pub mod projecting;
pub mod samples;
pub mod server;
pub mod services;
pub mod stub;
pub mod target;

use std::time::{Duration, Instant};

/// A variable that `scripts/test` sets.
pub fn variable(name: &str) -> String {
    std::env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| {
        panic!("{name} is not set: run the tests with scripts/test, which starts the services")
    })
}

/// Whether the long tests run at full size (`scripts/test --long`).
pub fn is_long() -> bool {
    std::env::var("STACKLEDGER_LONG").is_ok_and(|value| value == "1")
}

/// Waits until `done` answers true; panics with `what` when it does not within a minute (ten for
/// the long tests).
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut done: impl FnMut() -> F) {
    let patience = Duration::from_secs(if is_long() { 600 } else { 60 });
    let started = Instant::now();
    while !done().await {
        assert!(started.elapsed() < patience, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A name nobody else has: of this process, this moment and this call.
pub fn unique(prefix: &str) -> String {
    format!("{prefix}_{}", stackledger::lifecycle::random_id().simple())
}
