//! `stackledger demo`: what `scripts/up` shows. Asks the endpoints about a simulated cloud, prints
//! the answers, and says whether each agrees with what was published.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::client::{Client, Server};
use super::output::{say, table};
use super::{Env, No};
use crate::simulate::truth::{InstanceTruth, Truth};
use crate::simulate::{
    self, differences, incomplete_differences, meter_differences, timing_differences, timings,
};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// What `simulate` printed
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    #[command(flatten)]
    server: Server,
}

/// How long the answers may take to agree.
const PATIENCE: Duration = Duration::from_secs(30);
/// Rows of a table that are worth a newcomer's time.
const SHOWN: usize = 8;

pub(super) async fn run(env: &Env, options: Options) -> Result<()> {
    let text = std::fs::read_to_string(&options.truth)
        .with_context(|| format!("reading {}", options.truth.display()))?;
    let truth: Truth = serde_json::from_str(&text)
        .with_context(|| format!("{} is not what simulate prints", options.truth.display()))?;
    let client = Client::new(env, &options.server)?;

    let started = Instant::now();
    let (answers, measured, wrong) = loop {
        let answers = instances(&client, &truth).await?;
        let mut wrong: Vec<String> =
            truth.instances.iter().zip(&answers).flat_map(|(t, a)| differences(t, a)).collect();
        wrong.extend(timings_differ(&truth, &answers)?);
        let listed: Vec<Value> = client.all("/v1/builds/incomplete", &[]).await?;
        wrong.extend(incomplete_differences(&truth.instances, &listed));
        let measured = measured(&client, &truth).await?;
        wrong.extend(meter_differences(&truth.meters, &measured));
        if wrong.is_empty() || started.elapsed() > PATIENCE {
            break (answers, measured, wrong);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    builds(&truth.instances, &answers);
    incomplete(&client).await?;
    operations(&client).await?;
    meters(&measured);
    if let Some(tenant) = truth.metered_projects.first() {
        draft(&client, tenant).await?;
    }
    say!("");
    if wrong.is_empty() {
        say!(
            "All {} builds, with their operations, timings and recipes, and {} samples are as published: \
             {} messages, {} events.",
            truth.instances.len(),
            truth.meters.iter().map(|meter| meter.samples).sum::<u64>(),
            truth.messages.published,
            truth.messages.unique
        );
        return Ok(());
    }
    say!("{} answers differ from what was published:", wrong.len());
    wrong.iter().take(20).for_each(|line| say!("  {line}"));
    Err(No.into())
}

/// What is not there yet is an answer, too: the messages are on their way.
async fn get(client: &Client, path: &str, query: &[(&str, &str)]) -> Result<Value> {
    match client.get(path, query).await {
        Err(failure) if failure.is_not_found() => Ok(Value::Null),
        answer => Ok(answer?),
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

/// What the samples of this cloud's projects come to; `/v1/meters` may hold other clouds', too.
async fn measured(client: &Client, truth: &Truth) -> Result<Vec<Value>> {
    let mut samples: Vec<Value> = Vec::new();
    for project in &truth.metered_projects {
        let listed = client.all("/v1/samples", &[("project_id", project)]).await?;
        samples.extend(listed);
    }
    let meters = simulate::meters(&samples);
    meters.iter().map(|meter| Ok(serde_json::to_value(meter)?)).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.chars().take(48).collect(),
        other => other.to_string(),
    }
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

fn meters(measured: &[Value]) {
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
async fn draft(client: &Client, tenant: &str) -> Result<()> {
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
