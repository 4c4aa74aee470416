//! Loads the parts of a report.

use std::collections::HashMap;

use deadpool_postgres::Object;
use jiff::Timestamp;

use crate::api::State;
use crate::http::Problem;
use crate::projection::deployment::{self, Attempt, Deployment, Deployments, Fact, SilenceLimit};
use crate::projection::moment;
use crate::projection::timing::routes::{Nova, load_nova};

/// Nova's view of instances, by id.
pub(in crate::api) type NovaByInstance = HashMap<String, Nova>;

/// Returns the limit of silence that the configuration sets, as of `at`.
pub(in crate::api) fn silence_limit(state: &State, at: Timestamp) -> SilenceLimit {
    SilenceLimit { at, abandoned_after: state.file.reports.abandoned_after }
}

/// Reads the facts that the report of a deployment depends on, as of one moment.
pub(in crate::api) async fn load_facts_of_deployment(
    client: &mut Object,
    id: &str,
) -> Result<Vec<Fact>, Problem> {
    let tx = moment(client).await?;
    Ok(deployment::load_facts_of_deployment(&tx, id).await?)
}

/// Reads the facts that the report of an instance depends on, as of one moment.
///
/// # Errors
///
/// 404 if the instance was never registered.
pub(in crate::api) async fn load_facts_of_instance(
    client: &mut Object,
    id: &str,
) -> Result<Vec<Fact>, Problem> {
    let tx = moment(client).await?;
    deployment::load_facts_of_instance(&tx, id).await?.ok_or_else(unknown_instance)
}

/// Reads the builds and recipes of instances, as far as Nova and the recipes report them.
pub(in crate::api) async fn load_nova_of(
    client: &Object,
    attempts: &[Attempt],
) -> Result<NovaByInstance, Problem> {
    let ids: Vec<&str> = attempts.iter().map(|attempt| attempt.instance_id.as_str()).collect();
    Ok(load_nova(&***client, &ids).await?)
}

/// Returns the last generation of a deployment, and the ones before it.
///
/// # Errors
///
/// 404 if there is none.
pub(in crate::api) fn find_last_generation(
    deployments: &Deployments<'_>,
    id: &str,
) -> Result<(Deployment, Vec<Deployment>), Problem> {
    let mut all = deployments.generations(id);
    let last = all.pop();
    let last = last.ok_or_else(|| Problem::not_found("no event names this deployment"))?;
    Ok((last, all))
}

/// Returns the last attempt of an instance.
///
/// # Errors
///
/// 404 if it was never registered, or its deployment was deleted since.
pub(in crate::api) fn find_last_attempt<'a>(
    deployments: &'a Deployments<'_>,
    id: &str,
) -> Result<&'a Attempt, Problem> {
    let attempt = deployments.attempts_of(id).last().ok_or_else(unknown_instance)?;
    if deployments.is_deleted(attempt) {
        return Err(Problem::not_found("this instance's deployment was deleted"));
    }
    Ok(attempt)
}

fn unknown_instance() -> Problem {
    Problem::not_found("this instance is not registered with any deployment")
}
