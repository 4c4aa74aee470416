//! Queries that a standby of the database answers, and the database itself while the standby is away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{ConfigConnectImpl, Connect};
use futures_util::future::BoxFuture;
use metrics::gauge;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, Error, NoTls};

use super::explain;

/// How long a connection is used. A standby that has come back answers again after this time.
pub(super) const CONNECTION_AGE_MAX: Duration = Duration::from_secs(60);

/// Connects to the standby, or else to the primary.
pub(super) struct StandbyConnector {
    primary: Config,
    /// The standby's connection string without its password.
    redacted_url: String,
    is_away: AtomicBool,
}

impl StandbyConnector {
    pub fn new(primary: Config, redacted_url: String) -> Self {
        gauge!("stackledger_read_standby_up").set(1.0);
        StandbyConnector { primary, redacted_url, is_away: AtomicBool::new(false) }
    }

    /// Logs that the standby is away or back, once.
    fn note(&self, fault: Option<&Error>) {
        gauge!("stackledger_read_standby_up").set(f64::from(fault.is_none()));
        let was_away = self.is_away.swap(fault.is_some(), Ordering::Relaxed);
        match fault {
            Some(error) if !was_away => tracing::warn!(
                "the standby at {} does not answer ({}): the database itself answers queries",
                self.redacted_url,
                explain(error)
            ),
            None if was_away => {
                tracing::info!("the standby at {} answers queries again", self.redacted_url);
            }
            _ => {}
        }
    }
}

impl Connect for StandbyConnector {
    fn connect(&self, standby: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        let standby = standby.clone();
        Box::pin(async move {
            let plain = ConfigConnectImpl { tls: NoTls };
            match plain.connect(&standby).await {
                Ok(connected) => {
                    self.note(None);
                    Ok(connected)
                }
                Err(error) => {
                    self.note(Some(&error));
                    plain.connect(&self.primary).await
                }
            }
        })
    }
}
