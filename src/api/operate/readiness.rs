//! Whether a process can do its work.

use tokio_postgres::Client;

use super::{DATABASE_TIMEOUT, Monitor};
use crate::lifecycle;
use crate::projection::{self, Status};

/// The sentence of a database that is away.
const NO_DATABASE: &str = "the database does not answer";

impl Monitor {
    /// Returns a sentence for each reason why the process cannot do its work.
    pub(super) async fn find_faults(&self) -> Vec<String> {
        let faults = self.health.faults().into_iter();
        let mut reasons: Vec<String> =
            faults.map(|(part, reason)| format!("{part}: {reason}")).collect();
        match tokio::time::timeout(DATABASE_TIMEOUT, self.find_database_faults()).await {
            Ok(faults) => reasons.extend(faults),
            Err(_) => reasons.push(NO_DATABASE.to_owned()),
        }
        reasons
    }

    /// Returns a sentence for each fault of the database.
    async fn find_database_faults(&self) -> Vec<String> {
        let Ok(client) = self.pool.get().await else { return vec![NO_DATABASE.to_owned()] };
        if let Err(error) = self.database.check_schema(&client).await {
            return vec![format!("{error:#}")];
        }
        let stalled = self.find_stalled_projections(&client).await;
        stalled.unwrap_or_else(|_| vec![NO_DATABASE.to_owned()])
    }

    /// Returns a sentence for each needed projection that does not follow the log.
    async fn find_stalled_projections(
        &self,
        client: &Client,
    ) -> Result<Vec<String>, tokio_postgres::Error> {
        let statuses = projection::statuses(client, lifecycle::now()).await?;
        let live = |name| statuses.iter().find(|status| status.is_live && status.name == name);
        let reason = |name| match live(name) {
            None => Some(format!("projection {name} has not started")),
            Some(Status { error: Some(error), .. }) => {
                Some(format!("projection {name} is stopped by an error: {error}"))
            }
            Some(status) => status.is_abandoned.then(|| format!("nobody runs projection {name}")),
        };
        Ok(self.needed.iter().filter_map(|projection| reason(projection.name)).collect())
    }
}
