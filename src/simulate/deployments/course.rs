//! The courses that a deployment can take.

use super::topology::{Member, Source};
use crate::simulate::rng::Rng;

/// The course of one deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeploymentCourse {
    /// Everything is configured.
    Success,
    /// A service fails, and with it every service that needs it.
    Failure,
    /// An instance gives up, and everything that needs its services waits for ever.
    Abandoned,
    /// The configuration is not over yet.
    Unfinished,
    /// The database needs a service that needs the database.
    Circular,
}

impl DeploymentCourse {
    pub(super) fn draw(rng: &mut Rng) -> DeploymentCourse {
        match rng.below(100) {
            0..68 => DeploymentCourse::Success,
            68..80 => DeploymentCourse::Failure,
            80..88 => DeploymentCourse::Abandoned,
            88..95 => DeploymentCourse::Unfinished,
            _ => DeploymentCourse::Circular,
        }
    }

    /// Makes the members need each other in a circle, if that is the course.
    pub(super) fn close_circle(self, members: &mut [Member]) {
        if self == DeploymentCourse::Circular {
            let last = (members.len() - 1) as u16;
            let parameter =
                ("cache_service".to_owned(), Source::Service { member: last, service: 0 });
            members[0].services[0].parameters.push(parameter);
        }
    }
}
