//! Rows and what was heard in, changed rows out. Pure: the database only brings the rows and takes
//! them away.

use std::collections::HashMap;

use super::instance_facts::Heard;
use super::rows::Keyed;
use super::rows::{Call, Instance, Operation, Recipe, Request};

/// Rows of all tables but the hourly sums, which follow from how the others change.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    pub instances: Vec<Instance>,
    pub operations: Vec<Operation>,
    pub recipes: Vec<Recipe>,
    pub calls: Vec<Call>,
    pub requests: Vec<Request>,
}

/// The rows that are no longer there, and those that are new. One that changed is both.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub gone: Rows,
    pub new: Rows,
}

/// How what was heard, in the order of the instances' ids, changes the rows; `rows` holds all that it
/// can change. New rows come in the order of their tables' keys, in which an index takes them best.
pub(super) fn fold(rows: Rows, heard: Vec<Heard>) -> Change {
    let mut rows = by_instance(rows);
    let mut change = Change::default();
    for heard in heard {
        let before = rows.remove(heard.instance_id()).unwrap_or_default();
        let after = heard.fold(before.clone());
        change.add(before, after);
    }
    change.new.requests.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
    change
}

fn by_instance(rows: Rows) -> HashMap<String, Rows> {
    let mut known = HashMap::<String, Rows>::new();
    for row in rows.instances {
        known.entry(row.instance_id.clone()).or_default().instances.push(row);
    }
    for row in rows.operations {
        known.entry(row.instance_id.clone()).or_default().operations.push(row);
    }
    for row in rows.recipes {
        known.entry(row.instance_id.clone()).or_default().recipes.push(row);
    }
    for row in rows.calls {
        known.entry(row.instance_id.clone()).or_default().calls.push(row);
    }
    for row in rows.requests {
        known.entry(row.instance_id.clone()).or_default().requests.push(row);
    }
    known
}

impl Change {
    /// Adds how the rows of one instance change.
    fn add(&mut self, before: Rows, after: Rows) {
        let Change { gone, new } = self;
        diff(before.instances, after.instances, &mut gone.instances, &mut new.instances);
        diff(before.operations, after.operations, &mut gone.operations, &mut new.operations);
        diff(before.recipes, after.recipes, &mut gone.recipes, &mut new.recipes);
        diff(before.calls, after.calls, &mut gone.calls, &mut new.calls);
        diff(before.requests, after.requests, &mut gone.requests, &mut new.requests);
    }
}

/// Adds to `gone` the rows that stand only before, to `new` those that stand only after, in the order
/// of their keys.
fn diff<T: Keyed + PartialEq>(before: Vec<T>, after: Vec<T>, gone: &mut Vec<T>, new: &mut Vec<T>) {
    let mut before = by_key(before).into_iter().peekable();
    for row in by_key(after) {
        while let Some(old) = before.next_if(|old| old.key() < row.key()) {
            gone.push(old);
        }
        match before.next_if(|old| old.key() == row.key()) {
            Some(same) if same == row => {}
            old => {
                gone.extend(old);
                new.push(row);
            }
        }
    }
    gone.extend(before);
}

fn by_key<T: Keyed>(mut rows: Vec<T>) -> Vec<T> {
    rows.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
    rows
}
