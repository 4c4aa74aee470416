//! A deployment, from its declaration or first registration to its deletion. One that was deleted
//! and is declared again is another one of the same id.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::attempt::Attempt;
use super::fact::{Fact, Stamp, before_all_at};
use super::state::{State, Status};
use super::world::World;
use crate::event::deployment::{DeploymentEvent, Phase, Stack};

/// A deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub deployment_id: String,
    /// Counts from 1; the earlier ones were deleted.
    pub number: usize,
    /// As it was last declared, or as Heat calls it.
    pub name: Option<String>,
    /// Whose it is, as far as Heat says so.
    pub project_id: Option<String>,
    /// When it was first declared.
    pub declared_at: Option<Timestamp>,
    /// Ids of the instances that are expected.
    pub expected: Vec<String>,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// What Heat last did with it.
    pub stack: Option<StackState>,
    /// The instances that are registered with it, by the time of that.
    pub instances: Vec<Attempt>,
    /// The first thing heard of it.
    pub first_at: Timestamp,
    /// The last thing heard of it and its instances.
    pub last_at: Timestamp,
}

/// What Heat last did with a stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackState {
    /// The last thing that was told, and when.
    pub last: (Timestamp, Stack),
    /// How its last create or update came out; none has yet where it is [`Status::Incomplete`].
    pub status: Status,
    /// When that was.
    pub ended_at: Option<Timestamp>,
}

/// What was said of a deployment as a whole, and the registrations with it, from the first of these
/// facts to the one that deleted it, or the last.
pub(super) struct Span<'a> {
    facts: Vec<&'a Fact>,
    /// The place of its deletion.
    pub deleted: Option<Stamp>,
}

/// The spans of every deployment that the facts name, in order; the facts are in theirs.
pub(super) fn spans<'a>(facts: &[&'a Fact]) -> BTreeMap<&'a str, Vec<Span<'a>>> {
    let mut by_deployment = BTreeMap::<&str, Vec<&Fact>>::new();
    for fact in facts {
        if let Some(id) = fact.deployment_id.as_deref() {
            by_deployment.entry(id).or_default().push(fact);
        }
    }
    by_deployment.into_iter().map(|(id, facts)| (id, of_one(&facts))).collect()
}

/// The spans of one deployment.
fn of_one<'a>(facts: &[&'a Fact]) -> Vec<Span<'a>> {
    let mut spans = Vec::<Span<'_>>::new();
    for moment in facts.chunk_by(|fact, next| fact.occurred_at == next.occurred_at) {
        let is_open = spans.last().is_some_and(|span| span.deleted.is_none());
        let is_declared =
            moment.iter().any(|fact| matches!(fact.said, DeploymentEvent::Declared { .. }));
        // Where there is one, it cannot be declared again before it is deleted.
        let (first, then): (Vec<&Fact>, Vec<&Fact>) =
            moment.iter().partition(|fact| is_open && is_declared && speaks_of_deletion(fact));
        for fact in first {
            add(&mut spans, fact, before_all_at(fact.occurred_at));
        }
        for fact in then {
            add(&mut spans, fact, fact.stamp());
        }
    }
    spans
}

/// Adds the next fact, which stands in that place.
fn add<'a>(spans: &mut Vec<Span<'a>>, fact: &'a Fact, place: Stamp) {
    let is_new = spans.last().is_none_or(|span| span.deleted.is_some());
    if is_new && (spans.is_empty() || !speaks_of_deletion(fact)) {
        spans.push(Span { facts: Vec::new(), deleted: None });
    } else if is_new {
        // It is told once more that it was deleted.
        return;
    }
    let span = spans.last_mut().expect("there is one now");
    span.facts.push(fact);
    span.deleted = deletes(fact).then_some(place);
}

/// The deployments of that id, in order, of its spans.
pub(super) fn generations(id: &str, spans: &[Span<'_>], world: &World) -> Vec<Deployment> {
    let mut since = None;
    let mut found = Vec::new();
    for (index, span) in spans.iter().enumerate() {
        let is_within = |attempt: &Attempt| {
            attempt.deployment_id == id && since.is_none_or(|since| attempt.stamp > since)
        };
        let mut members: Vec<Attempt> = world
            .stories()
            .filter_map(|attempts| {
                let until = |attempt: &&Attempt| span.deleted.is_none_or(|at| attempt.stamp < at);
                attempts.iter().rev().find(until).filter(|attempt| is_within(attempt))
            })
            .cloned()
            .collect();
        members.sort_by_key(|attempt| attempt.stamp);
        found.push(Deployment::new(id, index + 1, span, members));
        since = span.deleted;
    }
    found
}

/// Whether a fact ends a deployment.
fn deletes(fact: &Fact) -> bool {
    match &fact.said {
        DeploymentEvent::Deleted { .. } => true,
        DeploymentEvent::Stack(stack) => stack.operation == "delete" && stack.phase == Phase::End,
        _ => false,
    }
}

/// Whether a fact says nothing of a deployment that is not being deleted.
fn speaks_of_deletion(fact: &Fact) -> bool {
    match &fact.said {
        DeploymentEvent::Deleted { .. } => true,
        DeploymentEvent::Stack(stack) => stack.operation == "delete",
        _ => false,
    }
}

impl Deployment {
    fn new(id: &str, number: usize, span: &Span<'_>, instances: Vec<Attempt>) -> Self {
        let times = span.facts.iter().map(|fact| fact.occurred_at);
        let heard = times.clone().chain(instances.iter().map(|attempt| attempt.last_at));
        let first_at = times.min().unwrap_or(Timestamp::UNIX_EPOCH);
        let mut deployment = Deployment {
            deployment_id: id.to_owned(),
            number,
            name: None,
            project_id: None,
            declared_at: None,
            expected: Vec::new(),
            deleted_at: span.deleted.map(|(at, ..)| at),
            stack: None,
            first_at,
            last_at: heard.max().unwrap_or(first_at),
            instances,
        };
        for fact in &span.facts {
            deployment.add(fact);
        }
        deployment
    }

    /// Adds the next fact. What a later declaration leaves out stays.
    fn add(&mut self, fact: &Fact) {
        match &fact.said {
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
        let known = self.stack.take();
        let (mut status, mut ended_at) =
            known.map_or((Status::Incomplete, None), |known| (known.status, known.ended_at));
        // Suspending or checking a stack does not build it.
        if matches!(stack.operation.as_str(), "create" | "adopt" | "update" | "rollback") {
            match stack.phase {
                Phase::Start => {}
                Phase::End => (status, ended_at) = (Status::Success, Some(at)),
                Phase::Error => (status, ended_at) = (Status::Error, Some(at)),
            }
        }
        self.stack = Some(StackState { last: (at, stack.clone()), status, ended_at });
    }

    /// The worst of its instances and its stack; `None` where nothing has services.
    pub fn status(&self) -> Option<Status> {
        let stack = self.stack.as_ref().map(|stack| stack.status);
        self.instances.iter().filter_map(Attempt::status).chain(stack).min()
    }

    /// Ids of the instances that are expected and not registered with it.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        let is_here = |id: &str| self.instances.iter().any(|known| known.instance_id == id);
        self.expected.iter().map(String::as_str).filter(move |id| !is_here(id))
    }

    /// When its last instance was registered; else when it was declared, or first heard of.
    pub fn registered_at(&self) -> Timestamp {
        let last = self.instances.iter().map(|attempt| attempt.registered_at).max();
        last.or(self.declared_at).unwrap_or(self.first_at)
    }

    /// When the last configuration ended, if none is left and no instance is missing.
    pub fn completed_at(&self) -> Option<Timestamp> {
        let with_services = self.instances.iter().filter(|attempt| !attempt.services.is_empty());
        let instances = with_services.map(Attempt::completed_at);
        let stack = self.stack.iter().map(|stack| stack.ended_at);
        let ends: Option<Vec<Timestamp>> = instances.chain(stack).collect();
        ends.filter(|_| self.missing().next().is_none())?.into_iter().max()
    }

    /// How far it is, but for silence.
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

impl StackState {
    /// As what was last done with it says.
    fn state(&self) -> State {
        match self.last.1.phase {
            Phase::Start => State::Configuring,
            Phase::End => State::Complete,
            Phase::Error => State::Failed,
        }
    }
}
