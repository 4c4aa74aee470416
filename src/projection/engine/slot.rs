//! The two sets of a projection's tables: those that answer, and those that a replay fills.

use super::Projection;

/// One of the two sets of a projection's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The tables that answer queries.
    Live,
    /// The tables that a replay fills.
    Next,
}

impl Slot {
    /// Returns the slot's name in SQL.
    pub const fn as_str(self) -> &'static str {
        match self {
            Slot::Live => "live",
            Slot::Next => "next",
        }
    }

    /// Returns the name of the PostgreSQL schema of these tables.
    pub fn schema(self, projection: &Projection) -> String {
        match self {
            Slot::Live => projection.name.to_owned(),
            Slot::Next => format!("{}__next", projection.name),
        }
    }
}
