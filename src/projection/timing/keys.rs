//! Which rows a stretch of facts can change.

use std::collections::HashSet;

use super::build;
use super::fact::{Fact, Said};
use crate::event::nova::Subject;
use crate::event::recipe::RecipeEvent;

/// The rows to be loaded before facts are folded into them: those whose columns are in these sets.
#[derive(Debug, Default)]
pub(super) struct Keys<'a> {
    pub instances: HashSet<&'a str>,
    /// Instances and names of operations.
    pub operations: HashSet<(&'a str, &'a str)>,
    /// Instances and names of recipes, of those that were told.
    pub recipes: HashSet<(&'a str, &'a str)>,
    /// Instances whose calls of TTM's recipe route are needed, and the recipes derived from them.
    pub calls: HashSet<&'a str>,
    /// Requests and instances.
    pub requests: HashSet<(&'a str, &'a str)>,
}

impl<'a> Keys<'a> {
    pub fn of(facts: &'a [Fact]) -> Self {
        let mut keys = Keys::default();
        for fact in facts {
            let instance = fact.instance_id();
            if keys.instances.insert(instance) {
                keys.operations.insert((instance, build::CREATE));
            }
            match &fact.said {
                Said::Nova(said) => {
                    keys.requests.extend(said.request_id.as_deref().map(|id| (id, instance)));
                    if let Subject::Operation { operation, .. } = &said.subject {
                        keys.operations.insert((instance, operation));
                    }
                }
                Said::Recipe(
                    RecipeEvent::RecipeStarted { recipe, .. }
                    | RecipeEvent::RecipeEnded { recipe, .. },
                ) => {
                    keys.recipes.insert((instance, recipe));
                }
                Said::Recipe(RecipeEvent::TtmRecipe { .. }) => {
                    keys.calls.insert(instance);
                }
                // These change the build alone, whose rows are loaded for every instance.
                Said::Recipe(
                    RecipeEvent::BuildStarted { .. }
                    | RecipeEvent::BootstrapStarted { .. }
                    | RecipeEvent::BuildEnded { .. }
                    | RecipeEvent::TtmTimeNow { .. }
                    | RecipeEvent::TtmMetrics { .. },
                ) => {}
            }
        }
        keys
    }
}
