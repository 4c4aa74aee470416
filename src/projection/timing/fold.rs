//! The fold: rows and facts in, changed rows out. Pure: the database only supplies the rows and stores
//! the change.

use std::collections::HashMap;

use super::change::Change;
use super::instance_facts::InstanceFacts;
use super::rows::Rows;

/// Folds facts, in the order of the instances' ids, into the rows. `rows` must contain every row that the
/// facts can change. Added rows are in the order of their tables' keys.
pub(super) fn fold(rows: Rows, facts: Vec<InstanceFacts>) -> Change {
    let mut rows = group_by_instance(rows);
    let mut change = Change::default();
    for facts in facts {
        let before = rows.remove(facts.instance_id()).unwrap_or_default();
        let after = facts.fold(before.clone());
        change.add(before, after);
    }
    change.sort();
    change
}

fn group_by_instance(rows: Rows) -> HashMap<String, Rows> {
    let mut groups = HashMap::<String, Rows>::new();
    for row in rows.instances {
        groups.entry(row.instance_id.clone()).or_default().instances.push(row);
    }
    for row in rows.operations {
        groups.entry(row.instance_id.clone()).or_default().operations.push(row);
    }
    for row in rows.failed_calls {
        groups.entry(row.instance_id.clone()).or_default().failed_calls.push(row);
    }
    for row in rows.recipes {
        groups.entry(row.instance_id.clone()).or_default().recipes.push(row);
    }
    for row in rows.calls {
        groups.entry(row.instance_id.clone()).or_default().calls.push(row);
    }
    for row in rows.requests {
        groups.entry(row.instance_id.clone()).or_default().requests.push(row);
    }
    groups
}
