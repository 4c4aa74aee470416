//! What every command starts from: the configuration, and the database that it names.

use std::sync::Arc;

use anyhow::{Result, bail};

use crate::config::{Config, READ_DATABASE_URL};
use crate::db::{self, Database};
use crate::log;

/// The environment that a command runs in.
pub(super) struct Environment {
    pub config: Arc<Config>,
}

impl Environment {
    /// Returns the database of the configuration, without connecting to it.
    pub fn database(&self) -> Result<Database> {
        Ok(Database::new(self.config.database_url.as_ref())?)
    }

    /// Returns the standby that answers queries, if there is one. It may be away, but if it answers, its log has to be
    /// that of the database: another one's rows would be answers as well.
    pub async fn standby(&self) -> Result<Option<Database>> {
        let Some(url) = &self.config.read_database_url else { return Ok(None) };
        let standby = Database::from_url(READ_DATABASE_URL.name, url)?;
        let (Ok(one), Ok(other)) =
            (self.database()?.connect(None).await, standby.connect(None).await)
        else {
            return Ok(Some(standby));
        };
        let primary = log::read_first_hash(&one).await?;
        // A standby that follows has not always got as far.
        match log::read_first_hash(&other).await {
            Ok(first) if first.is_none() || first == primary => Ok(Some(standby)),
            Ok(_) => bail!(
                "{}={url} is no standby of DATABASE_URL: its log is another one",
                READ_DATABASE_URL.name
            ),
            Err(error) => bail!(
                "{}={url} is no standby of DATABASE_URL: {}",
                READ_DATABASE_URL.name,
                db::explain(&error)
            ),
        }
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
