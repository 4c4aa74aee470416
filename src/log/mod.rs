//! The log: append, read, partitions, horizons, hash chain, dead letters. Nothing here knows what an event
//! means or where it came from.

mod append;
mod chain;
mod claim;
mod copy;
mod dead_letter;
mod horizon;
mod leaf;
mod links;
mod outcome;
mod page;
mod part;
mod read;
mod verify;

pub use append::Appender;
pub use chain::Hash;
pub use claim::{Claim, Claimed, claim_of, claims, claims_of};
pub use dead_letter::{
    DeadLetter, DeadLetterStatus, StoredDeadLetter, count_open, discard, list as list_dead_letters,
    mark_redriven, show as show_dead_letter,
};
pub use horizon::{HORIZON_MOVED, Horizons, Moved, SOURCE, Target, horizon, horizons};
pub use leaf::{days, drop_day, ensure_days_ahead, last_of_day};
pub use outcome::{AppendError, Appended, Refusal};
pub use page::{Filter, Page, page};
pub use read::{Limit, Reader, Seen, Stretch, at, head};
pub use verify::{Anchor, Dropped, Fault, Report, verify};

/// The channel that a commit of new events is announced on.
pub const NOTIFY_CHANNEL: &str = "stackledger_log";
