//! The facts of one instance, condensed as they are read, and their effect on the instance's rows.

use std::collections::{BTreeMap, HashMap};

use super::attributes::Attributes;
use super::fact::{self, Content, Fact};
use super::requests::{self, Effect};
use super::rows::{Call, FailedCall, Instance, Rows};
use super::stamp::Stamp;
use super::{build, operations, recipes};
use crate::event::nova::{Notification, Phase, Subject};
use crate::event::recipe::RecipeEvent;

/// The facts of one instance, reduced to the values that rows are made of.
pub(super) struct InstanceFacts {
    /// The instance's row as it would be without any other facts.
    instance: Instance,
    /// The reports of its attributes.
    attributes: Attributes,
    /// Steps, by operation.
    pub operations: BTreeMap<String, Vec<operations::Step>>,
    pub failed_calls: Vec<FailedCall>,
    pub recipes: Vec<recipes::Step>,
    pub calls: Vec<Call>,
    /// Effects, by request.
    pub requests: BTreeMap<String, Vec<Effect>>,
}

/// The facts of each instance. The map contains pointers, because it allocates up to twice the entries
/// that it holds.
#[derive(Default)]
pub(super) struct FactsByInstance(HashMap<String, Box<InstanceFacts>>);

impl FactsByInstance {
    /// Adds a fact.
    pub fn add(&mut self, fact: Fact) {
        match self.0.get_mut(fact.instance_id()) {
            Some(facts) => facts.add(fact),
            None => {
                let instance_id = fact.instance_id().to_owned();
                let mut facts = Box::new(InstanceFacts::new(&fact));
                facts.add(fact);
                self.0.insert(instance_id, facts);
            }
        }
    }

    /// Returns the facts in the order of the instances' ids, the order in which the tables' indexes take
    /// their rows best.
    pub fn finish(self) -> Vec<InstanceFacts> {
        let mut facts: Vec<InstanceFacts> = self.0.into_values().map(|facts| *facts).collect();
        facts.sort_unstable_by(|a, b| a.instance_id().cmp(b.instance_id()));
        facts
    }
}

impl InstanceFacts {
    fn new(first: &Fact) -> Self {
        InstanceFacts {
            instance: Instance::new(first),
            attributes: Attributes::default(),
            operations: BTreeMap::new(),
            failed_calls: Vec::new(),
            recipes: Vec::new(),
            calls: Vec::new(),
            requests: BTreeMap::new(),
        }
    }

    /// The instance's id.
    pub fn instance_id(&self) -> &str {
        &self.instance.instance_id
    }

    fn add(&mut self, fact: Fact) {
        self.instance.record(&fact);
        let Fact { stamp, kind, source, content } = fact;
        match content {
            Content::Nova(notification) => {
                self.attributes.record(stamp, &notification);
                self.add_effect(
                    &notification,
                    Effect { occurred_at: stamp.0, event_id: stamp.1, kind, source },
                );
                self.add_notification(stamp, *notification);
            }
            Content::Recipe(event) => self.add_recipe_event(stamp, event),
        }
    }

    /// Adds an event to the request that caused it. No request causes the periodic `exists`; before an
    /// operation an `exists` is an effect like others.
    fn add_effect(&mut self, notification: &Notification, effect: Effect) {
        let Some(request_id) = &notification.request_id else { return };
        if notification.subject == Subject::Exists {
            return;
        }
        match self.requests.get_mut(request_id) {
            Some(effects) => effects.push(effect),
            None => {
                self.requests.insert(request_id.clone(), vec![effect]);
            }
        }
    }

    fn add_notification(&mut self, stamp: Stamp, notification: Notification) {
        let Notification { subject, format, publisher_host: host, request_id, fault, .. } =
            notification;
        match subject {
            Subject::Operation { operation, phase } => {
                let Notification { flavor, image, project_id, .. } = notification;
                let fault = fault.filter(|_| phase == Phase::Error);
                let step = operations::Step {
                    stamp,
                    format,
                    phase,
                    host,
                    attributes: [request_id, flavor, image, project_id],
                    error: fault.as_ref().and_then(fact::error_text),
                };
                self.operations.entry(operation).or_default().push(step);
            }
            Subject::CallFailed { operations } => {
                // Without both it cannot be known which operation it is the end of.
                let (Some(request_id), Some(host)) = (request_id, host) else { return };
                // These have to be paired again.
                for operation in operations {
                    self.operations.entry((*operation).to_owned()).or_default();
                }
                self.failed_calls.push(FailedCall {
                    instance_id: self.instance.instance_id.clone(),
                    at: stamp.0,
                    event_id: stamp.1,
                    operations: operations.iter().map(|name| (*name).to_owned()).collect(),
                    request_id,
                    host,
                    error: fault.as_ref().and_then(fact::error_text),
                });
            }
            _ => {}
        }
    }

    fn add_recipe_event(&mut self, stamp: Stamp, event: RecipeEvent) {
        match event {
            RecipeEvent::BuildStarted { instance_name, .. }
            | RecipeEvent::BuildEnded { instance_name, .. }
            | RecipeEvent::TtmMetrics { instance_name, .. } => {
                self.attributes.record_name(stamp, &instance_name);
            }
            RecipeEvent::RecipeStarted { recipe, run_id, message, .. } => {
                let (is_start, outcome) = (true, None);
                let step = recipes::Step { stamp, is_start, recipe, run_id, message, outcome };
                self.recipes.push(step);
            }
            RecipeEvent::RecipeEnded { recipe, run_id, message, outcome, .. } => {
                let is_start = false;
                let step = recipes::Step { stamp, is_start, recipe, run_id, message, outcome };
                self.recipes.push(step);
            }
            RecipeEvent::TtmRecipe { instance_id, recipe, message } => {
                let (called_at, event_id) = stamp;
                self.calls.push(Call { instance_id, called_at, event_id, recipe, message });
            }
            RecipeEvent::BootstrapStarted { .. } | RecipeEvent::TtmTimeNow { .. } => {}
        }
    }

    /// Returns the instance's rows with these facts folded in. `before` must contain every row of the
    /// instance that the facts can change.
    pub fn fold(mut self, before: Rows) -> Rows {
        let mut after = Rows::default();
        let instance_id = self.instance.instance_id.clone();

        let failed_calls = operations::add_calls(before.failed_calls, self.failed_calls);
        for row in before.operations {
            match self.operations.get_mut(&row.operation) {
                Some(steps) => steps.extend(operations::unfold(row, &failed_calls)),
                None => after.operations.push(row),
            }
        }
        for (operation, steps) in self.operations {
            after.operations.extend(operations::fold(
                &instance_id,
                &operation,
                steps,
                &failed_calls,
            ));
        }
        after.failed_calls = failed_calls;

        let mut instance = match before.instances.into_iter().next() {
            Some(mut row) => {
                self.attributes.merge(Attributes::of(&row));
                row.merge(self.instance);
                row
            }
            None => self.instance,
        };
        self.attributes.write(&mut instance);
        instance.set_build(build::derive(&instance, &after.operations));
        after.instances.push(instance);

        let (of_calls, of_reports) =
            before.recipes.into_iter().partition::<Vec<_>, _>(|recipe| recipe.is_ttm);
        self.recipes.extend(of_reports.into_iter().flat_map(recipes::unfold));
        after.recipes = recipes::fold(&instance_id, self.recipes);
        if self.calls.is_empty() {
            after.recipes.extend(of_calls);
            after.calls = before.calls;
        } else {
            after.calls = recipes::add_calls(before.calls, self.calls);
            after.recipes.extend(recipes::fold_calls(&instance_id, &after.calls));
        }

        for row in before.requests {
            match self.requests.get_mut(&row.request_id) {
                Some(effects) => effects.extend(requests::unfold(row)),
                None => after.requests.push(row),
            }
        }
        for (request_id, effects) in self.requests {
            after.requests.push(requests::fold(request_id, &instance_id, effects));
        }
        after
    }
}
