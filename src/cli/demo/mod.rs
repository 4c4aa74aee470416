//! `stackledger demo`: what `scripts/up` shows. Asks the endpoints about a simulated cloud, prints
//! the answers, and says whether each agrees with what was published.

mod deployments;
mod meters;
mod perf;
mod timing;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::client::{Client, Server};
use super::output::say;
use super::{Env, No};
use crate::simulate::meter_differences;
use crate::simulate::truth::Truth;
use deployments::Deployments;
use perf::Perf;
use timing::Timing;

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
    let (answers, wrong) = loop {
        let answers = Answers::ask(&client, &truth).await?;
        let wrong = answers.differences(&truth)?;
        if wrong.is_empty() || started.elapsed() > PATIENCE {
            break (answers, wrong);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    answers.timing.show(&client, &truth).await?;
    meters::show(&answers.measured);
    answers.perf.show();
    answers.deployments.show();
    if let Some(tenant) = truth.metered_projects.first() {
        meters::draft(&client, tenant).await?;
    }
    say!("");
    if wrong.is_empty() {
        say!("{}", all(&truth));
        return Ok(());
    }
    say!("{} answers differ from what was published:", wrong.len());
    wrong.iter().take(20).for_each(|line| say!("  {line}"));
    Err(No.into())
}

/// Everything that is answered about one simulated cloud.
struct Answers {
    timing: Timing,
    /// An entry per meter.
    measured: Vec<Value>,
    perf: Perf,
    deployments: Deployments,
}

impl Answers {
    async fn ask(client: &Client, truth: &Truth) -> Result<Answers> {
        Ok(Answers {
            timing: Timing::ask(client, truth).await?,
            measured: meters::ask(client, truth).await?,
            perf: Perf::ask(client, truth).await?,
            deployments: Deployments::ask(client, truth).await?,
        })
    }

    fn differences(&self, truth: &Truth) -> Result<Vec<String>> {
        let mut wrong = self.timing.differences(truth)?;
        wrong.extend(meter_differences(&truth.meters, &self.measured));
        wrong.extend(self.perf.differences(truth));
        wrong.extend(self.deployments.differences(truth));
        Ok(wrong)
    }
}

/// What it means that nothing differs.
fn all(truth: &Truth) -> String {
    let metrics = truth.hosts.iter().flat_map(|host| &host.metrics);
    let parts = [
        (truth.instances.len() as u64, "builds with their operations, timings and recipes"),
        (truth.meters.iter().map(|meter| meter.samples).sum(), "samples of meters"),
        (metrics.map(|metric| metric.samples).sum(), "values of hosts"),
        (truth.deployments.len() as u64, "deployments"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, what)| format!("{count} {what}")).collect();
    let (published, unique) = (truth.messages.published, truth.messages.unique);
    format!("All is as published: {} ({published} messages, {unique} events).", parts.join(", "))
}

/// What is not there yet is an answer, too: the messages are on their way.
async fn get(client: &Client, path: &str, query: &[(&str, &str)]) -> Result<Value> {
    match client.get(path, query).await {
        Err(failure) if failure.is_not_found() => Ok(Value::Null),
        answer => Ok(answer?),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.chars().take(48).collect(),
        other => other.to_string(),
    }
}
