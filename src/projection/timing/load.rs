//! Brings the rows that facts can change.

use std::collections::HashSet;

use anyhow::Result;
use futures_util::future::try_join5;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use super::fold::Rows;
use super::hours::HourKey;
use super::instance_facts::Heard;
use super::keys::Keys;
use super::rows::{Hour, Instance};
use crate::projection::engine::table::select;

type Param<'a> = &'a (dyn ToSql + Sync);

/// The rows that what was heard can change.
pub(super) async fn rows(tx: &Transaction<'_>, heard: &[Heard]) -> Result<Rows> {
    let ids: Vec<&str> = heard.iter().map(|heard| heard.instance_id()).collect();
    let instances: Vec<Instance> = select(tx, OF_INSTANCES, &[&ids]).await?;
    // Whatever is heard of an instance makes a row of it: one without has none in any other table,
    // and in a replay these are most.
    let known: HashSet<&str> = instances.iter().map(|row| row.instance_id.as_str()).collect();
    if known.is_empty() {
        return Ok(Rows::default());
    }
    let keys = Keys::of(heard.iter().filter(|heard| known.contains(heard.instance_id())));
    let rows = of_keys(tx, &keys).await?;
    Ok(Rows { instances, ..rows })
}

const OF_INSTANCES: &str = "instance_id = ANY($1)";

/// The rows of these keys. The questions are asked at once, so that the server has the next one
/// while the rows of the last are taken in; of several errors the first one counts, those after it
/// only say that the transaction is over.
async fn of_keys(tx: &Transaction<'_>, keys: &Keys<'_>) -> Result<Rows> {
    let (run_on, recipes): (Vec<&str>, Vec<&str>) = keys.recipes.iter().copied().unzip();
    let (of, operations): (Vec<&str>, Vec<&str>) = keys.operations.iter().copied().unzip();
    let (requests, on): (Vec<&str>, Vec<&str>) = keys.requests.iter().copied().unzip();
    // Pairs, not two lists: the index would be searched for each of one with each of the other.
    let of_operations =
        "(instance_id, operation) IN (SELECT * FROM unnest($1::text[], $2::text[]))";
    let told = "NOT is_ttm
        AND (instance_id, recipe) IN (SELECT * FROM unnest($1::text[], $2::text[]))";
    let of_requests = "(request_id, instance_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))";
    let calls: [Param; 1] = [&keys.calls];
    let (operations, requests): ([Param; 2], [Param; 2]) = ([&of, &operations], [&requests, &on]);
    let recipes: [Param; 2] = [&run_on, &recipes];
    let (operations, mut recipes, calls, requests, called) = try_join5(
        select(tx, of_operations, &operations),
        select(tx, told, &recipes),
        select(tx, OF_INSTANCES, &calls),
        select(tx, of_requests, &requests),
        select(tx, "is_ttm AND instance_id = ANY($1)", &calls),
    )
    .await?;
    recipes.extend(called);
    Ok(Rows { instances: Vec::new(), operations, recipes, calls, requests })
}

/// The sums of these hours.
pub(super) async fn hours<'a>(
    tx: &Transaction<'_>,
    keys: impl Iterator<Item = &'a HourKey<'a>>,
) -> Result<Vec<Hour>> {
    let (mut operations, mut dimensions) = (Vec::new(), Vec::new());
    let (mut hours, mut values) = (Vec::new(), Vec::new());
    for (operation, dimension, hour, value) in keys {
        operations.push(*operation);
        dimensions.push(*dimension);
        hours.push(*hour);
        values.push(*value);
    }
    if operations.is_empty() {
        return Ok(Vec::new());
    }
    let condition = "(operation, dimension, hour, value) IN
        (SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[]))";
    select(tx, condition, &[&operations, &dimensions, &hours, &values]).await
}
