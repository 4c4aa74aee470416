//! One instance: its rows, and what arrived for it.

use std::collections::BTreeMap;

use super::fact::{self, Fact, Said};
use super::fold::Rows;
use super::rows::{Call, Instance, Operation, Recipe, Stamp};
use super::{build, operations, recipes};
use crate::event::nova::{Notification, Phase, Subject};
use crate::event::recipe::RecipeEvent;

/// All there is about one instance: its rows, and the steps and calls that arrived.
#[derive(Default)]
pub(super) struct Story {
    pub instance: Option<Instance>,
    /// By name, with the steps that arrived.
    pub operations: BTreeMap<String, (Vec<Operation>, Vec<operations::Step>)>,
    pub recipes: Vec<Recipe>,
    pub calls: Vec<Call>,
    recipe_steps: Vec<recipes::Step>,
    new_calls: Vec<Call>,
    is_changed: bool,
}

impl Story {
    /// Takes a fact up. The rows are as before until [`Story::finish`].
    pub fn add(&mut self, fact: Fact) {
        self.is_changed = true;
        self.instance.get_or_insert_with(|| Instance::new(&fact)).note(&fact);
        match fact.said {
            Said::Nova(said) => self.add_notification(fact.by, *said),
            Said::Recipe(said) => self.add_recipe(fact.by, said),
        }
    }

    fn add_notification(&mut self, by: Stamp, said: Notification) {
        let Subject::Operation { operation, phase } = said.subject else { return };
        let step = operations::Step {
            by,
            format: said.format,
            phase,
            host: said.publisher_host,
            said: [said.request_id, said.flavor, said.image, said.project_id],
            error: said.fault.filter(|_| phase == Phase::Error).as_ref().and_then(fact::error),
        };
        self.operations.entry(operation).or_default().1.push(step);
    }

    fn add_recipe(&mut self, by: Stamp, said: RecipeEvent) {
        match said {
            RecipeEvent::RecipeStarted { recipe, run_id, message, .. } => {
                let (is_start, outcome) = (true, None);
                let step = recipes::Step { by, is_start, recipe, run_id, message, outcome };
                self.recipe_steps.push(step);
            }
            RecipeEvent::RecipeEnded { recipe, run_id, message, outcome, .. } => {
                let is_start = false;
                let step = recipes::Step { by, is_start, recipe, run_id, message, outcome };
                self.recipe_steps.push(step);
            }
            RecipeEvent::TtmRecipe { instance_id, recipe, message } => {
                let (called_at, event_id) = by;
                self.new_calls.push(Call { instance_id, called_at, event_id, recipe, message });
            }
            RecipeEvent::BuildStarted { .. }
            | RecipeEvent::BootstrapStarted { .. }
            | RecipeEvent::BuildEnded { .. }
            | RecipeEvent::TtmTimeNow { .. }
            | RecipeEvent::TtmMetrics { .. } => {}
        }
    }

    /// Adds the instance's rows, with all that arrived, to `rows`.
    pub fn finish(mut self, instance_id: &str, rows: &mut Rows) {
        let first = rows.operations.len();
        for (operation, (before, steps)) in self.operations {
            if steps.is_empty() {
                rows.operations.extend(before);
            } else {
                rows.operations.extend(operations::fold(instance_id, &operation, before, steps));
            }
        }
        if let Some(mut instance) = self.instance {
            if self.is_changed {
                instance.set_build(build::derive(&instance, &rows.operations[first..]));
            }
            rows.instances.push(instance);
        }
        let (mut of_calls, mut told) =
            self.recipes.into_iter().partition::<Vec<_>, _>(|recipe| recipe.is_ttm);
        if !self.recipe_steps.is_empty() {
            told = recipes::fold(instance_id, told, self.recipe_steps);
        }
        if !self.new_calls.is_empty() {
            self.calls = recipes::add_calls(self.calls, self.new_calls);
            of_calls = recipes::of_calls(instance_id, &self.calls);
        }
        rows.recipes.extend(told);
        rows.recipes.extend(of_calls);
        rows.calls.extend(self.calls);
    }
}
