//! Writes facts, and what is concluded of deployments and instances as a whole.

use std::collections::HashSet;

use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Serialize;
use tokio_postgres::Transaction;
use tokio_postgres::types::Json;

use super::attempt::Attempt;
use super::fact::Fact;
use super::generation::Deployment;
use super::state::{State, Status};
use super::world::World;

/// A row of `deployment`.
#[derive(Debug, Serialize)]
struct DeploymentRow<'a> {
    deployment_id: &'a str,
    generation: usize,
    name: Option<&'a str>,
    project_id: Option<&'a str>,
    status: Option<&'static str>,
    state: &'static str,
    declared_at: Option<Timestamp>,
    registered_at: Timestamp,
    completed_at: Option<Timestamp>,
    deleted_at: Option<Timestamp>,
    first_at: Timestamp,
    last_at: Timestamp,
    instances: usize,
    missing: usize,
    services: usize,
}

/// A row of `instance`.
#[derive(Debug, Serialize)]
struct InstanceRow<'a> {
    instance_id: &'a str,
    deployment_id: &'a str,
    attempt: usize,
    assembly: Option<&'a str>,
    status: Option<&'static str>,
    state: &'static str,
    registered_at: Timestamp,
    first_contacted_at: Option<Timestamp>,
    last_contacted_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    last_at: Timestamp,
    services: usize,
}

/// Adds the facts that are not there.
pub(super) async fn facts(tx: &Transaction<'_>, facts: &[Fact]) -> Result<()> {
    let statement = "-- deployment::insert_fact
        INSERT INTO fact SELECT * FROM jsonb_populate_recordset(NULL::fact, $1)
        ON CONFLICT DO NOTHING";
    tx.execute(statement, &[&Json(facts)]).await.context("writing fact")?;
    Ok(())
}

/// Replaces the rows of these deployments and of the instances that are in them.
pub(super) async fn conclusions(
    tx: &Transaction<'_>,
    world: &World<'_>,
    ids: &[String],
) -> Result<()> {
    let deployments: Vec<Deployment> =
        ids.iter().filter_map(|id| world.deployments(id).pop()).collect();
    let deployments: Vec<DeploymentRow<'_>> = deployments.iter().map(DeploymentRow::of).collect();
    let concluded: HashSet<&str> = ids.iter().map(String::as_str).collect();
    let instances: Vec<InstanceRow<'_>> = world
        .stories()
        .filter_map(<[Attempt]>::last)
        .filter(|attempt| concluded.contains(attempt.deployment_id.as_str()))
        .map(|attempt| InstanceRow::of(attempt, world.is_deleted(attempt)))
        .collect();
    let deployment_ids: Vec<&str> = deployments.iter().map(|row| row.deployment_id).collect();
    replace(tx, "deployment", &deployment_ids, &deployments).await?;
    let instance_ids: Vec<&str> = instances.iter().map(|row| row.instance_id).collect();
    replace(tx, "instance", &instance_ids, &instances).await
}

async fn replace(
    tx: &Transaction<'_>,
    table: &str,
    ids: &[&str],
    rows: &(impl Serialize + std::fmt::Debug + Sync),
) -> Result<()> {
    let gone = format!("-- deployment::delete\nDELETE FROM {table} WHERE {table}_id = ANY($1)");
    let new = format!(
        "-- deployment::insert
         INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, $1)"
    );
    tx.execute(&gone, &[&ids]).await.with_context(|| format!("replacing {table}"))?;
    tx.execute(&new, &[&Json(rows)]).await.with_context(|| format!("writing {table}"))?;
    Ok(())
}

impl<'a> DeploymentRow<'a> {
    fn of(deployment: &'a Deployment) -> Self {
        DeploymentRow {
            deployment_id: &deployment.deployment_id,
            generation: deployment.number,
            name: deployment.name.as_deref(),
            project_id: deployment.project_id.as_deref(),
            status: deployment.status().map(Status::as_str),
            state: deployment.state().as_str(),
            declared_at: deployment.declared_at,
            registered_at: deployment.registered_at(),
            completed_at: deployment.completed_at(),
            deleted_at: deployment.deleted_at,
            first_at: deployment.first_at,
            last_at: deployment.last_at,
            instances: deployment.instances.len(),
            missing: deployment.missing().count(),
            services: deployment.instances.iter().map(|attempt| attempt.services.len()).sum(),
        }
    }
}

impl<'a> InstanceRow<'a> {
    fn of(attempt: &'a Attempt, is_deleted: bool) -> Self {
        let state = if is_deleted { State::Deleted } else { attempt.state() };
        InstanceRow {
            instance_id: &attempt.instance_id,
            deployment_id: &attempt.deployment_id,
            attempt: attempt.number,
            assembly: attempt.assembly.as_deref(),
            status: attempt.status().map(Status::as_str),
            state: state.as_str(),
            registered_at: attempt.registered_at,
            first_contacted_at: attempt.contacted.map(|(first, _)| first),
            last_contacted_at: attempt.contacted.map(|(_, last)| last),
            completed_at: attempt.completed_at(),
            last_at: attempt.last_at,
            services: attempt.services.len(),
        }
    }
}
