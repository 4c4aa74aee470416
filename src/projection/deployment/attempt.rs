//! An instance's attempts: each registration, and what the instance did until the next one.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::fact::{Fact, Stamp};
use super::state::{State, Status};
use crate::event::deployment::{DeploymentEvent, Parameter, Registration};

/// One registration of an instance, and what followed until the next. What is stamped before the
/// first registration belongs to that one: clocks differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Counts from 1.
    pub number: usize,
    /// The instance.
    pub instance_id: String,
    /// The deployment it was registered with.
    pub deployment_id: String,
    /// What it is to be.
    pub assembly: Option<String>,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// The first and the last time it was in contact: whatever it reports is a contact.
    pub contacted: Option<(Timestamp, Timestamp)>,
    /// What is configured on it: first the services it was registered with, then others it told of.
    pub services: Vec<Service>,
    /// Names of the parameters it is to provide.
    pub provides: Vec<String>,
    /// What it provided, by name, each value with the time it was first said in a row, in order.
    pub provided: BTreeMap<String, Vec<(Timestamp, String)>>,
    /// That it has given up, if it reported nothing since.
    pub abandoned: Option<Abandoned>,
    /// The last thing heard of it.
    pub last_at: Timestamp,
    pub(super) stamp: Stamp,
}

/// An instance has stopped trying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abandoned {
    /// When that was said.
    pub at: Timestamp,
    /// Why.
    pub reason: Option<String>,
}

/// A service of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Whether the instance was registered with it.
    pub declared: bool,
    /// What it is configured with.
    pub parameters: Vec<Parameter>,
    /// How often it was configured, in order.
    pub runs: Vec<Run>,
}

/// One configuration of a service. At least one of the times is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// When it began; `None` where only its end was told.
    pub started_at: Option<Timestamp>,
    /// When it ended, if it did.
    pub ended_at: Option<Timestamp>,
    /// With which code; `0` is success.
    pub code: Option<String>,
}

/// The attempts of an instance, of its facts in their order. None before it is registered.
pub(super) fn attempts(facts: &[&Fact]) -> Vec<Attempt> {
    let mut attempts = Vec::<Attempt>::new();
    let mut early = Vec::new();
    for fact in facts {
        match (&fact.said, attempts.last_mut()) {
            (DeploymentEvent::Registered(registration), _) => {
                attempts.push(Attempt::new(attempts.len() + 1, fact, registration));
                let attempt = attempts.last_mut().expect("it was pushed right now");
                early.drain(..).for_each(|fact| attempt.add(fact));
            }
            (_, Some(attempt)) => attempt.add(fact),
            (_, None) => early.push(fact),
        }
    }
    attempts
}

impl Attempt {
    fn new(number: usize, fact: &Fact, registration: &Registration) -> Self {
        let services = registration.services.iter().map(|service| Service {
            name: service.name.clone(),
            declared: true,
            parameters: service.parameters.clone(),
            runs: Vec::new(),
        });
        Attempt {
            number,
            instance_id: registration.instance_id.clone(),
            deployment_id: registration.deployment_id.clone(),
            assembly: registration.assembly.clone(),
            registered_at: fact.occurred_at,
            contacted: None,
            services: services.collect(),
            provides: registration.provides.clone(),
            provided: BTreeMap::new(),
            abandoned: None,
            last_at: fact.occurred_at,
            stamp: fact.stamp(),
        }
    }

    /// Adds the next fact.
    fn add(&mut self, fact: &Fact) {
        let at = fact.occurred_at;
        self.last_at = self.last_at.max(at);
        self.abandoned = None;
        match &fact.said {
            DeploymentEvent::Abandoned { reason, .. } => {
                self.abandoned = Some(Abandoned { at, reason: reason.clone() });
                return;
            }
            DeploymentEvent::Provided { parameters, .. } => {
                for (name, value) in parameters {
                    let values = self.provided.entry(name.clone()).or_default();
                    if values.last().is_none_or(|(_, known)| known != value) {
                        values.push((at, value.clone()));
                    }
                }
            }
            DeploymentEvent::Started { service, .. } => {
                let run = Run { started_at: Some(at), ..Run::default() };
                self.service(service).runs.push(run);
            }
            DeploymentEvent::Ended { service, code, .. } => {
                let runs = &mut self.service(service).runs;
                if runs.last().is_none_or(|run| run.ended_at.is_some()) {
                    runs.push(Run::default());
                }
                let run = runs.last_mut().expect("there is one now");
                (run.ended_at, run.code) = (Some(at), Some(code.clone()));
            }
            _ => {}
        }
        let (first, last) = self.contacted.unwrap_or((at, at));
        self.contacted = Some((first.min(at), last.max(at)));
    }

    /// The service of that name; one that was not declared is added.
    fn service(&mut self, name: &str) -> &mut Service {
        let known = self.services.iter().position(|service| service.name == name);
        let index = known.unwrap_or_else(|| {
            self.services.push(Service {
                name: name.to_owned(),
                declared: false,
                parameters: Vec::new(),
                runs: Vec::new(),
            });
            self.services.len() - 1
        });
        &mut self.services[index]
    }

    /// The worst of its services; `None` where it has none.
    pub fn status(&self) -> Option<Status> {
        self.services.iter().map(Service::status).min()
    }

    /// How far it is, but for silence.
    pub fn state(&self) -> State {
        let mut services = self.services.iter();
        let is_complete = match self.status() {
            Some(status) => {
                status == Status::Success && self.services.iter().all(|s| !s.is_running())
            }
            None => self.contacted.is_some() && self.pending().next().is_none(),
        };
        if is_complete {
            State::Complete
        } else if self.abandoned.is_some() {
            State::Abandoned
        } else if services.any(|s| s.status() == Status::Error && !s.is_running()) {
            State::Failed
        } else if self.services.iter().any(|service| !service.runs.is_empty()) {
            State::Configuring
        } else if self.contacted.is_some() {
            State::Contacted
        } else {
            State::Registered
        }
    }

    /// When the last of its services ended, if every one of them has.
    pub fn completed_at(&self) -> Option<Timestamp> {
        let ends: Option<Vec<Timestamp>> = self.services.iter().map(Service::ended_at).collect();
        ends?.into_iter().max()
    }

    /// The parameters that it is to provide and has not.
    pub fn pending(&self) -> impl Iterator<Item = &str> {
        let names = self.provides.iter().map(String::as_str);
        names.filter(|name| !self.provided.contains_key(*name))
    }
}

impl Service {
    /// Of its last end: `0` is success, anything else an error.
    pub fn status(&self) -> Status {
        match self.code() {
            None => Status::Incomplete,
            Some("0") => Status::Success,
            Some(_) => Status::Error,
        }
    }

    /// The code of its last end.
    pub fn code(&self) -> Option<&str> {
        self.runs.iter().rev().find_map(|run| run.code.as_deref())
    }

    /// When it last began.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.runs.iter().rev().find_map(|run| run.started_at)
    }

    /// When it last ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.runs.iter().rev().find_map(|run| run.ended_at)
    }

    /// Whether it has begun, perhaps again, and not ended.
    pub fn is_running(&self) -> bool {
        self.runs.last().is_some_and(|run| run.ended_at.is_none())
    }

    /// The first thing heard of it: from then on its parameters are what they were.
    pub fn frozen_at(&self) -> Option<Timestamp> {
        self.runs.first().and_then(|run| run.started_at.or(run.ended_at))
    }
}
