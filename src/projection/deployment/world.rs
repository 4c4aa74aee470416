//! All that was said of some deployments and instances, and what follows from it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::attempt::{Attempt, Service, attempts};
use super::fact::{Fact, Stamp, before_all_at, ordered};
use super::generation::{self, Deployment, Span};
use super::state::{Asked, State};
use crate::event::deployment::{ParameterValue, Target};

/// The stories of instances, and what was said of deployments.
pub struct World<'a> {
    stories: BTreeMap<&'a str, Vec<Attempt>>,
    spans: BTreeMap<&'a str, Vec<Span<'a>>>,
}

/// What a parameter refers to has said what it was waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The value; of a service its code, whatever it is.
    pub value: String,
    /// When it was said.
    pub at: Timestamp,
    /// Whether it is the code of a configuration that failed.
    pub failed: bool,
}

/// A parameter that has no value yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved<'a> {
    /// Whose it is.
    pub instance_id: &'a str,
    /// Of which service.
    pub service: &'a str,
    /// Its name.
    pub parameter: &'a str,
    /// The instance that it waits for.
    pub from: &'a str,
    /// What it waits for there.
    pub target: &'a Target,
}

impl<'a> World<'a> {
    /// What the facts say, in whichever order and however often they come.
    pub fn of(facts: &'a [Fact]) -> Self {
        let facts = ordered(facts);
        let mut by_instance = BTreeMap::<&str, Vec<&Fact>>::new();
        for fact in &facts {
            if let Some(id) = fact.instance_id.as_deref() {
                by_instance.entry(id).or_default().push(fact);
            }
        }
        let stories = by_instance.into_iter().map(|(id, facts)| (id, attempts(&facts)));
        World {
            stories: stories.filter(|(_, attempts)| !attempts.is_empty()).collect(),
            spans: generation::spans(&facts),
        }
    }

    /// The deployments of that id: the last one is or was, those before it were deleted.
    pub fn deployments(&self, id: &str) -> Vec<Deployment> {
        generation::generations(id, self.spans(id), self)
    }

    /// The attempts of every instance.
    pub fn stories(&self) -> impl Iterator<Item = &[Attempt]> {
        self.stories.values().map(Vec::as_slice)
    }

    /// The attempts of one instance; none before it is registered.
    pub fn story(&self, instance_id: &str) -> &[Attempt] {
        self.stories.get(instance_id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether the deployment of an attempt was deleted after it began.
    pub fn is_deleted(&self, attempt: &Attempt) -> bool {
        self.deleted(attempt).is_some()
    }

    /// The place of that deletion.
    fn deleted(&self, attempt: &Attempt) -> Option<Stamp> {
        let spans = self.spans(&attempt.deployment_id).iter();
        spans.filter_map(|span| span.deleted).find(|deleted| *deleted > attempt.stamp)
    }

    fn spans(&self, deployment_id: &str) -> &[Span<'a>] {
        self.spans.get(deployment_id).map(Vec::as_slice).unwrap_or_default()
    }

    /// What a parameter of `consumer` that refers to `target` of an instance has for a value. The
    /// last one that was said before the service began counts, else the first one after that. What
    /// was said in a deployment that is deleted, or was when the service began, is gone.
    pub fn resolve(&self, consumer: &Service, from: &str, target: &Target) -> Option<Resolved> {
        let story = self.story(from);
        let began_at = consumer.frozen_at();
        if let Some(began_at) = began_at {
            let then = story.iter().rev().find(|attempt| attempt.registered_at <= began_at);
            let then = then.or(story.first())?;
            let was_deleted =
                self.deleted(then).is_some_and(|deleted| deleted <= before_all_at(began_at));
            let said = if was_deleted { Vec::new() } else { said(then, target) };
            if let Some(found) = said.into_iter().rev().find(|said| said.at <= began_at) {
                return Some(found);
            }
        }
        let current = story.last().filter(|attempt| !self.is_deleted(attempt))?;
        let mut said = said(current, target).into_iter();
        if began_at.is_some() { said.next() } else { said.next_back() }
    }

    /// The parameters of an instance's services that have no value yet.
    pub fn unresolved<'b>(&self, attempt: &'b Attempt) -> Vec<Unresolved<'b>> {
        attempt.services.iter().flat_map(|service| self.unresolved_of(attempt, service)).collect()
    }

    /// Those of one of its services.
    pub fn unresolved_of<'b>(
        &self,
        attempt: &'b Attempt,
        service: &'b Service,
    ) -> Vec<Unresolved<'b>> {
        let mut found = Vec::new();
        for parameter in &service.parameters {
            let ParameterValue::From { instance_id, target } = &parameter.value else {
                continue;
            };
            if self.resolve(service, instance_id, target).is_none() {
                found.push(Unresolved {
                    instance_id: &attempt.instance_id,
                    service: &service.name,
                    parameter: &parameter.name,
                    from: instance_id,
                    target,
                });
            }
        }
        found
    }

    /// How what is waited for stands, in one word: a [`State`], `not_registered`, or `not_declared`
    /// where the instance is not registered with such a parameter or service.
    pub fn state_of(&self, asked: Asked, from: &str, target: &Target) -> &'static str {
        let Some(attempt) = self.story(from).last() else { return "not_registered" };
        if self.is_deleted(attempt) {
            return State::Deleted.as_str();
        }
        let state = asked.state(attempt.state(), attempt.last_at);
        match target {
            Target::Parameter(name) if !attempt.provides.contains(name) => "not_declared",
            Target::Parameter(_) => state.as_str(),
            Target::Service(name) => match attempt.services.iter().find(|s| s.name == *name) {
                None => "not_declared",
                Some(service) if service.is_running() && state != State::Abandoned => {
                    State::Configuring.as_str()
                }
                Some(_) => state.as_str(),
            },
        }
    }

    /// Instances that parameters refer to and of which nothing is known here.
    pub fn strangers(&self) -> Vec<String> {
        let mut found = Vec::new();
        let services = self.stories().filter_map(<[Attempt]>::last).flat_map(|a| &a.services);
        for parameter in services.flat_map(|service| &service.parameters) {
            if let ParameterValue::From { instance_id, .. } = &parameter.value
                && !self.stories.contains_key(instance_id.as_str())
            {
                found.push(instance_id.clone());
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// All that an attempt said of the target, in order.
fn said(attempt: &Attempt, target: &Target) -> Vec<Resolved> {
    match target {
        Target::Parameter(name) => {
            let values = attempt.provided.get(name).into_iter().flatten();
            values
                .map(|(at, value)| Resolved { value: value.clone(), at: *at, failed: false })
                .collect()
        }
        Target::Service(name) => {
            let service = attempt.services.iter().find(|service| service.name == *name);
            let runs = service.into_iter().flat_map(|service| &service.runs);
            let ends = runs.filter_map(|run| Some((run.ended_at?, run.code.clone()?)));
            ends.map(|(at, value)| Resolved { failed: value != "0", value, at }).collect()
        }
    }
}
