//! Writes facts, and the summaries of deployments and instances that follow from them.

use std::collections::HashSet;

use anyhow::Result;
use jiff::Timestamp;
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::attempt::Attempt;
use super::deployments::Deployments;
use super::fact::Fact;
use super::rows::{DeploymentRow, FactRow, InstanceRow};
use crate::projection::engine::table::{copy, delete, select};

/// Inserts the facts that the table does not contain yet.
pub(super) async fn insert_facts(tx: &Transaction<'_>, facts: Vec<Fact>) -> Result<()> {
    let ids: Vec<Uuid> = facts.iter().map(|fact| fact.event_id).collect();
    // The log has each event once, so that this finds next to nothing.
    let known: Vec<FactRow> = select(tx, "event_id = ANY($1)", &[&ids]).await?;
    let mut known: HashSet<(Uuid, Timestamp)> =
        known.iter().map(|row| (row.event_id, row.occurred_at)).collect();
    let new = facts.into_iter().filter(|fact| known.insert((fact.event_id, fact.occurred_at)));
    let new: Vec<FactRow> = new.map(FactRow::from).collect();
    copy(tx, &new).await
}

/// Replaces the rows of these deployments, and of the instances whose last registration is with one of
/// them.
pub(super) async fn replace_summaries(
    tx: &Transaction<'_>,
    deployments: &Deployments<'_>,
    ids: &[String],
) -> Result<()> {
    let written: HashSet<&str> = ids.iter().map(String::as_str).collect();
    let instances: Vec<InstanceRow> = deployments
        .attempts_by_instance()
        .filter_map(<[Attempt]>::last)
        .filter(|attempt| written.contains(attempt.deployment_id.as_str()))
        .map(|attempt| InstanceRow::of(attempt, deployments.is_deleted(attempt)))
        .collect();
    let deployments: Vec<DeploymentRow> = ids
        .iter()
        .filter_map(|id| deployments.generations(id).pop())
        .map(DeploymentRow::of)
        .collect();
    let ids: Vec<&str> = deployments.iter().map(|row| row.deployment_id.as_str()).collect();
    delete::<DeploymentRow>(tx, "deployment_id = ANY($1)", &[&ids]).await?;
    copy(tx, &deployments).await?;
    let ids: Vec<&str> = instances.iter().map(|row| row.instance_id.as_str()).collect();
    delete::<InstanceRow>(tx, "instance_id = ANY($1)", &[&ids]).await?;
    copy(tx, &instances).await
}
