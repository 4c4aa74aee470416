//! Rows that know where they stand, so that they can be replaced without being looked for again.
//! Nothing but the projection writes to its tables, so a row stays in its place until the transaction
//! that found it ends.

/// A row as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed<T> {
    /// Its `ctid`, as text.
    pub ctid: String,
    pub row: T,
}

/// How a table changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Replaced<T> {
    /// Places of rows that are no longer there.
    pub gone: Vec<String>,
    /// Rows that are new.
    pub new: Vec<T>,
}

impl<T> Default for Replaced<T> {
    fn default() -> Self {
        Replaced { gone: Vec::new(), new: Vec::new() }
    }
}

impl<T: PartialEq> Replaced<T> {
    /// Puts a row in the place of another one, unless they are the same.
    pub fn put(&mut self, placed: &Placed<T>, row: T) {
        if placed.row != row {
            self.gone.push(placed.ctid.clone());
            self.new.push(row);
        }
    }
}
