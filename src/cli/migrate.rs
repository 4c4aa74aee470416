//! `stackledger migrate`

use anyhow::Result;

use super::environment::Environment;
use super::output::say;
use crate::db::APP_ROLE;

pub(super) async fn run(env: &Environment) -> Result<()> {
    let database = env.database()?;
    let migrated = database.migrate().await?;
    for name in &migrated.applied {
        say!("applied {name}");
    }
    if migrated.applied.is_empty() {
        say!("the schema was up to date");
    }
    if !migrated.role {
        say!("the role {APP_ROLE} could not be created: only triggers guard the log");
    }
    Ok(())
}
