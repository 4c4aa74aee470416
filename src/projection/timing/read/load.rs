//! The rows that facts can change, in the tables of the search path's schema.

use std::collections::HashSet;

use anyhow::Result;
use futures_util::future::{try_join, try_join5};
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

use crate::projection::engine::table::select;
use crate::projection::timing::hours::HourKey;
use crate::projection::timing::instance_facts::InstanceFacts;
use crate::projection::timing::keys::Keys;
use crate::projection::timing::rows::{Hour, Instance, Rows};

type Param<'a> = &'a (dyn ToSql + Sync);

/// Loads the rows that these facts can change.
pub(in crate::projection::timing) async fn load_rows(
    tx: &Transaction<'_>,
    facts: &[InstanceFacts],
) -> Result<Rows> {
    let ids: Vec<&str> = facts.iter().map(|facts| facts.instance_id()).collect();
    let instances: Vec<Instance> = select(tx, OF_INSTANCES, &[&ids]).await?;
    // Any fact makes a row of its instance: an instance without one has no rows in any other table, and
    // in a replay most are such.
    let known: HashSet<&str> = instances.iter().map(|row| row.instance_id.as_str()).collect();
    if known.is_empty() {
        return Ok(Rows::default());
    }
    let keys = Keys::of(facts.iter().filter(|facts| known.contains(facts.instance_id())));
    let rows = load_keys(tx, &keys).await?;
    Ok(Rows { instances, ..rows })
}

const OF_INSTANCES: &str = "instance_id = ANY($1)";

/// Loads the rows of these keys. The queries are pipelined, so that the server has the next one while the
/// rows of the last are read. Of several errors the first one counts: later ones only report that the
/// transaction is aborted.
async fn load_keys(tx: &Transaction<'_>, keys: &Keys<'_>) -> Result<Rows> {
    let (run_on, recipes): (Vec<&str>, Vec<&str>) = keys.recipes.iter().copied().unzip();
    let (of, operations): (Vec<&str>, Vec<&str>) = keys.operations.iter().copied().unzip();
    let (requests, on): (Vec<&str>, Vec<&str>) = keys.requests.iter().copied().unzip();
    // Pairs, not two lists: with lists, the index would be searched for each combination.
    let of_operations =
        "(instance_id, operation) IN (SELECT * FROM unnest($1::text[], $2::text[]))";
    let of_reports = "NOT is_ttm
        AND (instance_id, recipe) IN (SELECT * FROM unnest($1::text[], $2::text[]))";
    let of_requests = "(request_id, instance_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))";
    let calls: [Param; 1] = [&keys.calls];
    let (operations, requests): ([Param; 2], [Param; 2]) = ([&of, &operations], [&requests, &on]);
    let recipes: [Param; 2] = [&run_on, &recipes];
    let failed: [Param; 1] = [&keys.instances];
    let of_operations =
        try_join(select(tx, of_operations, &operations), select(tx, OF_INSTANCES, &failed));
    let ((operations, failed_calls), mut recipes, calls, requests, of_calls) = try_join5(
        of_operations,
        select(tx, of_reports, &recipes),
        select(tx, OF_INSTANCES, &calls),
        select(tx, of_requests, &requests),
        select(tx, "is_ttm AND instance_id = ANY($1)", &calls),
    )
    .await?;
    recipes.extend(of_calls);
    Ok(Rows { instances: Vec::new(), operations, failed_calls, recipes, calls, requests })
}

/// Loads the sums of these keys.
pub(in crate::projection::timing) async fn load_hours<'a>(
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
