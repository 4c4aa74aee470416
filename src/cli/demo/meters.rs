//! Samples, and what is billed for them.

use anyhow::Result;
use serde_json::{Value, json};

use super::{SHOWN, shown};
use crate::cli::client::Client;
use crate::cli::output::{say, table};
use crate::simulate;
use crate::simulate::truth::Truth;

/// What the samples of this cloud's projects come to; `/v1/meters` may hold other clouds', too.
pub(super) async fn ask(client: &Client, truth: &Truth) -> Result<Vec<Value>> {
    let mut samples: Vec<Value> = Vec::new();
    for project in &truth.metered_projects {
        let listed = client.all("/v1/samples", &[("project_id", project)]).await?;
        samples.extend(listed);
    }
    let meters = simulate::meters(&samples);
    meters.iter().map(|meter| Ok(serde_json::to_value(meter)?)).collect()
}

pub(super) fn show(measured: &[Value]) {
    say!("\nSamples (/v1/samples, added up)");
    let fields = ["meter", "type", "unit", "samples", "sum"];
    let row = |meter: &Value| fields.iter().map(|field| shown(&meter[field])).collect();
    let rows: Vec<Vec<String>> = measured.iter().take(SHOWN).map(row).collect();
    table(&fields, &rows);
    if measured.len() > SHOWN {
        say!("  … and {} more meters", measured.len() - SHOWN);
    }
}

/// What one tenant would be billed now, by the built-in example's rates unless others are configured.
pub(super) async fn draft(client: &Client, tenant: &str) -> Result<()> {
    let draft: Value = client.post("/sales_draft", Some(&json!({ "tenant": tenant }))).await?;
    say!("\nA draft bill (/sales_draft), of {tenant}");
    let fields = ["service", "resource_id", "volume", "unit", "rate", "amount"];
    let lines = draft["lines"].as_array().map_or(&[][..], Vec::as_slice);
    let row = |line: &Value| fields.iter().map(|field| shown(&line[field])).collect();
    let rows: Vec<Vec<String>> = lines.iter().take(SHOWN).map(row).collect();
    table(&fields, &rows);
    if lines.len() > SHOWN {
        say!("  … and {} more lines", lines.len() - SHOWN);
    }
    say!("  total {} {}", shown(&draft["total"]), shown(&draft["currency"]));
    Ok(())
}
