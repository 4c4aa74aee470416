//! What the configuration of a new instance reports about itself, as CloudEvents.

use super::{Outcome, Report, timeline::Timeline};

const RECIPES: [&str; 6] =
    ["ntp", "users", "disks", "webserver", "database::données", "monitoring"];

/// The caller of the API says that it begins.
pub(super) fn announce(t: &mut Timeline) {
    t.bootstrap(Report::BuildStarted);
    t.wait(0.5, 0.5);
}

/// Runs recipes after the instance came up. False when the bootstrap never ends.
pub(super) fn run(t: &mut Timeline, announced: bool) -> bool {
    t.wait(8.0, 0.5);
    // One of the two announcements there must be, or nobody knew of a bootstrap.
    if !announced || t.rng.chance(80) {
        t.bootstrap(Report::BootstrapStarted);
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
    t.bootstrap(Report::BuildEnded { outcome });
    true
}

/// False when the recipe failed.
fn run_recipe(t: &mut Timeline, recipe: &'static str) -> bool {
    let run_id = t.rng.chance(40).then(|| t.rng.uuid().to_string());
    t.bootstrap(Report::RecipeStarted { recipe, run_id: run_id.clone() });
    t.wait(9.0, 0.9);
    // Some never say how it ended, or that it did.
    let outcome = match t.rng.below(100) {
        0..3 => return true,
        3..7 => Some(Outcome::Failure),
        7..20 => None,
        _ => Some(Outcome::Success),
    };
    t.bootstrap(Report::RecipeEnded { recipe, run_id, outcome });
    outcome != Some(Outcome::Failure)
}
