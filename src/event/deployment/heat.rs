//! Heat's notifications: `orchestration.stack.OPERATION.start`, `.end` and `.error`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{DeploymentEvent, Read};
use crate::event::fields::{Value, raw_object};
use crate::event::{PayloadFault, Problem};

/// The field that identifies a stack.
const STACK_IDENTITY: &str = "payload.stack_identity";

/// Something that Heat did with a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// The stack, hence the deployment.
    pub stack_id: String,
    /// E.g. `create`, `update`, `delete`, `suspend`, `rollback`.
    pub operation: String,
    /// How far it is.
    pub phase: Phase,
    /// Name of the stack.
    pub name: Option<String>,
    /// Whose it is.
    pub project_id: Option<String>,
    /// Heat's state, e.g. `CREATE_FAILED`.
    pub state: Option<String>,
    /// Why it is in that state.
    pub reason: Option<String>,
}

/// The part of an operation that a notification reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It began.
    Start,
    /// It ended well.
    End,
    /// It ended badly.
    Error,
}

raw_object! {
    /// What is wanted of a notification.
    Notification { payload: Value = "payload", }
}

raw_object! {
    /// What is wanted of its payload.
    Payload {
        stack_identity: Value = "stack_identity",
        stack_name: Value = "stack_name",
        tenant_id: Value = "tenant_id",
        state: Value = "state",
        state_reason: Value = "state_reason",
    }
}

/// Reads a notification about a stack; `what` is its type after `orchestration.stack.`.
pub(super) fn read(what: &str, text: &str) -> Result<Option<Read>, PayloadFault> {
    let Some((operation, phase)) = what.split_once('.') else { return Ok(None) };
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
        return Err(PayloadFault::new(STACK_IDENTITY, Problem::NoStack));
    }
    let optional = |value: Value<'_>| value.id().map(Cow::into_owned);
    let event = DeploymentEvent::Stack(Stack {
        stack_id: stack_id.to_owned(),
        operation: operation.to_owned(),
        phase,
        name: optional(payload.stack_name),
        project_id: optional(payload.tenant_id),
        state: optional(payload.state),
        reason: optional(payload.state_reason),
    });
    Ok(Some(Read { event, skipped: 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(kind: &str, identity: &str) -> Result<Option<Read>, PayloadFault> {
        let body = format!(r#"{{"payload": {{"stack_identity": {identity}}}}}"#);
        super::super::decode(kind, body.as_bytes())
    }

    #[test]
    fn kinds_that_are_no_step_of_an_operation_are_not_known() {
        for kind in ["orchestration.stack.create", "orchestration.stack.create.now"] {
            assert_eq!(decoded(kind, "\"s\"").unwrap(), None, "{kind}");
        }
        assert!(decoded("orchestration.stack.create.end", "{}").is_err());
        assert!(decoded("orchestration.stack.create.end", "\"a/\"").is_err());
    }

    #[test]
    fn an_arn_ends_in_the_stack_s_id() {
        let read =
            decoded("orchestration.stack.update.error", r#""arn:openstack:heat::t:stacks/n/s""#);
        let Ok(Some(Read { event: DeploymentEvent::Stack(stack), .. })) = read else {
            panic!("{read:?}")
        };
        assert_eq!((stack.stack_id.as_str(), stack.phase), ("s", Phase::Error));
    }
}
