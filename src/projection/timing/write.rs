//! Writes a change: removed rows are deleted and added rows copied in, one statement each per table. A row
//! whose columns changed is deleted and copied in again.

use anyhow::Result;
use tokio_postgres::Transaction;

use super::change::Change;
use super::hours;
use super::read::load_hours;
use super::rows::{Hour, Instance, Operation, Recipe, Request};
use crate::projection::engine::table::{copy, delete};

/// Writes a change to the tables of the search path's schema, and the hourly sums that follow from it.
pub(super) async fn write_change(
    tx: &Transaction<'_>,
    Change { removed, added }: &Change,
) -> Result<()> {
    delete_instances(tx, &removed.instances).await?;
    copy(tx, &added.instances).await?;

    delete_operations(tx, &removed.operations).await?;
    copy(tx, &added.operations).await?;
    write_hours(tx, &removed.operations, &added.operations).await?;

    // Calls are only ever added, here and below.
    copy(tx, &added.failed_calls).await?;

    delete_recipes(tx, &removed.recipes).await?;
    copy(tx, &added.recipes).await?;

    copy(tx, &added.calls).await?;

    delete_requests(tx, &removed.requests).await?;
    copy(tx, &added.requests).await
}

/// Updates the sums by the operations that changed.
async fn write_hours(
    tx: &Transaction<'_>,
    removed: &[Operation],
    added: &[Operation],
) -> Result<()> {
    let deltas = hours::compute_deltas(removed, added);
    let before = load_hours(tx, deltas.keys()).await?;
    let after = hours::fold(&before, deltas);
    delete_hours(tx, &before).await?;
    copy(tx, &after).await
}

async fn delete_instances(tx: &Transaction<'_>, rows: &[Instance]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = rows.iter().map(|row| row.instance_id.as_str()).collect();
    let condition = "instance_id = ANY($1)";
    delete::<Instance>(tx, condition, &[&ids]).await
}

async fn delete_operations(tx: &Transaction<'_>, rows: &[Operation]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let instances: Vec<&str> = rows.iter().map(|row| row.instance_id.as_str()).collect();
    let names: Vec<&str> = rows.iter().map(|row| row.operation.as_str()).collect();
    let times: Vec<_> = rows.iter().map(|row| row.at).collect();
    let ids: Vec<_> = rows.iter().map(|row| row.operation_id).collect();
    let condition = "(instance_id, operation, at, operation_id) IN
            (SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::uuid[]))";
    delete::<Operation>(tx, condition, &[&instances, &names, &times, &ids]).await
}

async fn delete_hours(tx: &Transaction<'_>, rows: &[Hour]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let operations: Vec<&str> = rows.iter().map(|row| row.operation.as_str()).collect();
    let dimensions: Vec<&str> = rows.iter().map(|row| row.dimension.as_str()).collect();
    let hours: Vec<_> = rows.iter().map(|row| row.hour).collect();
    let values: Vec<&str> = rows.iter().map(|row| row.value.as_str()).collect();
    let condition = "(operation, dimension, hour, value) IN
            (SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]))";
    delete::<Hour>(tx, condition, &[&operations, &dimensions, &hours, &values]).await
}

async fn delete_recipes(tx: &Transaction<'_>, rows: &[Recipe]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let instances: Vec<&str> = rows.iter().map(|row| row.instance_id.as_str()).collect();
    let names: Vec<&str> = rows.iter().map(|row| row.recipe.as_str()).collect();
    let times: Vec<_> = rows.iter().map(|row| row.at).collect();
    let ids: Vec<_> = rows.iter().map(|row| row.recipe_id).collect();
    let condition = "(instance_id, recipe, at, recipe_id) IN
            (SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::uuid[]))";
    delete::<Recipe>(tx, condition, &[&instances, &names, &times, &ids]).await
}

async fn delete_requests(tx: &Transaction<'_>, rows: &[Request]) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let requests: Vec<&str> = rows.iter().map(|row| row.request_id.as_str()).collect();
    let instances: Vec<&str> = rows.iter().map(|row| row.instance_id.as_str()).collect();
    let condition = "(request_id, instance_id) IN
            (SELECT * FROM unnest($1::text[], $2::text[]))";
    delete::<Request>(tx, condition, &[&requests, &instances]).await
}
