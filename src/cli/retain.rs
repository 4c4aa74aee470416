//! `stackledger retain`

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::environment::Environment;
use super::output::{AnswerIsNo, print_table, say};
use crate::config::Retention;
use crate::db::Database;
use crate::projection::ALL;
use crate::retention::{self, Outcome, Step};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Time that retention is counted back from [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Only print the steps that are due
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(env: &Environment, options: Options, now: Timestamp) -> Result<()> {
    let at = options.at.unwrap_or(now);
    if at > now && !options.dry_run {
        bail!(
            "--at {at} is in the future: data within its retention would be dropped; add --dry-run"
        );
    }
    let database = env.checked_database().await?;
    let retention = &env.config.file.retention;
    if options.dry_run {
        let due = retention::list_due_steps(&database, retention, at).await?;
        print_steps(due.into_iter().map(|step| (step, None)).collect(), options.json);
        return Ok(());
    }
    let steps = take_steps(&database, retention, at).await?;
    let waits = steps.iter().any(|(_, outcome)| *outcome != Outcome::Done);
    let steps = steps.into_iter().map(|(step, outcome)| (step, Some(outcome)));
    print_steps(steps.collect(), options.json);
    if waits { Err(AnswerIsNo.into()) } else { Ok(()) }
}

/// Takes all steps that are due, unless another process is taking them.
async fn take_steps(
    database: &Database,
    retention: &Retention,
    at: Timestamp,
) -> Result<Vec<(Step, Outcome)>> {
    match retention::retain(database, ALL, retention, at).await? {
        Some(steps) => Ok(steps),
        None => bail!("another process is dropping old data"),
    }
}

/// Prints each step with its outcome; `None`: it is due and was not taken.
fn print_steps(steps: Vec<(Step, Option<Outcome>)>, as_json: bool) {
    if as_json {
        let object = |(step, outcome): (Step, Option<Outcome>)| {
            let (outcome, why) = match outcome {
                None => ("due", None),
                Some(Outcome::Done) => ("done", None),
                Some(Outcome::Waiting(why)) => ("waits", Some(why)),
            };
            json!({"step": step.name(), "what": step.to_string(), "outcome": outcome, "why": why})
        };
        let steps: Vec<Value> = steps.into_iter().map(object).collect();
        say!("{:#}", json!({ "steps": steps }));
        return;
    }
    if steps.is_empty() {
        say!("no data is older than its retention");
        return;
    }
    let outcome = |outcome: Option<Outcome>| match outcome {
        Some(outcome) => outcome.to_string(),
        None => "due".to_owned(),
    };
    let rows: Vec<Vec<String>> = steps
        .into_iter()
        .map(|(step, result)| vec![step.name().to_owned(), step.to_string(), outcome(result)])
        .collect();
    print_table(&["step", "what", "outcome"], &rows);
}
