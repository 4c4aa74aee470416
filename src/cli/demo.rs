//! `stackledger demo`: what `scripts/up` shows. Asks the endpoints about a simulated cloud, prints
//! the answers, and says whether each agrees with what was published.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::output::{say, table};
use super::{Env, No};
use crate::simulate::truth::{InstanceTruth, Truth};
use crate::simulate::{differences, incomplete_differences, timing_differences, timings};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// What `simulate` printed
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    /// Where to ask
    #[arg(long, env = "STACKLEDGER_URL")]
    url: Option<String>,
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
    let url = options.url.unwrap_or_else(|| format!("http://{}", env.config.listen));
    let client = Client { http: reqwest::Client::new(), url };

    let started = Instant::now();
    let (answers, wrong) = loop {
        let answers = instances(&client, &truth).await?;
        let mut wrong: Vec<String> =
            truth.instances.iter().zip(&answers).flat_map(|(t, a)| differences(t, a)).collect();
        wrong.extend(timings_differ(&truth, &answers)?);
        let listed = all_incomplete(&client).await?;
        wrong.extend(incomplete_differences(&truth.instances, &listed));
        if wrong.is_empty() || started.elapsed() > PATIENCE {
            break (answers, wrong);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    builds(&truth.instances, &answers);
    incomplete(&client).await?;
    operations(&client).await?;
    say!("");
    if wrong.is_empty() {
        say!(
            "All {} builds, with their operations, timings and recipes, are as published: {} messages, {} events.",
            truth.instances.len(),
            truth.messages.published,
            truth.messages.unique
        );
        return Ok(());
    }
    say!("{} answers differ from what was published:", wrong.len());
    wrong.iter().take(20).for_each(|line| say!("  {line}"));
    Err(No.into())
}

struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    async fn get(&self, path: &str) -> Result<Value> {
        let url = format!("{}{path}", self.url);
        let response = self.http.get(&url).send().await.with_context(|| format!("asking {url}"))?;
        // What is not there yet is an answer, too: the messages are on their way.
        if response.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(Value::Null);
        }
        if !response.status().is_success() {
            bail!(
                "{url} answers {}: {}",
                response.status(),
                response.text().await.unwrap_or_default()
            );
        }
        Ok(response.json().await?)
    }
}

async fn instances(client: &Client, truth: &Truth) -> Result<Vec<Value>> {
    stream::iter(&truth.instances)
        .map(|instance| async {
            client.get(&format!("/v1/instances/{}", instance.instance_id)).await
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

/// All incomplete builds, page by page.
async fn all_incomplete(client: &Client) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    let mut path = "/v1/builds/incomplete?limit=1000".to_owned();
    loop {
        let page = client.get(&path).await?;
        all.extend(page["items"].as_array().into_iter().flatten().cloned());
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/builds/incomplete?limit=1000&cursor={next}"),
            None => return Ok(all),
        }
    }
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
    let answer = client.get("/v1/builds/incomplete?limit=5").await?;
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
    let answer = client.get("/v1/timings").await?;
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
