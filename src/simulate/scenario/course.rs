//! The courses that a build can take: mostly a good one, and each of the known bad ones.

use crate::simulate::rng::Rng;

/// Nova's default for `max_attempts` of the scheduler.
pub(super) const ATTEMPTS_MAX: usize = 3;

/// The course of one build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BuildCourse {
    /// The first attempt succeeds.
    Success,
    /// That many attempts fail, then one on another host succeeds.
    Rescheduled { failures: usize },
    /// Every attempt fails.
    Failure,
    /// The scheduler finds no host, so that there is no attempt.
    NoValidHost,
    /// The compute node dies: after the start nothing more happens.
    Stuck,
    /// Havana's form of a failure: `create.end` with the reason as its message.
    FailedEnd,
    /// The message of the start was lost.
    LostStart,
    /// The user deletes the instance before the build ends.
    DeletedWhileBuilding,
    /// The build fails, and the user deletes the instance.
    FailedAndDeleted,
}

impl BuildCourse {
    pub(super) fn draw(rng: &mut Rng) -> BuildCourse {
        match rng.below(100) {
            0..8 => BuildCourse::Rescheduled {
                failures: rng.between(1, ATTEMPTS_MAX as u64 - 1) as usize,
            },
            8..11 => BuildCourse::Failure,
            11..14 => BuildCourse::NoValidHost,
            14..17 => BuildCourse::Stuck,
            17 => BuildCourse::FailedEnd,
            18 => BuildCourse::LostStart,
            19 => BuildCourse::DeletedWhileBuilding,
            20 => BuildCourse::FailedAndDeleted,
            _ => BuildCourse::Success,
        }
    }

    /// Whether only the legacy format can report it: versioned notifications have no `message` for the
    /// reason of Havana's `create.end`.
    pub(super) fn is_legacy_only(self) -> bool {
        self == BuildCourse::FailedEnd
    }

    /// Whether the instance may have a bootstrap. Its reports would reveal the start of a build whose start
    /// must stay unknown.
    pub(super) fn may_bootstrap(self) -> bool {
        !matches!(self, BuildCourse::NoValidHost | BuildCourse::LostStart | BuildCourse::FailedEnd)
    }
}
