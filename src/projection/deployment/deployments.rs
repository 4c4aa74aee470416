//! A set of deployments and instances, built from their facts, and the references between them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::attempt::{Attempt, Service, split_into_attempts};
use super::fact::{Fact, Stamp, before_all_at, sort};
use super::generation::{Deployment, Lifetime, build_generations, split_into_lifetimes};
use super::state::{SilenceLimit, State};
use crate::event::deployment::{ParameterValue, Target};

/// The attempts of instances and the lifetimes of deployments.
pub struct Deployments<'a> {
    attempts: BTreeMap<&'a str, Vec<Attempt>>,
    lifetimes: BTreeMap<&'a str, Vec<Lifetime<'a>>>,
}

/// The value of a parameter that refers to an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedValue {
    /// The value; for a service, the code it ended with, whatever that is.
    pub value: String,
    /// When it was reported.
    pub at: Timestamp,
    /// Whether it is the code of a failed configuration.
    pub failed: bool,
}

/// A parameter that has no value yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnresolvedParameter<'a> {
    /// The instance that has the parameter.
    pub instance_id: &'a str,
    /// The service that has the parameter.
    pub service: &'a str,
    /// The name of the parameter.
    pub parameter: &'a str,
    /// The instance that it waits for.
    pub from: &'a str,
    /// The parameter or service of that instance.
    pub target: &'a Target,
}

impl<'a> Deployments<'a> {
    /// Builds the set from facts in any order, with or without duplicates.
    pub fn of(facts: &'a [Fact]) -> Self {
        let facts = sort(facts);
        let mut by_instance = BTreeMap::<&str, Vec<&Fact>>::new();
        for fact in &facts {
            if let Some(id) = fact.instance_id.as_deref() {
                by_instance.entry(id).or_default().push(fact);
            }
        }
        let attempts = by_instance.into_iter().map(|(id, facts)| (id, split_into_attempts(&facts)));
        Deployments {
            attempts: attempts.filter(|(_, attempts)| !attempts.is_empty()).collect(),
            lifetimes: split_into_lifetimes(&facts),
        }
    }

    /// Returns the generations of the deployment `id`. All but the last were deleted; the last may be.
    pub fn generations(&self, id: &str) -> Vec<Deployment> {
        build_generations(id, self.lifetimes_of(id), self.attempts_by_instance())
    }

    /// Returns the attempts of each registered instance.
    pub fn attempts_by_instance(&self) -> impl Iterator<Item = &[Attempt]> + Clone {
        self.attempts.values().map(Vec::as_slice)
    }

    /// Returns the attempts of one instance; none if it was never registered.
    pub fn attempts_of(&self, instance_id: &str) -> &[Attempt] {
        self.attempts.get(instance_id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether the deployment of an attempt was deleted after the attempt began.
    pub fn is_deleted(&self, attempt: &Attempt) -> bool {
        self.deletion_of(attempt).is_some()
    }

    /// Returns the place of that deletion among all facts.
    fn deletion_of(&self, attempt: &Attempt) -> Option<Stamp> {
        let lifetimes = self.lifetimes_of(&attempt.deployment_id).iter();
        let mut deletions = lifetimes.filter_map(|lifetime| lifetime.deleted);
        deletions.find(|deleted| *deleted > attempt.stamp)
    }

    fn lifetimes_of(&self, deployment_id: &str) -> &[Lifetime<'a>] {
        self.lifetimes.get(deployment_id).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the value of a parameter of `consumer` that refers to `target` of the instance `from`. The
    /// last value reported before the service started counts, else the first one after that. Values of a
    /// deployment that is deleted, or was deleted when the service started, do not count.
    pub fn resolve(
        &self,
        consumer: &Service,
        from: &str,
        target: &Target,
    ) -> Option<ResolvedValue> {
        let attempts = self.attempts_of(from);
        let started_at = consumer.frozen_at();
        if let Some(started_at) = started_at {
            let then = attempts.iter().rev().find(|attempt| attempt.registered_at <= started_at);
            let then = then.or(attempts.first())?;
            let was_deleted =
                self.deletion_of(then).is_some_and(|deleted| deleted <= before_all_at(started_at));
            let values = if was_deleted { Vec::new() } else { values_of(then, target) };
            if let Some(value) = values.into_iter().rev().find(|value| value.at <= started_at) {
                return Some(value);
            }
        }
        let current = attempts.last().filter(|attempt| !self.is_deleted(attempt))?;
        let mut values = values_of(current, target).into_iter();
        if started_at.is_some() { values.next() } else { values.next_back() }
    }

    /// Returns the parameters of an instance's services that have no value yet.
    pub fn unresolved_parameters<'b>(&self, attempt: &'b Attempt) -> Vec<UnresolvedParameter<'b>> {
        let services = attempt.services.iter();
        services.flat_map(|service| self.unresolved_parameters_of(attempt, service)).collect()
    }

    /// As [`Deployments::unresolved_parameters`], of one service.
    pub fn unresolved_parameters_of<'b>(
        &self,
        attempt: &'b Attempt,
        service: &'b Service,
    ) -> Vec<UnresolvedParameter<'b>> {
        let mut found = Vec::new();
        for parameter in &service.parameters {
            let ParameterValue::From { instance_id, target } = &parameter.value else {
                continue;
            };
            if self.resolve(service, instance_id, target).is_none() {
                found.push(UnresolvedParameter {
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

    /// Returns the state of the instance `from` and of `target` on it, in one word: a [`State`],
    /// `not_registered`, or `not_declared` if the instance is registered without such a parameter or
    /// service.
    pub fn state_of(&self, limit: SilenceLimit, from: &str, target: &Target) -> &'static str {
        let Some(attempt) = self.attempts_of(from).last() else { return "not_registered" };
        if self.is_deleted(attempt) {
            return State::Deleted.as_str();
        }
        let state = limit.state(attempt.state(), attempt.last_at);
        match target {
            Target::Parameter(name) if !attempt.provides.contains(name) => "not_declared",
            Target::Parameter(_) => state.as_str(),
            Target::Service(name) => match attempt.find_service(name) {
                None => "not_declared",
                Some(service) if service.is_running() && state != State::Abandoned => {
                    State::Configuring.as_str()
                }
                Some(_) => state.as_str(),
            },
        }
    }

    /// Returns the instances that parameters refer to and that are not part of this set.
    pub fn unknown_instances(&self) -> Vec<String> {
        let mut found = Vec::new();
        let attempts = self.attempts_by_instance().filter_map(<[Attempt]>::last);
        let services = attempts.flat_map(|attempt| &attempt.services);
        for parameter in services.flat_map(|service| &service.parameters) {
            if let ParameterValue::From { instance_id, .. } = &parameter.value
                && !self.attempts.contains_key(instance_id.as_str())
            {
                found.push(instance_id.clone());
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Returns all values of `target` that were reported during an attempt, in order.
fn values_of(attempt: &Attempt, target: &Target) -> Vec<ResolvedValue> {
    match target {
        Target::Parameter(name) => {
            let values = attempt.provided.get(name).into_iter().flatten();
            values
                .map(|(at, value)| ResolvedValue { value: value.clone(), at: *at, failed: false })
                .collect()
        }
        Target::Service(name) => {
            let runs = attempt.find_service(name).into_iter().flat_map(|service| &service.runs);
            let ends = runs.filter_map(|run| Some((run.ended_at?, run.code.clone()?)));
            ends.map(|(at, value)| ResolvedValue { failed: value != "0", value, at }).collect()
        }
    }
}
