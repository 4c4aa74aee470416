//! Changes: the rows that differ before and after facts are folded in.

use super::rows::{KeyedRow, Rows};

/// The rows to delete and the rows to insert. A row whose columns changed is in both.
#[derive(Debug, Default)]
pub(super) struct Change {
    pub removed: Rows,
    pub added: Rows,
}

impl Change {
    /// Adds the difference between two states of one instance's rows.
    pub fn add(&mut self, before: Rows, after: Rows) {
        let Change { removed, added } = self;
        diff(before.instances, after.instances, &mut removed.instances, &mut added.instances);
        diff(before.operations, after.operations, &mut removed.operations, &mut added.operations);
        diff(
            before.failed_calls,
            after.failed_calls,
            &mut removed.failed_calls,
            &mut added.failed_calls,
        );
        diff(before.recipes, after.recipes, &mut removed.recipes, &mut added.recipes);
        diff(before.calls, after.calls, &mut removed.calls, &mut added.calls);
        diff(before.requests, after.requests, &mut removed.requests, &mut added.requests);
    }

    /// Sorts the added rows by their tables' keys, the order in which indexes take them best. All but the
    /// requests are sorted already if the instances were added in the order of their ids.
    pub fn sort(&mut self) {
        self.added.requests.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
    }
}

/// Appends the rows that are only in `before` to `removed` and the rows that are only in `after` to
/// `added`, each in the order of their keys.
fn diff<T: KeyedRow + PartialEq>(
    before: Vec<T>,
    after: Vec<T>,
    removed: &mut Vec<T>,
    added: &mut Vec<T>,
) {
    let mut before = sort_by_key(before).into_iter().peekable();
    for row in sort_by_key(after) {
        while let Some(old) = before.next_if(|old| old.key() < row.key()) {
            removed.push(old);
        }
        match before.next_if(|old| old.key() == row.key()) {
            Some(same) if same == row => {}
            old => {
                removed.extend(old);
                added.push(row);
            }
        }
    }
    removed.extend(before);
}

fn sort_by_key<T: KeyedRow>(mut rows: Vec<T>) -> Vec<T> {
    rows.sort_unstable_by(|a, b| a.key().cmp(&b.key()));
    rows
}
