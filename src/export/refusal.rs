//! Reasons to leave a target as it is.

/// Why an export does not write to its target: an operator has to decide.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The table contains the samples of another selection.
    #[error("it contains the samples of another selection{REMEDY}")]
    Selection,
    /// The table's rows are of another version or configuration of the read model.
    #[error("the read model was made anew since ({was} then, {is} now){REMEDY}")]
    ReadModel {
        /// Version and configuration of the table's rows.
        was: String,
        /// Version and configuration of the read model.
        is: String,
    },
    /// The table's rows are of another log.
    #[error("it contains the samples of another log{REMEDY}")]
    Log,
    /// The table is further than the read model: our log was restored to an earlier position.
    #[error("it is at position {target}, the read model only at {checkpoint}{REMEDY}")]
    Beyond {
        /// The position of the table.
        target: i64,
        /// The position of the read model.
        checkpoint: i64,
    },
    /// The table has rows, and no synchronisation point shows where they come from.
    #[error("it contains rows that no export wrote{REMEDY}")]
    NotOurs,
    /// The table is a view; our own database has one of this name.
    #[error("it is a view: name another table by export.table")]
    View,
    /// Another exporter writes to the table.
    #[error("another exporter writes to it")]
    Claimed,
}

/// The remedy for most of them.
const REMEDY: &str = "; `stackledger export --once --from-start` empties it and begins anew";
