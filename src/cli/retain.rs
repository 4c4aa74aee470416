//! `stackledger retain`

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::output::{say, table};
use super::{Env, No};
use crate::config::Retention;
use crate::db::Database;
use crate::projection::ALL;
use crate::retention::{self, Outcome, Step};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// As if it were this time [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(env: &Env, options: Options, now: Timestamp) -> Result<()> {
    let at = options.at.unwrap_or(now);
    if at > now && !options.dry_run {
        bail!("--at {at} is yet to come: what is kept now would be dropped; --dry-run is accepted");
    }
    let database = env.checked_database().await?;
    let retention = &env.config.file.retention;
    if options.dry_run {
        let due = retention::due(&database, retention, at).await?;
        let planned = due.into_iter().map(|step| (step, None)).collect();
        show(planned, options.json);
        return Ok(());
    }
    let taken = take(&database, retention, at).await?;
    let waits = taken.iter().any(|(_, outcome)| *outcome != Outcome::Done);
    show(taken.into_iter().map(|(step, outcome)| (step, Some(outcome))).collect(), options.json);
    if waits { Err(No.into()) } else { Ok(()) }
}

async fn take(
    database: &Database,
    retention: &Retention,
    at: Timestamp,
) -> Result<Vec<(Step, Outcome)>> {
    match retention::retain(database, ALL, retention, at).await? {
        Some(taken) => Ok(taken),
        None => bail!("another process is dropping what is old"),
    }
}

/// Each step, and what became of it, if it was taken at all.
fn show(steps: Vec<(Step, Option<Outcome>)>, as_json: bool) {
    if as_json {
        let shown = |(step, outcome): (Step, Option<Outcome>)| {
            let (outcome, why) = match outcome {
                None => ("due", None),
                Some(Outcome::Done) => ("done", None),
                Some(Outcome::Waits(why)) => ("waits", Some(why)),
            };
            json!({"step": step.name(), "what": step.to_string(), "outcome": outcome, "why": why})
        };
        let steps: Vec<Value> = steps.into_iter().map(shown).collect();
        say!("{:#}", json!({ "steps": steps }));
        return;
    }
    if steps.is_empty() {
        say!("nothing is old enough to go");
        return;
    }
    let outcome = |outcome: Option<Outcome>| match outcome {
        Some(outcome) => outcome.to_string(),
        None => "due".to_owned(),
    };
    let rows: Vec<Vec<String>> = steps
        .into_iter()
        .map(|(step, taken)| vec![step.name().to_owned(), step.to_string(), outcome(taken)])
        .collect();
    table(&["step", "what", "outcome"], &rows);
}
