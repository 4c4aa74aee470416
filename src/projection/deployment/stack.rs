//! Stacks: the state that follows from Heat's operations on one.

use jiff::Timestamp;

use super::state::{State, Status};
use crate::event::deployment::{Phase, Stack};

/// The last operation of Heat on a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackState {
    /// The last notification, and its time.
    pub last: (Timestamp, Stack),
    /// The outcome of the last operation that builds a version of the stack; [`Status::Incomplete`] if none
    /// has ended.
    pub status: Status,
    /// When that operation ended.
    pub ended_at: Option<Timestamp>,
    /// The operation that a rollback would undo; `None` if none is known.
    undone: Option<Undone>,
}

/// An operation that builds a version of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Undone {
    operation: String,
    /// Whether its end is expected.
    is_open: bool,
    /// The status of the stack before it, which a rollback restores.
    before: Status,
}

impl StackState {
    /// Returns the state after a notification; `known` is the state before it.
    pub(super) fn after(known: Option<StackState>, at: Timestamp, stack: &Stack) -> Self {
        let mut state = known.unwrap_or_else(|| StackState {
            last: (at, stack.clone()),
            status: Status::Incomplete,
            ended_at: None,
            undone: None,
        });
        state.last = (at, stack.clone());
        match stack.operation.as_str() {
            "create" | "adopt" | "update" | "restore" => state.build(at, stack),
            "rollback" => state.roll_back(at, stack.phase),
            // Suspending or checking a stack does not build it.
            _ => {}
        }
        state
    }

    /// Applies a step of an operation that builds a version. Heat may send a step twice.
    fn build(&mut self, at: Timestamp, stack: &Stack) {
        let outcome = match stack.phase {
            Phase::Start => None,
            Phase::End => Some(Status::Success),
            Phase::Error => Some(Status::Error),
        };
        let is_known = self.undone.as_ref().is_some_and(|undone| {
            undone.operation == stack.operation && (undone.is_open || outcome == Some(self.status))
        });
        if outcome.is_none() || !is_known {
            let before = self.before(&stack.operation);
            let operation = stack.operation.clone();
            self.undone = Some(Undone { operation, is_open: true, before });
        }
        let Some(status) = outcome else { return };
        (self.status, self.ended_at) = (status, Some(at));
        if let Some(undone) = &mut self.undone {
            undone.is_open = false;
        }
    }

    /// Returns the status of the stack before an operation that builds a version. Before its creation there is
    /// nothing that works.
    fn before(&self, operation: &str) -> Status {
        match operation {
            "create" | "adopt" => Status::Error,
            // There is a stack to update: unless its creation is known to have failed, it works.
            _ if self.status == Status::Incomplete => Status::Success,
            _ => self.status,
        }
    }

    /// Applies a step of a rollback. Its end restores what was there before the operation that failed; if that
    /// operation is not known, no version is known to work.
    fn roll_back(&mut self, at: Timestamp, phase: Phase) {
        let status = match phase {
            Phase::Start => return,
            Phase::End => self.undone.as_ref().map_or(Status::Error, |undone| undone.before),
            Phase::Error => Status::Error,
        };
        (self.status, self.ended_at) = (status, Some(at));
    }

    /// Returns the state that follows from the last notification.
    pub(super) fn state(&self) -> State {
        let (_, stack) = &self.last;
        let is_rollback = stack.operation == "rollback";
        match stack.phase {
            Phase::Start => State::Configuring,
            // What the rollback has restored is nothing that works.
            Phase::End if is_rollback && self.status == Status::Error => State::Failed,
            Phase::End => State::Complete,
            Phase::Error => State::Failed,
        }
    }
}
