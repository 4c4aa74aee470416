//! The log: append, read, partitions, hash chain, dead letters. Nothing here knows what an event
//! means or where it came from.

mod append;
mod chain;
mod claim;
mod copy;
mod dead_letter;
mod leaf;
mod read;
mod verify;

pub use append::{AppendError, Appended, Appender};
pub use chain::Hash;
pub use claim::{Claim, Claimed, claim_of, claims, claims_of};
pub use dead_letter::{
    DeadLetter, DeadLetterStatus, StoredDeadLetter, count_open, discard, list as list_dead_letters,
    mark_redriven, show as show_dead_letter,
};
pub use leaf::ensure_days_ahead;
pub use read::{Filter, Limit, Page, Reader, Stretch, at, head, page};
pub use verify::{Anchor, Fault, Report, verify};

/// The channel that a commit of new events is announced on.
pub const NOTIFY_CHANNEL: &str = "stackledger_log";
