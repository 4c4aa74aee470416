//! How a deployment goes.

use super::topology::{Member, Source};
use crate::simulate::rng::Rng;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plot {
    /// Everything is configured.
    Succeeds,
    /// A service ends badly, and so does what needs it.
    Fails,
    /// An instance stops trying; what needs its services waits for ever.
    IsAbandoned,
    /// It is not over yet.
    GoesOn,
    /// The database needs what needs the database.
    IsTangled,
}

impl Plot {
    pub(super) fn draw(rng: &mut Rng) -> Plot {
        match rng.below(100) {
            0..68 => Plot::Succeeds,
            68..80 => Plot::Fails,
            80..88 => Plot::IsAbandoned,
            88..95 => Plot::GoesOn,
            _ => Plot::IsTangled,
        }
    }

    /// Makes the members need each other in a circle, where that is the plot.
    pub(super) fn tangle(self, members: &mut [Member]) {
        if self == Plot::IsTangled {
            let last = (members.len() - 1) as u16;
            let parameter =
                ("cache_service".to_owned(), Source::Service { member: last, service: 0 });
            members[0].services[0].parameters.push(parameter);
        }
    }
}
