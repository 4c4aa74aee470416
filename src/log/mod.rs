//! The log: append, read, partitions, horizons, hash chain, dead letters. Nothing here knows what an event
//! means or where it came from, with one exception: a [`Claim`] on a tenant's time commits together with
//! the event of the sales order.

mod append;
mod chain;
mod claim;
mod copy;
mod days_ahead;
mod dead_letter;
mod horizon;
mod leaf;
mod leaf_batch;
mod links;
mod outcome;
mod page;
mod read;
mod verify;

pub use append::Appender;
pub use chain::Hash;
pub use claim::{Claim, RecordedClaim, load_claim, load_claims, load_claims_of};
pub use days_ahead::ensure_days_ahead;
pub use dead_letter::{
    DeadLetter, DeadLetterStatus, StoredDeadLetter, count_open, discard, list as list_dead_letters,
    mark_redriven, show as show_dead_letter,
};
pub use horizon::{HorizonMove, Horizons, SOURCE, Target, read_horizon, read_horizons};
pub use leaf::{drop_day, last_position_of_day, list_days, read_sizes};
pub use outcome::{AppendError, AppendOutcome, Refusal};
pub use page::{Filter, Page, read_page};
pub use read::{
    Limit, ReadProgress, Reader, Stretch, read_at, read_first_hash, read_head, read_last_times,
};
pub use verify::{Anchor, DroppedLeaf, Fault, Report, verify};

/// The channel on which each commit of new events is announced (`LISTEN`).
pub const NOTIFY_CHANNEL: &str = "stackledger_log";
