//! Brings the rows that facts can change.

use anyhow::Result;
use tokio_postgres::Transaction;

use super::fold::Rows;
use super::hours::HourKey;
use super::keys::Keys;
use super::rows::Hour;
use super::stored::select;

/// The rows of these keys.
pub(super) async fn rows(tx: &Transaction<'_>, keys: &Keys<'_>) -> Result<Rows> {
    let list = |set: &std::collections::BTreeSet<&str>| -> Vec<String> {
        set.iter().map(ToString::to_string).collect()
    };
    let (instances, operations) = (list(&keys.instances), list(&keys.operations));
    let (recipes, calls, requests) = (list(&keys.recipes), list(&keys.calls), list(&keys.requests));
    let of_instances = "instance_id = ANY($1)";
    let mut rows = Rows {
        instances: select(tx, of_instances, &[&instances]).await?,
        operations: select(
            tx,
            "instance_id = ANY($1) AND operation = ANY($2)",
            &[&instances, &operations],
        )
        .await?,
        ..Rows::default()
    };
    if !recipes.is_empty() {
        rows.recipes = select(tx, of_instances, &[&recipes]).await?;
    }
    if !calls.is_empty() {
        rows.calls = select(tx, of_instances, &[&calls]).await?;
    }
    if !requests.is_empty() {
        let condition = "request_id = ANY($1) AND instance_id = ANY($2)";
        rows.requests = select(tx, condition, &[&requests, &instances]).await?;
    }
    Ok(rows)
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
