//! A consumer within the test's own process.

use std::sync::Arc;

use stackledger::config::{Config, File};
use stackledger::health::Health;
use stackledger::ingest::amqp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::broker::TestBroker;
use super::database::TestDatabase;

/// Consumes until stopped.
pub struct Consuming {
    pub health: Arc<Health>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// The built-in sources.
pub fn consume(db: &TestDatabase, broker: &TestBroker) -> Consuming {
    consume_file(db, broker, File::default())
}

/// The sources of a TOML file.
pub fn consume_file(db: &TestDatabase, broker: &TestBroker, file: File) -> Consuming {
    consume_with(db, broker, |config| config.file = Arc::new(file))
}

/// A configuration that is not the built-in one.
pub fn consume_with(
    db: &TestDatabase,
    broker: &TestBroker,
    change: impl FnOnce(&mut Config),
) -> Consuming {
    let vars =
        [("AMQP_URL".to_owned(), broker.url.clone()), ("BATCH_SIZE".to_owned(), "100".to_owned())];
    let mut config = Config::from_vars(vars).unwrap();
    change(&mut config);
    let (health, stop) = (Arc::new(Health::default()), CancellationToken::new());
    let task = tokio::spawn(amqp::run(
        db.database.clone(),
        Arc::new(config),
        Arc::clone(&health),
        stop.clone(),
    ));
    Consuming { health, stop, task }
}

impl Consuming {
    /// Stops as a signal would.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}
