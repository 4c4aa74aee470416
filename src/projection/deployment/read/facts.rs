//! The facts that a report or a summary depends on.

use anyhow::{Context, Result};
use tokio_postgres::Transaction;
use tokio_postgres::types::Json;

use crate::projection::deployment::deployments::Deployments;
use crate::projection::deployment::fact::Fact;

/// Has the tables looked up by their indexes for the rest of the transaction. Tables that a replay has just
/// filled have no statistics yet, and might be read whole for a few of their rows.
pub(in crate::projection::deployment) async fn prefer_indexes(
    tx: &Transaction<'_>,
) -> Result<(), tokio_postgres::Error> {
    tx.batch_execute("SET LOCAL enable_seqscan = off").await
}

/// Returns the deployments that these facts can change, in order: the ones they name, and the ones with
/// which their instances were ever registered.
pub(in crate::projection::deployment) async fn list_affected(
    tx: &Transaction<'_>,
    facts: &[Fact],
) -> Result<Vec<String>> {
    let mut named: Vec<&str> = facts.iter().filter_map(|f| f.deployment_id.as_deref()).collect();
    let mut instances: Vec<&str> = facts.iter().filter_map(|f| f.instance_id.as_deref()).collect();
    for ids in [&mut named, &mut instances] {
        ids.sort_unstable();
        ids.dedup();
    }
    let rows = tx
        .query(
            "-- deployment::list_affected
             SELECT deployment_id FROM fact WHERE instance_id = ANY($2) AND kind = 'registered'
             UNION SELECT unnest($1::text[])",
            &[&named, &instances],
        )
        .await
        .context("reading fact")?;
    let mut affected: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    affected.sort_unstable();
    Ok(affected)
}

/// Reads the facts of deployments with all their instances, and of further instances. Repetitions that
/// change nothing are left out. `schema` precedes the tables' names, with its dot.
pub(in crate::projection::deployment) async fn load_facts(
    tx: &Transaction<'_>,
    schema: &str,
    deployments: &[String],
    instances: &[String],
) -> Result<Vec<Fact>, tokio_postgres::Error> {
    let statement = include_str!("facts.sql").replace("{schema}", schema);
    let rows = tx.query(&statement, &[&deployments, &instances]).await?;
    let fact = |row: &tokio_postgres::Row| {
        let Json(event) = row.get("said");
        Fact::new(row.get("event_id"), row.get("occurred_at"), event)
    };
    Ok(rows.iter().map(fact).collect())
}

/// Reads all that the report of a deployment depends on, from the live tables: its facts, and the facts
/// of the instances of other deployments that it refers to.
///
/// # Errors
///
/// When the database does not answer, or there is no read model yet.
pub async fn load_facts_of_deployment(
    tx: &Transaction<'_>,
    deployment_id: &str,
) -> Result<Vec<Fact>, tokio_postgres::Error> {
    prefer_indexes(tx).await?;
    let mut all = load_facts(tx, "deployment.", &[deployment_id.to_owned()], &[]).await?;
    let unknown = Deployments::of(&all).unknown_instances();
    if !unknown.is_empty() {
        all.extend(load_facts(tx, "deployment.", &[], &unknown).await?);
    }
    Ok(all)
}

/// As [`load_facts_of_deployment`], of the deployment that an instance was last registered with. `None` if it
/// was never registered.
///
/// # Errors
///
/// When the database does not answer, or there is no read model yet.
pub async fn load_facts_of_instance(
    tx: &Transaction<'_>,
    instance_id: &str,
) -> Result<Option<Vec<Fact>>, tokio_postgres::Error> {
    let statement = "-- deployment::deployment_of_instance
        SELECT deployment_id FROM deployment.instance WHERE instance_id = $1";
    let Some(row) = tx.query_opt(statement, &[&instance_id]).await? else { return Ok(None) };
    load_facts_of_deployment(tx, row.get(0)).await.map(Some)
}
