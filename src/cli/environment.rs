//! What every command starts from: the configuration, and the database that it names.

use std::sync::Arc;

use anyhow::Result;

use crate::config::Config;
use crate::db::{self, Database};

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
        let client = database.connect(None).await.map_err(|error| no_answer(&database, &error))?;
        database.check_schema(&client).await?;
        Ok(database)
    }
}

/// The error of a database that cannot be connected to.
pub(super) fn no_answer(database: &Database, error: &tokio_postgres::Error) -> anyhow::Error {
    anyhow::anyhow!(
        "no PostgreSQL answers at {database} ({}): run scripts/up, or set DATABASE_URL",
        db::explain(error)
    )
}
