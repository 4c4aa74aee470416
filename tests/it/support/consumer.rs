//! A consumer in the test's own process.

use std::sync::Arc;

use stackledger::config::{Config, File};
use stackledger::health::Health;
use stackledger::ingest::amqp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::broker::TestBroker;
use super::database::TestDatabase;

/// A consumer that runs until it is stopped.
pub struct Consumer {
    pub health: Arc<Health>,
    stop: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

/// Consumes from the built-in sources.
pub fn consume(db: &TestDatabase, broker: &TestBroker) -> Consumer {
    consume_file(db, broker, File::default())
}

/// Consumes from the sources of a TOML file.
pub fn consume_file(db: &TestDatabase, broker: &TestBroker, file: File) -> Consumer {
    consume_with(db, broker, |config| config.file = Arc::new(file))
}

/// Consumes with a changed configuration.
pub fn consume_with(
    db: &TestDatabase,
    broker: &TestBroker,
    change: impl FnOnce(&mut Config),
) -> Consumer {
    let vars = [
        ("AMQP_URL", broker.url.as_str()),
        ("AMQP_MANAGEMENT_URL", &broker.management),
        ("BATCH_SIZE", "100"),
    ];
    let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut config = Config::from_vars(vars).unwrap();
    change(&mut config);
    let (health, stop) = (Arc::new(Health::default()), CancellationToken::new());
    let task = tokio::spawn(amqp::run(
        db.database.clone(),
        Arc::new(config),
        Arc::clone(&health),
        stop.clone(),
    ));
    Consumer { health, stop, task }
}

impl Consumer {
    /// Stops it as a signal does.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}
