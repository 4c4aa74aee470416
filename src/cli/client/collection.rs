//! `stackledger collect-usage` and `last-collected`: whether usage is complete, and up to which time.

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::report::FormatOptions;
use super::server::{Client, ServerOptions};
use crate::cli::environment::Environment;
use crate::cli::output::{AnswerIsNo, cell, cells, field, print_table, say, write_csv};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct CollectOptions {
    #[command(flatten)]
    format: FormatOptions,
    #[command(flatten)]
    server: ServerOptions,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct LastCollectedOptions {
    /// Print the server's answer, which is JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerOptions,
}

/// Asks the server to complete the usage, and prints the state of each tenant.
///
/// # Errors
///
/// [`AnswerIsNo`] if the usage of a tenant could not be completed.
pub(in crate::cli) async fn collect(env: &Environment, options: CollectOptions) -> Result<()> {
    #[derive(Deserialize)]
    struct Collection {
        tenants: Vec<Value>,
        errors: u64,
    }
    let client = Client::new(env, &options.server)?;
    let json: Box<RawValue> = client.post("/collect_usage", None).await?;
    let collection: Collection = serde_json::from_str(json.get())?;
    let columns = ["id", "updated", "start", "end", "error"];
    let lines =
        collection.tenants.iter().map(|tenant| columns.map(|name| field(tenant, name)).to_vec());
    if options.format.json {
        say!("{json}");
    } else if options.format.csv {
        say!("{}\r", columns.join(","));
        write_csv(&mut std::io::stdout(), lines)?;
    } else {
        print_table(&columns, &lines.map(cells).collect::<Vec<_>>());
    }
    if collection.errors == 0 { Ok(()) } else { Err(AnswerIsNo.into()) }
}

/// Prints the time up to which usage is complete.
pub(in crate::cli) async fn show_last(
    env: &Environment,
    options: LastCollectedOptions,
) -> Result<()> {
    let client = Client::new(env, &options.server)?;
    let json: Box<RawValue> = client.get("/last_collected", &[]).await?;
    let answer: Value = serde_json::from_str(json.get())?;
    match options.json {
        true => say!("{json}"),
        false => say!("{}", cell(field(&answer, "last_collected"))),
    }
    Ok(())
}
