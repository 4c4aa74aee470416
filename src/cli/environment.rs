//! What every command starts from: the configuration, and the database that it names.

use std::sync::Arc;

use anyhow::Result;

use crate::config::Config;
use crate::db::Database;

/// The environment that a command runs in.
pub(super) struct Environment {
    pub config: Arc<Config>,
}

impl Environment {
    /// Returns the database of the configuration, without connecting to it.
    pub fn database(&self) -> Result<Database> {
        Ok(Database::new(self.config.database_url.as_ref())?)
    }

    /// Connects to the database and returns it, if its schema is the one that this program needs.
    pub async fn checked_database(&self) -> Result<Database> {
        let database = self.database()?;
        let connected = database.connect(None).await;
        let client = connected.map_err(|error| database.explain_connecting(&error))?;
        database.check_schema(&client).await?;
        Ok(database)
    }
}
