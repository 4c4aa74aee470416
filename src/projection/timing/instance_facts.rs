//! What was heard of one instance, folded as it is read, and how it changes the instance's rows.

use std::collections::{BTreeMap, HashMap};

use super::fact::{self, Fact, Said};
use super::fold::Rows;
use super::requests::{self, Mention};
use super::rows::{Call, Instance, Stamp};
use super::{build, operations, recipes};
use crate::event::nova::{Notification, Phase, Subject};
use crate::event::recipe::RecipeEvent;

/// What was heard of one instance. Only what rows are made of is kept of each fact.
pub(super) struct Heard {
    /// Its registers, as they would be had nothing else been heard.
    instance: Instance,
    /// Steps, by operation.
    pub operations: BTreeMap<String, Vec<operations::Step>>,
    pub recipes: Vec<recipes::Step>,
    pub calls: Vec<Call>,
    /// By request.
    pub requests: BTreeMap<String, Vec<Mention>>,
}

/// What was heard of each instance. A map has room for twice what it holds: it holds pointers.
#[derive(Default)]
pub(super) struct ByInstance(HashMap<String, Box<Heard>>);

impl ByInstance {
    /// Takes a fact up.
    pub fn add(&mut self, fact: Fact) {
        match self.0.get_mut(fact.instance_id()) {
            Some(heard) => heard.add(fact),
            None => {
                let instance_id = fact.instance_id().to_owned();
                let mut heard = Box::new(Heard::new(&fact));
                heard.add(fact);
                self.0.insert(instance_id, heard);
            }
        }
    }

    /// In the order of the instances' ids, in which the tables' indexes take their rows best.
    pub fn finish(self) -> Vec<Heard> {
        let mut heard: Vec<Heard> = self.0.into_values().map(|heard| *heard).collect();
        heard.sort_unstable_by(|a, b| a.instance_id().cmp(b.instance_id()));
        heard
    }
}

impl Heard {
    fn new(first: &Fact) -> Self {
        Heard {
            instance: Instance::new(first),
            operations: BTreeMap::new(),
            recipes: Vec::new(),
            calls: Vec::new(),
            requests: BTreeMap::new(),
        }
    }

    /// Of which instance.
    pub fn instance_id(&self) -> &str {
        &self.instance.instance_id
    }

    fn add(&mut self, fact: Fact) {
        self.instance.note(&fact);
        let Fact { by, kind, source, said } = fact;
        match said {
            Said::Nova(said) => {
                self.add_mention(
                    &said,
                    Mention { occurred_at: by.0, event_id: by.1, kind, source },
                );
                self.add_notification(by, *said);
            }
            Said::Recipe(said) => self.add_recipe(by, said),
        }
    }

    /// What an event is to the request that caused it. Periodic `exists` are caused by none.
    fn add_mention(&mut self, said: &Notification, mention: Mention) {
        let Some(request_id) = &said.request_id else { return };
        if said.subject == Subject::Exists {
            return;
        }
        match self.requests.get_mut(request_id) {
            Some(mentions) => mentions.push(mention),
            None => {
                self.requests.insert(request_id.clone(), vec![mention]);
            }
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
        self.operations.entry(operation).or_default().push(step);
    }

    fn add_recipe(&mut self, by: Stamp, said: RecipeEvent) {
        match said {
            RecipeEvent::RecipeStarted { recipe, run_id, message, .. } => {
                let (is_start, outcome) = (true, None);
                self.recipes.push(recipes::Step { by, is_start, recipe, run_id, message, outcome });
            }
            RecipeEvent::RecipeEnded { recipe, run_id, message, outcome, .. } => {
                let is_start = false;
                self.recipes.push(recipes::Step { by, is_start, recipe, run_id, message, outcome });
            }
            RecipeEvent::TtmRecipe { instance_id, recipe, message } => {
                let (called_at, event_id) = by;
                self.calls.push(Call { instance_id, called_at, event_id, recipe, message });
            }
            RecipeEvent::BuildStarted { .. }
            | RecipeEvent::BootstrapStarted { .. }
            | RecipeEvent::BuildEnded { .. }
            | RecipeEvent::TtmTimeNow { .. }
            | RecipeEvent::TtmMetrics { .. } => {}
        }
    }

    /// The instance's rows after this, of those there were before, among which are all that what was
    /// heard can change.
    pub fn fold(mut self, before: Rows) -> Rows {
        let mut after = Rows::default();
        let instance_id = self.instance.instance_id.clone();

        for row in before.operations {
            match self.operations.get_mut(&row.operation) {
                Some(steps) => steps.extend(operations::take_apart(row)),
                None => after.operations.push(row),
            }
        }
        for (operation, steps) in self.operations {
            after.operations.extend(operations::fold(&instance_id, &operation, steps));
        }

        let mut instance = match before.instances.into_iter().next() {
            Some(mut row) => {
                row.merge(self.instance);
                row
            }
            None => self.instance,
        };
        instance.set_build(build::derive(&instance, &after.operations));
        after.instances.push(instance);

        let (called, told) =
            before.recipes.into_iter().partition::<Vec<_>, _>(|recipe| recipe.is_ttm);
        self.recipes.extend(told.into_iter().flat_map(recipes::take_apart));
        after.recipes = recipes::fold(&instance_id, self.recipes);
        if self.calls.is_empty() {
            after.recipes.extend(called);
            after.calls = before.calls;
        } else {
            after.calls = recipes::add_calls(before.calls, self.calls);
            after.recipes.extend(recipes::of_calls(&instance_id, &after.calls));
        }

        for row in before.requests {
            match self.requests.get_mut(&row.request_id) {
                Some(mentions) => mentions.extend(requests::take_apart(row)),
                None => after.requests.push(row),
            }
        }
        for (request_id, mentions) in self.requests {
            after.requests.push(requests::fold(request_id, &instance_id, mentions));
        }
        after
    }
}
