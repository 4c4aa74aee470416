//! The status and the state of instances and deployments, and the rule by which silence changes a state.

use std::error::Error;

use bytes::BytesMut;
use jiff::{SignedDuration, Timestamp};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::projection::engine::table::text_enum;

/// Declares an enum of words. This one list gives their texts to SQL, JSON, XML and parameters.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident; $($(#[$word_doc:meta])* $word:ident = $text:literal,)*) => {
        $(#[$doc])*
        pub enum $name {
            $($(#[$word_doc])* $word,)*
        }

        impl $name {
            /// All words, in their order.
            pub const ALL: &[$name] = &[$($name::$word),*];

            /// Returns the word as in SQL, JSON and XML.
            pub const fn as_str(self) -> &'static str {
                match self { $($name::$word => $text),* }
            }
        }

        text_enum!($name: $($word = $text),*);
    };
}

words! {
    /// The outcome of a configuration, the worst first.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    Status;
    /// Some of it ended with a code other than `0`.
    Error = "error",
    /// Some of it has not ended.
    Incomplete = "incomplete",
    /// All of it ended with the code `0`.
    Success = "success",
}

words! {
    /// The progress of an instance or a deployment.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    State;
    /// Not all declared instances are registered.
    Declared = "declared",
    /// The instance is registered, or all instances of the deployment are.
    Registered = "registered",
    /// The instance has been in contact, or all instances of the deployment have.
    Contacted = "contacted",
    /// Some service is being or has been configured, or Heat is at work.
    Configuring = "configuring",
    /// Everything is configured.
    Complete = "complete",
    /// A configuration failed and is not being tried again.
    Failed = "failed",
    /// It has given up, or has been silent for too long.
    Abandoned = "abandoned",
    /// The deployment was deleted.
    Deleted = "deleted",
}

impl State {
    /// Whether further events are expected.
    const fn is_open(self) -> bool {
        matches!(self, State::Declared | State::Registered | State::Contacted | State::Configuring)
    }
}

/// Decides when silence means that something is abandoned.
#[derive(Clone, Copy, Debug)]
pub struct SilenceLimit {
    /// The time that counts as now.
    pub at: Timestamp,
    /// The longest silence after which more events are still expected.
    pub abandoned_after: SignedDuration,
}

impl SilenceLimit {
    /// Returns the earliest time of a last event with which something is not abandoned.
    pub fn silent_since(self) -> Timestamp {
        self.at.checked_sub(self.abandoned_after).unwrap_or(Timestamp::MIN)
    }

    /// Returns the state of something whose last event happened at `last_at`: abandoned, if more was
    /// expected and the silence is too long.
    pub fn state(self, state: State, last_at: Timestamp) -> State {
        let is_silent = state.is_open() && last_at < self.silent_since();
        if is_silent { State::Abandoned } else { state }
    }
}

/// Returns [`SilenceLimit::state`] as an SQL expression on a row with `state` and `last_at`; `since` is
/// an expression for [`SilenceLimit::silent_since`].
pub(super) fn state_sql(since: &str) -> String {
    let open: Vec<String> = State::ALL
        .iter()
        .filter(|state| state.is_open())
        .map(|state| format!("'{}'", state.as_str()))
        .collect();
    format!(
        "CASE WHEN state IN ({}) AND last_at < {since} THEN '{}' ELSE state END",
        open.join(", "),
        State::Abandoned.as_str()
    )
}
