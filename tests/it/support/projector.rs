//! Projections in the test's own process.

use std::sync::Arc;

use stackledger::config::Config;
use stackledger::health::Health;
use stackledger::projection;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::database::TestDatabase;
use super::eventually;

/// Projections that run until they are stopped.
pub struct Projector {
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

/// Runs all projections.
pub fn project(db: &TestDatabase) -> Projector {
    let config = Arc::new(Config::from_vars([]).unwrap());
    let stop = CancellationToken::new();
    let task = tokio::spawn(projection::run(
        projection::ALL,
        db.database.clone(),
        config,
        Arc::new(Health::default()),
        stop.clone(),
    ));
    Projector { stop, task }
}

impl Projector {
    /// Stops them as a signal does.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// Waits until every projection has applied all events of the log.
pub async fn wait_until_applied(db: &TestDatabase) {
    eventually("everything is applied", || async {
        db.number(
            "SELECT count(*) FROM projection.checkpoint AS c, log.head AS h
             WHERE c.slot = 'live' AND c.position = h.position",
        )
        .await
            == projection_count()
    })
    .await;
}

fn projection_count() -> i64 {
    stackledger::projection::ALL.len() as i64
}
