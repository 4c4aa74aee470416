//! `stackledger migrate`

use anyhow::Result;

use super::Env;
use crate::db::APP_ROLE;

pub(super) async fn run(env: &Env) -> Result<()> {
    let database = env.database()?;
    let migrated = database.migrate().await?;
    for name in &migrated.applied {
        println!("applied {name}");
    }
    if migrated.applied.is_empty() {
        println!("the schema was up to date");
    }
    if !migrated.role {
        println!("the role {APP_ROLE} could not be made: the log is guarded by its triggers alone");
    }
    Ok(())
}
