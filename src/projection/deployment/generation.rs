//! A deployment, from its declaration or first registration to its deletion. A deployment that was
//! deleted and is declared again is another one of the same id.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::attempt::Attempt;
use super::fact::{Fact, Stamp, before_all_at};
use super::stack::StackState;
use super::state::{State, Status};
use crate::event::deployment::{DeploymentEvent, Phase, Stack};

/// A deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub deployment_id: String,
    /// Its generation, counting from 1; the earlier ones were deleted.
    pub number: usize,
    /// Its name in the last declaration, or in Heat.
    pub name: Option<String>,
    /// The project it belongs to, if Heat reported one.
    pub project_id: Option<String>,
    /// When it was first declared.
    pub declared_at: Option<Timestamp>,
    /// Ids of the instances that are expected.
    pub expected: Vec<String>,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// The last operation of Heat on it.
    pub stack: Option<StackState>,
    /// The instances registered with it, in the order of their registration.
    pub instances: Vec<Attempt>,
    /// The time of its first event.
    pub first_at: Timestamp,
    /// The time of the last event of it or its instances.
    pub last_at: Timestamp,
}

/// The facts that name one generation of a deployment: from the first of them to its deletion, or to the
/// last.
pub(super) struct Lifetime<'a> {
    facts: Vec<&'a Fact>,
    /// The place of its deletion among all facts.
    pub deleted: Option<Stamp>,
}

/// Divides facts, which are in order, into the lifetimes of every deployment that they name.
pub(super) fn split_into_lifetimes<'a>(facts: &[&'a Fact]) -> BTreeMap<&'a str, Vec<Lifetime<'a>>> {
    let mut by_deployment = BTreeMap::<&str, Vec<&Fact>>::new();
    for fact in facts {
        if let Some(id) = fact.deployment_id.as_deref() {
            by_deployment.entry(id).or_default().push(fact);
        }
    }
    by_deployment.into_iter().map(|(id, facts)| (id, split_one(&facts))).collect()
}

/// Divides the facts of one deployment into its lifetimes.
fn split_one<'a>(facts: &[&'a Fact]) -> Vec<Lifetime<'a>> {
    let mut lifetimes = Vec::<Lifetime<'_>>::new();
    for moment in facts.chunk_by(|fact, next| fact.occurred_at == next.occurred_at) {
        let is_open = lifetimes.last().is_some_and(|lifetime| lifetime.deleted.is_none());
        let is_declared =
            moment.iter().any(|fact| matches!(fact.event, DeploymentEvent::Declared { .. }));
        // A deployment that exists cannot be declared again before it is deleted.
        let (first, then): (Vec<&Fact>, Vec<&Fact>) =
            moment.iter().partition(|fact| is_open && is_declared && is_about_deletion(fact));
        for fact in first {
            add(&mut lifetimes, fact, before_all_at(fact.occurred_at));
        }
        for fact in then {
            add(&mut lifetimes, fact, fact.stamp());
        }
    }
    lifetimes
}

/// Adds the next fact, which has that place among all facts.
fn add<'a>(lifetimes: &mut Vec<Lifetime<'a>>, fact: &'a Fact, place: Stamp) {
    let is_new = lifetimes.last().is_none_or(|lifetime| lifetime.deleted.is_some());
    if is_new && (lifetimes.is_empty() || !is_about_deletion(fact)) {
        lifetimes.push(Lifetime { facts: Vec::new(), deleted: None });
    } else if is_new {
        // The deletion is reported once more.
        return;
    }
    let lifetime = lifetimes.last_mut().expect("an open lifetime was just ensured");
    lifetime.facts.push(fact);
    lifetime.deleted = ends_deployment(fact).then_some(place);
}

/// Returns the generations of the deployment `id`, in order. `attempts` yields the attempts of each
/// instance that may be part of it.
pub(super) fn build_generations<'a>(
    id: &str,
    lifetimes: &[Lifetime<'_>],
    attempts: impl Iterator<Item = &'a [Attempt]> + Clone,
) -> Vec<Deployment> {
    let mut since = None;
    let mut found = Vec::new();
    for (index, lifetime) in lifetimes.iter().enumerate() {
        let is_within = |attempt: &Attempt| {
            attempt.deployment_id == id && since.is_none_or(|since| attempt.stamp > since)
        };
        let is_before_end =
            |attempt: &&Attempt| lifetime.deleted.is_none_or(|at| attempt.stamp < at);
        let mut members: Vec<Attempt> = attempts
            .clone()
            .filter_map(|attempts| attempts.iter().rev().find(is_before_end))
            .filter(|attempt| is_within(attempt))
            .cloned()
            .collect();
        members.sort_by_key(|attempt| attempt.stamp);
        found.push(Deployment::new(id, index + 1, lifetime, members));
        since = lifetime.deleted;
    }
    found
}

/// Whether a fact ends a deployment.
fn ends_deployment(fact: &Fact) -> bool {
    match &fact.event {
        DeploymentEvent::Deleted { .. } => true,
        DeploymentEvent::Stack(stack) => stack.operation == "delete" && stack.phase == Phase::End,
        _ => false,
    }
}

/// Whether a fact is about the deletion of a deployment, so that it cannot begin one.
fn is_about_deletion(fact: &Fact) -> bool {
    match &fact.event {
        DeploymentEvent::Deleted { .. } => true,
        DeploymentEvent::Stack(stack) => stack.operation == "delete",
        _ => false,
    }
}

impl Deployment {
    fn new(id: &str, number: usize, lifetime: &Lifetime<'_>, instances: Vec<Attempt>) -> Self {
        let times = lifetime.facts.iter().map(|fact| fact.occurred_at);
        let all_times = times.clone().chain(instances.iter().map(|attempt| attempt.last_at));
        let first_at = times.min().unwrap_or(Timestamp::UNIX_EPOCH);
        let mut deployment = Deployment {
            deployment_id: id.to_owned(),
            number,
            name: None,
            project_id: None,
            declared_at: None,
            expected: Vec::new(),
            deleted_at: lifetime.deleted.map(|(at, ..)| at),
            stack: None,
            first_at,
            last_at: all_times.max().unwrap_or(first_at),
            instances,
        };
        for fact in &lifetime.facts {
            deployment.add(fact);
        }
        deployment
    }

    /// Applies the next fact. A later declaration changes only what it contains.
    fn add(&mut self, fact: &Fact) {
        match &fact.event {
            DeploymentEvent::Declared { name, instances, .. } => {
                self.declared_at.get_or_insert(fact.occurred_at);
                if name.is_some() {
                    self.name.clone_from(name);
                }
                if !instances.is_empty() {
                    self.expected.clone_from(instances);
                }
            }
            DeploymentEvent::Stack(stack) => self.add_stack(fact.occurred_at, stack),
            _ => {}
        }
    }

    fn add_stack(&mut self, at: Timestamp, stack: &Stack) {
        if stack.name.is_some() {
            self.name.clone_from(&stack.name);
        }
        if stack.project_id.is_some() {
            self.project_id.clone_from(&stack.project_id);
        }
        self.stack = Some(StackState::after(self.stack.take(), at, stack));
    }

    /// Returns the worst status of its instances and its stack; `None` if nothing has services.
    pub fn status(&self) -> Option<Status> {
        let stack = self.stack.as_ref().map(|stack| stack.status);
        self.instances.iter().filter_map(Attempt::status).chain(stack).min()
    }

    /// Returns the ids of the instances that are expected and not registered with it.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        let is_here = |id: &str| self.instances.iter().any(|known| known.instance_id == id);
        self.expected.iter().map(String::as_str).filter(move |id| !is_here(id))
    }

    /// Returns when its last instance was registered; without instances, when it was declared or its
    /// first event happened.
    pub fn registered_at(&self) -> Timestamp {
        let last = self.instances.iter().map(|attempt| attempt.registered_at).max();
        last.or(self.declared_at).unwrap_or(self.first_at)
    }

    /// Returns when the last configuration ended, if all have and no instance is missing.
    pub fn completed_at(&self) -> Option<Timestamp> {
        let with_services = self.instances.iter().filter(|attempt| !attempt.services.is_empty());
        let instances = with_services.map(Attempt::completed_at);
        let stack = self.stack.iter().map(|stack| stack.ended_at);
        let ends: Option<Vec<Timestamp>> = instances.chain(stack).collect();
        ends.filter(|_| self.missing().next().is_none())?.into_iter().max()
    }

    /// Returns its state, without regard to silence.
    pub fn state(&self) -> State {
        if self.deleted_at.is_some() {
            return State::Deleted;
        }
        let mut states: Vec<State> = self.instances.iter().map(Attempt::state).collect();
        states.extend(self.stack.as_ref().map(StackState::state));
        let any = |state| states.contains(&state);
        let is_whole = !states.is_empty() && self.missing().next().is_none();
        if any(State::Failed) {
            State::Failed
        } else if any(State::Abandoned) {
            State::Abandoned
        } else if !is_whole {
            State::Declared
        } else if states.iter().all(|state| *state == State::Complete) {
            State::Complete
        } else if any(State::Configuring) || any(State::Complete) {
            State::Configuring
        } else if states.iter().all(|state| *state == State::Contacted) {
            State::Contacted
        } else {
            State::Registered
        }
    }
}
