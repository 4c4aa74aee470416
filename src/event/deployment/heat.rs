//! Heat's notifications: `orchestration.stack.OPERATION.start`, `.end` and `.error`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{DeploymentEvent, Reading};
use crate::event::fields::{Value, raw_object};
use crate::event::{FieldFault, PayloadFault};

/// The field that identifies a stack.
const STACK_IDENTITY: &str = "payload.stack_identity";

/// A step of Heat's operation on a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// The stack's id, which is the deployment's.
    pub stack_id: String,
    /// E.g. `create`, `update`, `delete`, `suspend`, `rollback`.
    pub operation: String,
    /// The step that is reported.
    pub phase: Phase,
    /// Name of the stack.
    pub name: Option<String>,
    /// The project that owns the stack.
    pub project_id: Option<String>,
    /// Heat's state, e.g. `CREATE_FAILED`.
    pub state: Option<String>,
    /// The reason for that state.
    pub reason: Option<String>,
}

/// The step of an operation that a notification reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It began.
    Start,
    /// It succeeded.
    End,
    /// It failed.
    Error,
}

raw_object! {
    /// The members of a notification that are read.
    Notification { payload: Value = "payload", }
}

raw_object! {
    /// The members of its payload that are read.
    Payload {
        stack_identity: Value = "stack_identity",
        stack_name: Value = "stack_name",
        tenant_id: Value = "tenant_id",
        state: Value = "state",
        state_reason: Value = "state_reason",
    }
}

/// Reads a notification about a stack; `step` is its type after `orchestration.stack.`. `None` for a
/// type that is no step of an operation.
///
/// # Errors
///
/// When it does not identify the stack.
pub(super) fn read(step: &str, text: &str) -> Result<Option<Reading>, PayloadFault> {
    let Some((operation, phase)) = step.split_once('.') else { return Ok(None) };
    let phase = match phase {
        "start" => Phase::Start,
        "end" => Phase::End,
        "error" => Phase::Error,
        _ => return Ok(None),
    };
    let unreadable = PayloadFault::unreadable("payload");
    let notification: Notification = serde_json::from_str(text).map_err(&unreadable)?;
    let payload: Payload = notification.payload.object().map_err(&unreadable)?;
    let identity = payload.stack_identity.required(STACK_IDENTITY)?;
    // Old releases sent an ARN, whose last segment is the id.
    let stack_id = identity.rsplit('/').next().unwrap_or_default();
    if stack_id.is_empty() {
        return Err(PayloadFault::new(STACK_IDENTITY, FieldFault::NoStack));
    }
    let optional = |value: Value<'_>| value.id().map(Cow::into_owned);
    let event = DeploymentEvent::Stack(Stack {
        stack_id: stack_id.to_owned(),
        operation: operation.to_owned(),
        phase,
        name: optional(payload.stack_name),
        project_id: payload.tenant_id.owner_id().map(Cow::into_owned),
        state: optional(payload.state),
        reason: optional(payload.state_reason),
    });
    Ok(Some(Reading { event, skipped: 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(kind: &str, identity: &str) -> Result<Option<Reading>, PayloadFault> {
        let body = format!(r#"{{"payload": {{"stack_identity": {identity}}}}}"#);
        super::super::decode(kind, body.as_bytes())
    }

    #[test]
    fn kinds_that_are_no_step_of_an_operation_are_not_known() {
        for kind in ["orchestration.stack.create", "orchestration.stack.create.now"] {
            assert_eq!(decode(kind, "\"s\"").unwrap(), None, "{kind}");
        }
        assert!(decode("orchestration.stack.create.end", "{}").is_err());
        assert!(decode("orchestration.stack.create.end", "\"a/\"").is_err());
    }

    #[test]
    fn an_arn_ends_in_the_stack_s_id() {
        let reading =
            decode("orchestration.stack.update.error", r#""arn:openstack:heat::t:stacks/n/s""#);
        let Ok(Some(Reading { event: DeploymentEvent::Stack(stack), .. })) = reading else {
            panic!("{reading:?}")
        };
        assert_eq!((stack.stack_id.as_str(), stack.phase), ("s", Phase::Error));
    }
}
