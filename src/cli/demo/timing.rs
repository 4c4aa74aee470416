//! Builds and operations.

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::{SHOWN, get, shown};
use crate::cli::client::Client;
use crate::cli::output::{say, table};
use crate::simulate::truth::{InstanceTruth, Truth};
use crate::simulate::{differences, incomplete_differences, timing_differences, timings};

/// What is answered about this cloud's instances.
pub(super) struct Timing {
    instances: Vec<Value>,
    incomplete: Vec<Value>,
}

impl Timing {
    pub async fn ask(client: &Client, truth: &Truth) -> Result<Timing> {
        let instances = instances(client, truth).await?;
        Ok(Timing { instances, incomplete: client.all("/v1/builds/incomplete", &[]).await? })
    }

    /// Where it differs from what was published.
    pub fn differences(&self, truth: &Truth) -> Result<Vec<String>> {
        let told = truth.instances.iter().zip(&self.instances);
        let mut wrong: Vec<String> = told.flat_map(|(t, a)| differences(t, a)).collect();
        wrong.extend(timings_differ(truth, &self.instances)?);
        wrong.extend(incomplete_differences(&truth.instances, &self.incomplete));
        Ok(wrong)
    }

    pub async fn show(&self, client: &Client, truth: &Truth) -> Result<()> {
        builds(&truth.instances, &self.instances);
        incomplete(client).await?;
        operations(client).await
    }
}

async fn instances(client: &Client, truth: &Truth) -> Result<Vec<Value>> {
    stream::iter(&truth.instances)
        .map(|instance| async {
            get(client, &format!("/v1/instances/{}", instance.instance_id), &[]).await
        })
        .buffered(8)
        .try_collect()
        .await
}

/// Where this cloud's operations took other times than were published. `/v1/timings` may hold other
/// clouds', too, so they are added up from the answers about instances.
fn timings_differ(truth: &Truth, answers: &[Value]) -> Result<Vec<String>> {
    let answered = timings(answers);
    let mut wrong = Vec::new();
    if answered.len() != truth.timings.len() {
        let (answered, told) = (answered.len(), truth.timings.len());
        wrong.push(format!("kinds of operations: {answered}, expected {told}"));
    }
    for told in &truth.timings {
        let answered = answered.iter().find(|answered| answered.operation == told.operation);
        wrong.extend(timing_differences(told, &serde_json::to_value(answered)?, 0.0));
    }
    Ok(wrong)
}

fn builds(truths: &[InstanceTruth], answers: &[Value]) {
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
        cells.map(shown).to_vec()
    };
    let rows: Vec<Vec<String>> = answers.iter().take(SHOWN).map(row).collect();
    table(&["name", "status", "duration_s", "spawn_s", "attempts", "host", "error"], &rows);
    if truths.len() > SHOWN {
        say!("  … and {} more", truths.len() - SHOWN);
    }
}

async fn incomplete(client: &Client) -> Result<()> {
    say!("\nStuck builds (/v1/builds/incomplete)");
    let answer = get(client, "/v1/builds/incomplete", &[("limit", "5")]).await?;
    let rows: Vec<Vec<String>> = answer["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            [&item["name"], &item["phase"], &item["age_s"], &item["last_kind"]].map(shown).to_vec()
        })
        .collect();
    table(&["name", "phase", "age_s", "last heard"], &rows);
    Ok(())
}

async fn operations(client: &Client) -> Result<()> {
    say!("\nOperations (/v1/timings)");
    let answer = get(client, "/v1/timings", &[]).await?;
    let fields = ["count", "failed", "open", "p50_s", "p95_s", "max_s"];
    let rows: Vec<Vec<String>> = answer["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| {
            let mut row = vec![shown(&item["group"])];
            row.extend(fields.iter().map(|field| shown(&item[field])));
            row
        })
        .collect();
    table(&["operation", "count", "failed", "open", "p50_s", "p95_s", "max_s"], &rows);
    Ok(())
}
