//! `stackledger usage`, `collect-usage` and `last-collected`

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::client::{Client, Server};
use super::output::{cell, cells, field, say, table, write_csv};
use super::tenants::{self, Answer, Format, Shown, for_each};
use super::when::date_or_time;
use super::{Env, No};

#[derive(Debug, clap::Args)]
pub(super) struct UsageOptions {
    #[command(flatten)]
    tenants: tenants::Options,
    /// The first day or time
    #[arg(long, value_name = "DATE|TIME", value_parser = date_or_time)]
    start: String,
    /// The first day or time that is no longer counted
    #[arg(long, value_name = "DATE|TIME", value_parser = date_or_time)]
    end: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct CollectOptions {
    #[command(flatten)]
    format: Format,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, clap::Args)]
pub(super) struct LastCollectedOptions {
    /// As JSON, as the server tells it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn usage(env: &Env, options: UsageOptions) -> Result<()> {
    #[derive(Deserialize)]
    struct Told {
        usage: Box<RawValue>,
    }
    let (start, end) = (options.start, options.end);
    for_each(env, options.tenants, async |client, tenant| {
        let query = [("tenant", tenant), ("start", &start), ("end", &end)];
        let Told { usage: json } = client.get("/get_usage", &query).await?;
        let usage: Usage = serde_json::from_str(json.get())?;
        Ok(Answer { items: vec![usage], json })
    })
    .await
}

/// What a tenant used.
#[derive(Deserialize)]
struct Usage {
    tenant_id: String,
    resources: BTreeMap<String, Resource>,
}

#[derive(Deserialize)]
struct Resource {
    r#type: Option<String>,
    name: Option<String>,
    services: Vec<Value>,
}

impl Shown for Usage {
    const LIST: &'static str = "usage";

    const HEADINGS: &'static str = Self::COLUMNS;

    const COLUMNS: &'static str =
        "tenant_id,resource_id,type,name,service,meter,volume,unit,windows,coverage";

    fn rows(&self) -> Vec<Vec<String>> {
        self.records().into_iter().map(cells).collect()
    }

    fn records(&self) -> Vec<Vec<Option<String>>> {
        let mut records = Vec::new();
        for (resource_id, resource) in &self.resources {
            records.extend(resource.services.iter().map(|service| {
                let column = |name| match name {
                    "tenant_id" => Some(self.tenant_id.clone()),
                    "resource_id" => Some(resource_id.clone()),
                    "type" => resource.r#type.clone(),
                    "name" => resource.name.clone(),
                    "service" => field(service, "name"),
                    name => field(service, name),
                };
                Self::COLUMNS.split(',').map(column).collect()
            }));
        }
        records
    }
}

pub(super) async fn collect(env: &Env, options: CollectOptions) -> Result<()> {
    #[derive(Deserialize)]
    struct Collected {
        tenants: Vec<Value>,
        errors: u64,
    }
    let client = Client::new(env, &options.server)?;
    let json: Box<RawValue> = client.post("/collect_usage", None).await?;
    let collected: Collected = serde_json::from_str(json.get())?;
    let columns = ["id", "updated", "start", "end", "error"];
    let lines = collected.tenants.iter().map(|it| columns.map(|name| field(it, name)).to_vec());
    if options.format.json {
        say!("{json}");
    } else if options.format.csv {
        say!("{}\r", columns.join(","));
        write_csv(&mut std::io::stdout(), lines)?;
    } else {
        table(&columns, &lines.map(cells).collect::<Vec<_>>());
    }
    if collected.errors == 0 { Ok(()) } else { Err(No.into()) }
}

pub(super) async fn last_collected(env: &Env, options: LastCollectedOptions) -> Result<()> {
    let client = Client::new(env, &options.server)?;
    let json: Box<RawValue> = client.get("/last_collected", &[]).await?;
    let told: Value = serde_json::from_str(json.get())?;
    match options.json {
        true => say!("{json}"),
        false => say!("{}", cell(field(&told, "last_collected"))),
    }
    Ok(())
}
