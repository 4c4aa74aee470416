//! The faults that end a build or another operation.

use std::fmt;

use crate::simulate::rng::Rng;

/// An exception of Nova's.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) class: &'static str,
    pub(crate) message: String,
    pub(crate) code: u32,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.message)
    }
}

impl Fault {
    /// Draws the fault of an attempt to create an instance.
    pub(super) fn draw(rng: &mut Rng) -> Fault {
        let free = rng.between(1, 900);
        match rng.below(3) {
            0 => Fault {
                class: "ComputeResourcesUnavailable",
                message: format!(
                    "Insufficient compute resources: Free memory {free}.00 MB < requested."
                ),
                code: 400,
            },
            1 => Fault {
                class: "VirtualInterfaceCreateException",
                message: "Virtual Interface creation failed".to_owned(),
                code: 500,
            },
            _ => Fault {
                class: "BuildAbortException",
                message: format!("Build of instance aborted: Volume vol-{free} did not finish."),
                code: 500,
            },
        }
    }

    /// Returns the fault of a build for which the scheduler finds no host.
    pub(super) fn no_valid_host() -> Fault {
        Fault {
            class: "NoValidHost",
            message: "No valid host was found. There are not enough hosts available.".to_owned(),
            code: 500,
        }
    }

    /// Returns the fault of an operation other than create.
    pub(super) fn instance_not_ready() -> Fault {
        Fault {
            class: "InstanceNotReady",
            message: "The hypervisor reports: guest agent does not answer".to_owned(),
            code: 500,
        }
    }
}
