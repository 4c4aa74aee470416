//! Brings the facts from which something is concluded.

use anyhow::{Context, Result};
use tokio_postgres::Transaction;
use tokio_postgres::types::Json;

use super::fact::Fact;
use super::world::World;

/// Has the tables looked up by their indexes for the rest of the transaction. Those that a replay has
/// just filled have no statistics yet, and might be read whole for a few of their rows.
pub(super) async fn by_index(tx: &Transaction<'_>) -> Result<(), tokio_postgres::Error> {
    tx.batch_execute("SET LOCAL enable_seqscan = off").await
}

/// The deployments that facts can change: those they name, and those with which the instances they
/// are about were ever registered. The facts are rows already.
pub(super) async fn touched(tx: &Transaction<'_>, facts: &[Fact]) -> Result<Vec<String>> {
    let mut named: Vec<&str> = facts.iter().filter_map(|f| f.deployment_id.as_deref()).collect();
    let mut instances: Vec<&str> = facts.iter().filter_map(|f| f.instance_id.as_deref()).collect();
    for ids in [&mut named, &mut instances] {
        ids.sort_unstable();
        ids.dedup();
    }
    let rows = tx
        .query(
            "-- deployment::touched
             SELECT deployment_id FROM fact WHERE instance_id = ANY($2) AND kind = 'registered'
             UNION SELECT unnest($1::text[])",
            &[&named, &instances],
        )
        .await
        .context("reading fact")?;
    let mut touched: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    touched.sort_unstable();
    Ok(touched)
}

/// The facts of deployments with all their instances, and of further instances. `schema` stands
/// before the tables' names, with its dot.
pub(super) async fn facts(
    tx: &Transaction<'_>,
    schema: &str,
    deployments: &[String],
    instances: &[String],
) -> Result<Vec<Fact>, tokio_postgres::Error> {
    let statement = include_str!("facts.sql").replace("{schema}", schema);
    let rows = tx.query(&statement, &[&deployments, &instances]).await?;
    let fact = |row: &tokio_postgres::Row| {
        let Json(said) = row.get("said");
        Fact::new(row.get("event_id"), row.get("occurred_at"), said)
    };
    Ok(rows.iter().map(fact).collect())
}

/// All that the report of a deployment needs, from the live tables: its facts, and those of the
/// instances of other deployments that it refers to.
///
/// # Errors
///
/// When the database does not answer, or there is no read model yet.
pub async fn of_deployment(
    tx: &Transaction<'_>,
    deployment_id: &str,
) -> Result<Vec<Fact>, tokio_postgres::Error> {
    by_index(tx).await?;
    let mut all = facts(tx, "deployment.", &[deployment_id.to_owned()], &[]).await?;
    let strangers = World::of(&all).strangers();
    if !strangers.is_empty() {
        all.extend(facts(tx, "deployment.", &[], &strangers).await?);
    }
    Ok(all)
}

/// As [`of_deployment`], of the deployment that an instance was last registered with, and its id.
/// `None` where it was not.
///
/// # Errors
///
/// When the database does not answer, or there is no read model yet.
pub async fn of_instance(
    tx: &Transaction<'_>,
    instance_id: &str,
) -> Result<Option<(String, Vec<Fact>)>, tokio_postgres::Error> {
    let statement = "-- deployment::home
        SELECT deployment_id FROM deployment.instance WHERE instance_id = $1";
    let Some(row) = tx.query_opt(statement, &[&instance_id]).await? else { return Ok(None) };
    let deployment_id: String = row.get(0);
    let facts = of_deployment(tx, &deployment_id).await?;
    Ok(Some((deployment_id, facts)))
}
