//! Facts and samples as messages, in the shapes that Nova, Ceilometer, oslo.messaging and our own senders
//! put on the wire.

mod cloudevent;
mod deployment;
mod host;
mod instance;
mod meter;
mod oslo;
mod python;

pub(crate) use deployment::DeploymentMessage;
pub(crate) use host::HostMessage;
pub(crate) use instance::{InstanceMessage, Shape};
pub(crate) use meter::BatchMessage;

/// A message as it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `nova`, `ceilometer` or `stackledger`.
    pub exchange: &'static str,
    /// E.g. `notifications.info`, or the CloudEvent's type.
    pub routing_key: String,
    /// The AMQP property.
    pub content_type: &'static str,
    /// JSON in one line.
    pub body: Vec<u8>,
    /// The sender's id in the body, which duplicates share. OpenStack sets no AMQP property for it. An RPC
    /// cast has no id of its own: here it has its first sample's.
    pub message_id: String,
}
