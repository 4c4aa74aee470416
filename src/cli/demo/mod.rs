//! `stackledger demo`, which `scripts/up` runs: asks the endpoints about a simulated cloud, prints the
//! answers, and reports whether each agrees with the messages that were published.

mod answer;
mod deployments;
mod meters;
mod perf;
mod timing;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use self::deployments::Deployments;
use self::perf::Perf;
use self::timing::Timing;
use super::client::{Client, ServerOptions};
use super::environment::Environment;
use super::output::{AnswerIsNo, say};
use crate::simulate::compare_meters;
use crate::simulate::truth::Truth;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The output of `simulate`
    #[arg(long, value_name = "FILE")]
    truth: PathBuf,
    #[command(flatten)]
    server: ServerOptions,
}

/// How long the answers may disagree: the messages are still being read.
const AGREEMENT_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause between two requests for the same answers.
const POLL_PAUSE: Duration = Duration::from_millis(100);
/// Maximum number of differences that are printed.
const DIFFERENCES_MAX: usize = 20;

pub(super) async fn run(env: &Environment, options: Options) -> Result<()> {
    let text = std::fs::read_to_string(&options.truth)
        .with_context(|| format!("reading {}", options.truth.display()))?;
    let truth: Truth = serde_json::from_str(&text)
        .with_context(|| format!("{} is not an output of simulate", options.truth.display()))?;
    let client = Client::new(env, &options.server)?;

    let started = Instant::now();
    let (answers, differences) = loop {
        let answers = Answers::ask(&client, &truth).await?;
        let differences = answers.differences(&truth)?;
        if differences.is_empty() || started.elapsed() > AGREEMENT_TIMEOUT {
            break (answers, differences);
        }
        tokio::time::sleep(POLL_PAUSE).await;
    };
    answers.timing.print(&client, &truth).await?;
    meters::print(&answers.meters);
    answers.perf.print();
    answers.deployments.print();
    if let Some(tenant) = truth.metered_projects.first() {
        meters::print_draft(&client, tenant).await?;
    }
    say!("");
    if differences.is_empty() {
        say!("{}", summarize(&truth));
        return Ok(());
    }
    say!("{} answers differ from the published messages:", differences.len());
    differences.iter().take(DIFFERENCES_MAX).for_each(|line| say!("  {line}"));
    Err(AnswerIsNo.into())
}

/// All answers about one simulated cloud.
struct Answers {
    timing: Timing,
    /// An object per meter.
    meters: Vec<Value>,
    perf: Perf,
    deployments: Deployments,
}

impl Answers {
    async fn ask(client: &Client, truth: &Truth) -> Result<Answers> {
        Ok(Answers {
            timing: Timing::ask(client, truth).await?,
            meters: meters::ask(client, truth).await?,
            perf: Perf::ask(client, truth).await?,
            deployments: Deployments::ask(client, truth).await?,
        })
    }

    fn differences(&self, truth: &Truth) -> Result<Vec<String>> {
        let mut differences = self.timing.differences(truth)?;
        differences.extend(compare_meters(&truth.meters, &self.meters));
        differences.extend(self.perf.differences(truth));
        differences.extend(self.deployments.differences(truth));
        Ok(differences)
    }
}

/// Returns the line that is printed if nothing differs.
fn summarize(truth: &Truth) -> String {
    let metrics = truth.hosts.iter().flat_map(|host| &host.metrics);
    let parts = [
        (truth.instances.len() as u64, "builds with their operations, timings and recipes"),
        (truth.meters.iter().map(|meter| meter.samples).sum(), "samples of meters"),
        (metrics.map(|metric| metric.samples).sum(), "values of hosts"),
        (truth.deployments.len() as u64, "deployments"),
    ];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, things)| format!("{count} {things}")).collect();
    let (published, unique) = (truth.messages.published, truth.messages.unique);
    format!("All is as published: {} ({published} messages, {unique} events).", parts.join(", "))
}
