//! Builds and operations.

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::answer::{REQUESTS_MAX, ROWS_MAX, get, to_cell};
use crate::cli::client::Client;
use crate::cli::output::{print_table, say};
use crate::simulate::truth::{InstanceTruth, Truth};
use crate::simulate::{
    compare_incomplete_builds, compare_instance, compare_timing, sum_operations,
};

/// The answers about this cloud's instances.
pub(super) struct Timing {
    instances: Vec<Value>,
    incomplete: Vec<Value>,
}

impl Timing {
    pub async fn ask(client: &Client, truth: &Truth) -> Result<Timing> {
        let instances = ask_instances(client, truth).await?;
        Ok(Timing { instances, incomplete: client.get_all("/v1/builds/incomplete", &[]).await? })
    }

    /// Returns the differences to the published messages, each in a line.
    pub fn differences(&self, truth: &Truth) -> Result<Vec<String>> {
        let pairs = truth.instances.iter().zip(&self.instances);
        let mut all: Vec<String> = pairs.flat_map(|(t, a)| compare_instance(t, a)).collect();
        all.extend(compare_timings(truth, &self.instances)?);
        all.extend(compare_incomplete_builds(&truth.instances, &self.incomplete));
        Ok(all)
    }

    pub async fn print(&self, client: &Client, truth: &Truth) -> Result<()> {
        print_builds(&truth.instances, &self.instances);
        print_incomplete(client).await?;
        print_operations(client).await
    }
}

async fn ask_instances(client: &Client, truth: &Truth) -> Result<Vec<Value>> {
    stream::iter(&truth.instances)
        .map(|instance| async {
            get(client, &format!("/v1/instances/{}", instance.instance_id), &[]).await
        })
        .buffered(REQUESTS_MAX)
        .try_collect()
        .await
}

/// Returns the differences between the durations of this cloud's operations and the published ones.
/// `/v1/timings` may include other clouds, so the durations are taken from the answers about instances.
fn compare_timings(truth: &Truth, answers: &[Value]) -> Result<Vec<String>> {
    let answered = sum_operations(answers);
    let mut differences = Vec::new();
    if answered.len() != truth.timings.len() {
        let (answered, expected) = (answered.len(), truth.timings.len());
        differences.push(format!("kinds of operations: {answered}, expected {expected}"));
    }
    for expected in &truth.timings {
        let answered = answered.iter().find(|answered| answered.operation == expected.operation);
        differences.extend(compare_timing(expected, &serde_json::to_value(answered)?, 0.0));
    }
    Ok(differences)
}

fn print_builds(truths: &[InstanceTruth], answers: &[Value]) {
    say!("\nBuilds (/v1/instances/ID)");
    let row = |answer: &Value| {
        let build = &answer["build"];
        let cells = [
            &answer["name"],
            &build["status"],
            &build["duration_s"],
            &build["spawn_s"],
            &build["attempts"],
            &answer["host"],
            &build["error"],
        ];
        cells.map(to_cell).to_vec()
    };
    let rows: Vec<Vec<String>> = answers.iter().take(ROWS_MAX).map(row).collect();
    print_table(&["name", "status", "duration_s", "spawn_s", "attempts", "host", "error"], &rows);
    if truths.len() > ROWS_MAX {
        say!("  … and {} more", truths.len() - ROWS_MAX);
    }
}

async fn print_incomplete(client: &Client) -> Result<()> {
    say!("\nStuck builds (/v1/builds/incomplete)");
    let answer = get(client, "/v1/builds/incomplete", &[("limit", "5")]).await?;
    let rows: Vec<Vec<String>> = answer["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            [&item["name"], &item["phase"], &item["age_s"], &item["last_kind"]]
                .map(to_cell)
                .to_vec()
        })
        .collect();
    print_table(&["name", "phase", "age_s", "last event"], &rows);
    Ok(())
}

async fn print_operations(client: &Client) -> Result<()> {
    say!("\nOperations (/v1/timings)");
    let answer = get(client, "/v1/timings", &[]).await?;
    let fields = ["count", "failed", "open", "p50_s", "p95_s", "max_s"];
    let rows: Vec<Vec<String>> = answer["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            let mut row = vec![to_cell(&item["group"])];
            row.extend(fields.iter().map(|field| to_cell(&item[field])));
            row
        })
        .collect();
    print_table(&["operation", "count", "failed", "open", "p50_s", "p95_s", "max_s"], &rows);
    Ok(())
}
