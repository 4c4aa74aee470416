//! The words for how things stand.

use jiff::{SignedDuration, Timestamp};

/// How the configuration of something ended, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Some of it ended with another code than `0`.
    Error,
    /// Some of it has not ended.
    Incomplete,
    /// All of it ended with the code `0`.
    Success,
}

impl Status {
    /// As in SQL, JSON and XML.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Error => "error",
            Status::Incomplete => "incomplete",
            Status::Success => "success",
        }
    }
}

/// How far something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not all instances that were declared are registered.
    Declared,
    /// It is registered, a deployment with all its instances.
    Registered,
    /// It was in contact, a deployment with all its instances.
    Contacted,
    /// Something is being or has been configured, or Heat is at work.
    Configuring,
    /// All is configured.
    Complete,
    /// Something was not configured well, and is not being tried again.
    Failed,
    /// It has stopped trying, or nothing was heard of it for long.
    Abandoned,
    /// The deployment was deleted.
    Deleted,
}

impl State {
    /// All states, in their order.
    pub const ALL: [State; 8] = [
        State::Declared,
        State::Registered,
        State::Contacted,
        State::Configuring,
        State::Complete,
        State::Failed,
        State::Abandoned,
        State::Deleted,
    ];

    /// As in SQL and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Declared => "declared",
            State::Registered => "registered",
            State::Contacted => "contacted",
            State::Configuring => "configuring",
            State::Complete => "complete",
            State::Failed => "failed",
            State::Abandoned => "abandoned",
            State::Deleted => "deleted",
        }
    }

    /// Whether something more is to come.
    const fn is_open(self) -> bool {
        matches!(self, State::Declared | State::Registered | State::Contacted | State::Configuring)
    }
}

/// The time of asking, and how long a silence may last until it means that something was abandoned.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The time of asking.
    pub at: Timestamp,
    /// The longest silence.
    pub abandoned_after: SignedDuration,
}

impl Asked {
    /// Since when, or before, nothing may have been heard of what counts as abandoned.
    pub fn silent_since(self) -> Timestamp {
        self.at.checked_sub(self.abandoned_after).unwrap_or(Timestamp::MIN)
    }

    /// The state of something that was last heard of then.
    pub fn state(self, state: State, last_at: Timestamp) -> State {
        let is_silent = state.is_open() && last_at < self.silent_since();
        if is_silent { State::Abandoned } else { state }
    }
}

/// [`Asked::state`] in SQL, of a row with `state` and `last_at`; `since` is [`Asked::silent_since`].
pub fn state_sql(since: &str) -> String {
    format!(
        "CASE WHEN state IN ('declared', 'registered', 'contacted', 'configuring') \
              AND last_at < {since} THEN 'abandoned' ELSE state END"
    )
}
