//! Writes what changed: rows that are no longer there are deleted, new ones copied in, one statement
//! each per table. A row that changed is both.

use anyhow::Result;
use tokio_postgres::Transaction;

use super::fold::Change;
use super::rows::{Hour, Instance, Operation, Recipe, Request};
use super::{hours, load};
use crate::projection::engine::table::{copy, delete};

/// Takes out the rows that are gone, puts in those that are new, and the hourly sums follow.
pub(super) async fn change(tx: &Transaction<'_>, Change { gone, new }: &Change) -> Result<()> {
    delete_instances(tx, &gone.instances).await?;
    copy(tx, &new.instances).await?;

    delete_operations(tx, &gone.operations).await?;
    copy(tx, &new.operations).await?;
    write_hours(tx, &gone.operations, &new.operations).await?;

    delete_recipes(tx, &gone.recipes).await?;
    copy(tx, &new.recipes).await?;

    // Calls are only ever added.
    copy(tx, &new.calls).await?;

    delete_requests(tx, &gone.requests).await?;
    copy(tx, &new.requests).await
}

/// Brings the sums in line with the operations that changed.
async fn write_hours(tx: &Transaction<'_>, gone: &[Operation], new: &[Operation]) -> Result<()> {
    let deltas = hours::deltas(gone, new);
    let before = load::hours(tx, deltas.keys()).await?;
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
