//! `stackledger usage`

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::dates::parse_date_or_time;
use super::report::{ReportItem, TenantAnswer};
use super::tenants::{TenantOptions, ask_for_each};
use crate::cli::environment::Environment;
use crate::cli::output::{cells, field};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct UsageOptions {
    #[command(flatten)]
    tenants: TenantOptions,
    /// The first day, or time, that counts
    #[arg(long, value_name = "DATE|TIME", value_parser = parse_date_or_time)]
    start: String,
    /// The first day, or time, that no longer counts
    #[arg(long, value_name = "DATE|TIME", value_parser = parse_date_or_time)]
    end: String,
}

pub(in crate::cli) async fn run(env: &Environment, options: UsageOptions) -> Result<()> {
    #[derive(Deserialize)]
    struct Envelope {
        usage: Box<RawValue>,
    }
    let (start, end) = (options.start, options.end);
    ask_for_each(env, options.tenants, async |client, tenant| {
        let query = [("tenant", tenant), ("start", &start), ("end", &end)];
        let Envelope { usage: json } = client.get("/get_usage", &query).await?;
        let usage: Usage = serde_json::from_str(json.get())?;
        Ok(TenantAnswer { items: vec![usage], json })
    })
    .await
}

/// The usage of a tenant.
#[derive(Deserialize)]
struct Usage {
    tenant_id: String,
    resources: BTreeMap<String, Resource>,
}

/// A resource, and the services it used.
#[derive(Deserialize)]
struct Resource {
    r#type: Option<String>,
    name: Option<String>,
    services: Vec<Value>,
}

impl ReportItem for Usage {
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
