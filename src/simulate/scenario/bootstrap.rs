//! The configuration of a new instance, which reports its own progress by CloudEvents.

use super::{
    fact::{Outcome, Report},
    timeline::Timeline,
};

const RECIPES: [&str; 6] =
    ["ntp", "users", "disks", "webserver", "database::données", "monitoring"];

/// Adds the announcement of a build by the caller of the API.
pub(super) fn announce(t: &mut Timeline) {
    t.report(Report::BuildStarted);
    t.wait(0.5, 0.5);
}

/// Adds the recipes that run after the instance was built. Returns `false` if the bootstrap never ends.
pub(super) fn run(t: &mut Timeline, is_announced: bool) -> bool {
    t.wait(8.0, 0.5);
    // At least one of the two announcements is needed: without one a bootstrap is not known to exist.
    if !is_announced || t.rng.chance(80) {
        t.report(Report::BootstrapStarted);
    }
    let count = t.rng.between(2, RECIPES.len() as u64) as usize;
    let mut failed = false;
    for recipe in RECIPES.iter().take(count) {
        failed |= !run_recipe(t, recipe);
    }
    t.wait(1.0, 0.5);
    if t.rng.chance(8) {
        return false;
    }
    let outcome = match (failed, t.rng.chance(15)) {
        (true, _) => Some(Outcome::Failure),
        (false, true) => None,
        (false, false) => Some(Outcome::Success),
    };
    t.report(Report::BuildEnded { outcome });
    true
}

/// Adds a run of a recipe. Returns `false` if it failed.
fn run_recipe(t: &mut Timeline, recipe: &'static str) -> bool {
    let run_id = t.rng.chance(40).then(|| t.rng.uuid().to_string());
    t.report(Report::RecipeStarted { recipe, run_id: run_id.clone() });
    t.wait(9.0, 0.9);
    // Some runs report no outcome, and some report no end.
    let outcome = match t.rng.below(100) {
        0..3 => return true,
        3..7 => Some(Outcome::Failure),
        7..20 => None,
        _ => Some(Outcome::Success),
    };
    t.report(Report::RecipeEnded { recipe, run_id, outcome });
    outcome != Some(Outcome::Failure)
}
