//! Samples, and a draft of the bill for them.

use anyhow::Result;
use serde_json::{Value, json};

use super::answer::{ROWS_MAX, to_cell};
use crate::cli::client::Client;
use crate::cli::output::{print_table, say};
use crate::simulate;
use crate::simulate::truth::Truth;

/// Returns an object per meter, summed from the samples of this cloud's projects; `/v1/meters` may
/// include other clouds.
pub(super) async fn ask(client: &Client, truth: &Truth) -> Result<Vec<Value>> {
    let mut samples: Vec<Value> = Vec::new();
    for project in &truth.metered_projects {
        let page: Vec<Value> = client.get_all("/v1/samples", &[("project_id", project)]).await?;
        samples.extend(page);
    }
    let meters = simulate::sum_samples(&samples);
    meters.iter().map(|meter| Ok(serde_json::to_value(meter)?)).collect()
}

/// Prints the meters.
pub(super) fn print(meters: &[Value]) {
    say!("\nSamples (/v1/samples, added up)");
    let fields = ["meter", "type", "unit", "samples", "sum"];
    let row = |meter: &Value| fields.iter().map(|field| to_cell(&meter[field])).collect();
    let rows: Vec<Vec<String>> = meters.iter().take(ROWS_MAX).map(row).collect();
    print_table(&fields, &rows);
    if meters.len() > ROWS_MAX {
        say!("  … and {} more meters", meters.len() - ROWS_MAX);
    }
}

/// Prints what a tenant would be billed now, at the configured rates or else the built-in example's.
pub(super) async fn print_draft(client: &Client, tenant: &str) -> Result<()> {
    let draft: Value = client.post("/sales_draft", Some(&json!({ "tenant": tenant }))).await?;
    say!("\nA draft bill (/sales_draft), of {tenant}");
    let fields = ["service", "resource_id", "volume", "unit", "rate", "amount"];
    let lines = draft["lines"].as_array().map_or(&[][..], Vec::as_slice);
    let row = |line: &Value| fields.iter().map(|field| to_cell(&line[field])).collect();
    let rows: Vec<Vec<String>> = lines.iter().take(ROWS_MAX).map(row).collect();
    print_table(&fields, &rows);
    if lines.len() > ROWS_MAX {
        say!("  … and {} more lines", lines.len() - ROWS_MAX);
    }
    say!("  total {} {}", to_cell(&draft["total"]), to_cell(&draft["currency"]));
    Ok(())
}
