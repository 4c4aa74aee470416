//! Brings the rows that facts can change.

use std::collections::HashSet;

use anyhow::Result;
use futures_util::future::{try_join, try_join5};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::fold::Rows;
use super::hours::HourKey;
use super::keys::Keys;
use super::rows::Hour;
use super::stored::select;

type Param<'a> = &'a (dyn ToSql + Sync);

/// The rows of these keys. The questions are asked at once, so that the server has the next one
/// while the rows of the last are taken in; of several errors the first one counts, those after it
/// only say that the transaction is over.
pub(super) async fn rows(tx: &Transaction<'_>, keys: &Keys<'_>) -> Result<Rows> {
    let (instances, calls) = (sorted(&keys.instances), sorted(&keys.calls));
    let (run_on, recipes): (Vec<&str>, Vec<&str>) = sorted(&keys.recipes).into_iter().unzip();
    let (of, operations): (Vec<&str>, Vec<&str>) = sorted(&keys.operations).into_iter().unzip();
    let (requests, on): (Vec<&str>, Vec<&str>) = sorted(&keys.requests).into_iter().unzip();
    let of_instances = "instance_id = ANY($1)";
    // Pairs, not two lists: the index would be searched for each of one with each of the other.
    let of_operations =
        "(instance_id, operation) IN (SELECT * FROM unnest($1::text[], $2::text[]))";
    let told = "NOT is_ttm
        AND (instance_id, recipe) IN (SELECT * FROM unnest($1::text[], $2::text[]))";
    let of_requests = "(request_id, instance_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))";
    let (instances, calls): ([Param; 1], [Param; 1]) = ([&instances], [&calls]);
    let (operations, requests): ([Param; 2], [Param; 2]) = ([&of, &operations], [&requests, &on]);
    let recipes: [Param; 2] = [&run_on, &recipes];
    let ((instances, operations, mut recipes, calls, requests), called) = try_join(
        try_join5(
            select(tx, of_instances, &instances),
            select(tx, of_operations, &operations),
            select(tx, told, &recipes),
            select(tx, of_instances, &calls),
            select(tx, of_requests, &requests),
        ),
        select(tx, "is_ttm AND instance_id = ANY($1)", &calls),
    )
    .await?;
    recipes.extend(called);
    Ok(Rows { instances, operations, recipes, calls, requests })
}

/// In the order of the index that they are looked up in: neighbours lie on one page.
fn sorted<T: Copy + Ord>(keys: &HashSet<T>) -> Vec<T> {
    let mut keys: Vec<T> = keys.iter().copied().collect();
    keys.sort_unstable();
    keys
}

/// The sums of these hours.
pub(super) async fn hours<'a>(
    tx: &Transaction<'_>,
    keys: impl Iterator<Item = &'a HourKey>,
) -> Result<Vec<Hour>> {
    let (mut operations, mut dimensions) = (Vec::new(), Vec::new());
    let (mut hours, mut values) = (Vec::new(), Vec::new());
    for (operation, dimension, hour, value) in keys {
        operations.push(operation);
        dimensions.push(dimension);
        hours.push(*hour);
        values.push(value);
    }
    if operations.is_empty() {
        return Ok(Vec::new());
    }
    let condition = "(operation, dimension, hour, value) IN
        (SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]))";
    select(tx, condition, &[&operations, &dimensions, &hours, &values]).await
}
