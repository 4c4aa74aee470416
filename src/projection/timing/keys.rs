//! Which rows a stretch of facts can change.

use std::collections::BTreeSet;

use super::build;
use super::fact::{Fact, Said};
use crate::event::nova::Subject;
use crate::event::recipe::RecipeEvent;

/// The rows to be loaded before facts are folded into them: those whose columns are in these sets.
#[derive(Debug, Default)]
pub(super) struct Keys<'a> {
    pub instances: BTreeSet<&'a str>,
    /// Names of operations, of each of `instances`.
    pub operations: BTreeSet<&'a str>,
    /// Instances whose recipes are needed.
    pub recipes: BTreeSet<&'a str>,
    /// Instances whose calls of TTM's recipe route are needed.
    pub calls: BTreeSet<&'a str>,
    /// Requests, of each of `instances`.
    pub requests: BTreeSet<&'a str>,
}

impl<'a> Keys<'a> {
    pub fn of(facts: &'a [Fact]) -> Self {
        let mut keys = Keys { operations: build::OPERATIONS.into(), ..Keys::default() };
        for fact in facts {
            keys.instances.insert(fact.instance_id());
            match &fact.said {
                Said::Nova(said) => {
                    keys.requests.extend(said.request_id.as_deref());
                    if let Subject::Operation { operation, .. } = &said.subject {
                        keys.operations.insert(operation);
                    }
                }
                Said::Recipe(
                    RecipeEvent::RecipeStarted { .. } | RecipeEvent::RecipeEnded { .. },
                ) => {
                    keys.recipes.insert(fact.instance_id());
                }
                Said::Recipe(RecipeEvent::TtmRecipe { .. }) => {
                    keys.recipes.insert(fact.instance_id());
                    keys.calls.insert(fact.instance_id());
                }
                Said::Recipe(_) => {}
            }
        }
        keys
    }
}
