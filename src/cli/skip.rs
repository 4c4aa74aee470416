//! `stackledger skip`

use anyhow::{Result, bail};

use super::environment::Environment;
use super::output::say;
use super::replay::parse_name;
use crate::lifecycle;
use crate::projection::{self, Skip};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Name of the read model
    #[arg(value_parser = parse_name)]
    projection: String,
    /// Position of the event in the log [default: the event that stops the read model]
    position: Option<i64>,
    /// Who skips it, for the record
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) async fn run(env: &Environment, options: Options) -> Result<()> {
    let database = env.checked_database().await?;
    let name = &options.projection;
    let Some(projection) = projection::by_name(name) else {
        bail!("there is no read model {name}");
    };
    let position = match options.position {
        Some(position) => position,
        None => {
            let client = database.connect(None).await?;
            match projection::find_obstacle(&client, projection).await? {
                Some(position) => position,
                None => bail!("no event stops {name}: name the position of the event to skip"),
            }
        }
    };
    let skip = Skip { position, by: options.by, reason: options.reason };
    let id = lifecycle::random_id().to_string();
    projection::skip(&database, projection, &skip, &id, lifecycle::now()).await?;
    say!("{name}: goes without the event at position {position}, until a replay tries it again");
    Ok(())
}
