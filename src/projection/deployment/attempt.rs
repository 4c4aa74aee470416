//! The attempts of an instance: each registration, with the instance's reports until the next one.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::fact::{Fact, Stamp};
use super::state::{State, Status};
use crate::event::deployment::{DeploymentEvent, Parameter, Registration};

/// A registration of an instance, and the instance's reports until the next one. Reports that are stamped
/// before the first registration belong to it, because clocks differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Counts from 1.
    pub number: usize,
    /// The instance's id.
    pub instance_id: String,
    /// The deployment it was registered with.
    pub deployment_id: String,
    /// The role of the instance, e.g. `mysql`.
    pub assembly: Option<String>,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// The times of the first and the last contact. Every report is a contact.
    pub contacted: Option<(Timestamp, Timestamp)>,
    /// The services configured on it: first the ones it was registered with, then others that it
    /// reported.
    pub services: Vec<Service>,
    /// Names of the parameters that it is expected to provide.
    pub provides: Vec<String>,
    /// The values it provided, by parameter and in order. Of the same value in a row, the first time
    /// counts.
    pub provided: BTreeMap<String, Vec<(Timestamp, String)>>,
    /// The report that it has given up, if it reported nothing since.
    pub abandoned: Option<AbandonReport>,
    /// The time of its last report.
    pub last_at: Timestamp,
    pub(super) stamp: Stamp,
    /// The indexes of the services, ordered by their names.
    by_name: Vec<usize>,
}

/// An instance's report that it has stopped trying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbandonReport {
    /// When it was made.
    pub at: Timestamp,
    /// The reason it gives.
    pub reason: Option<String>,
}

/// A service of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// Whether the instance was registered with it.
    pub declared: bool,
    /// The parameters it is configured with.
    pub parameters: Vec<Parameter>,
    /// Its configurations, in order.
    pub runs: Vec<Run>,
}

/// One configuration of a service. At least one of its times is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// When it started; `None` if only its end was reported.
    pub started_at: Option<Timestamp>,
    /// When it ended, if it did.
    pub ended_at: Option<Timestamp>,
    /// The code it ended with; `0` is success.
    pub code: Option<String>,
}

/// Divides the facts of an instance, which are in order, into its attempts. An instance that was never
/// registered has none.
pub(super) fn split_into_attempts(facts: &[&Fact]) -> Vec<Attempt> {
    let mut attempts = Vec::<Attempt>::new();
    let mut early = Vec::new();
    for fact in facts {
        match (&fact.event, attempts.last_mut()) {
            (DeploymentEvent::Registered(registration), _) => {
                attempts.push(Attempt::new(attempts.len() + 1, fact, registration));
                let attempt = attempts.last_mut().expect("the attempt was just pushed");
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
        let services: Vec<Service> = services.collect();
        let mut by_name: Vec<usize> = (0..services.len()).collect();
        by_name.sort_unstable_by_key(|index| &services[*index].name);
        Attempt {
            number,
            instance_id: registration.instance_id.clone(),
            deployment_id: registration.deployment_id.clone(),
            assembly: registration.assembly.clone(),
            registered_at: fact.occurred_at,
            contacted: None,
            services,
            provides: registration.provides.clone(),
            provided: BTreeMap::new(),
            abandoned: None,
            last_at: fact.occurred_at,
            stamp: fact.stamp(),
            by_name,
        }
    }

    /// Applies the next fact.
    fn add(&mut self, fact: &Fact) {
        let at = fact.occurred_at;
        self.last_at = self.last_at.max(at);
        self.abandoned = None;
        match &fact.event {
            DeploymentEvent::Abandoned { reason, .. } => {
                self.abandoned = Some(AbandonReport { at, reason: reason.clone() });
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
                self.ensure_service(service).runs.push(run);
            }
            DeploymentEvent::Ended { service, code, .. } => {
                let runs = &mut self.ensure_service(service).runs;
                if runs.last().is_none_or(|run| run.ended_at.is_some()) {
                    runs.push(Run::default());
                }
                let run = runs.last_mut().expect("an open run was just ensured");
                (run.ended_at, run.code) = (Some(at), Some(code.clone()));
            }
            _ => {}
        }
        let (first, last) = self.contacted.unwrap_or((at, at));
        self.contacted = Some((first.min(at), last.max(at)));
    }

    /// Returns the service of that name.
    pub fn find_service(&self, name: &str) -> Option<&Service> {
        let place = self.search_by_name(name).ok()?;
        Some(&self.services[self.by_name[place]])
    }

    /// Searches the services' names. `Err` contains the place at which the name would be inserted.
    fn search_by_name(&self, name: &str) -> Result<usize, usize> {
        self.by_name.binary_search_by(|index| self.services[*index].name.as_str().cmp(name))
    }

    /// Returns the service of that name, which is added if it was not declared.
    fn ensure_service(&mut self, name: &str) -> &mut Service {
        let index = match self.search_by_name(name) {
            Ok(place) => self.by_name[place],
            Err(place) => {
                self.by_name.insert(place, self.services.len());
                self.services.push(Service {
                    name: name.to_owned(),
                    declared: false,
                    parameters: Vec::new(),
                    runs: Vec::new(),
                });
                self.services.len() - 1
            }
        };
        &mut self.services[index]
    }

    /// Returns the worst status of its services; `None` if it has none.
    pub fn status(&self) -> Option<Status> {
        self.services.iter().map(Service::status).min()
    }

    /// Returns its state, without regard to silence.
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

    /// Returns when the last of its services ended, if all of them have.
    pub fn completed_at(&self) -> Option<Timestamp> {
        let ends: Option<Vec<Timestamp>> = self.services.iter().map(Service::ended_at).collect();
        ends?.into_iter().max()
    }

    /// Returns the parameters that it is expected to provide and has not provided yet.
    pub fn pending(&self) -> impl Iterator<Item = &str> {
        let names = self.provides.iter().map(String::as_str);
        names.filter(|name| !self.provided.contains_key(*name))
    }
}

impl Service {
    /// Returns the status of its last end: the code `0` is success, any other an error.
    pub fn status(&self) -> Status {
        match self.code() {
            None => Status::Incomplete,
            Some("0") => Status::Success,
            Some(_) => Status::Error,
        }
    }

    /// Returns the code of its last end.
    pub fn code(&self) -> Option<&str> {
        self.runs.iter().rev().find_map(|run| run.code.as_deref())
    }

    /// Returns when it last started.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.runs.iter().rev().find_map(|run| run.started_at)
    }

    /// Returns when it last ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.runs.iter().rev().find_map(|run| run.ended_at)
    }

    /// Whether it has started, perhaps again, and not ended.
    pub fn is_running(&self) -> bool {
        self.runs.last().is_some_and(|run| run.ended_at.is_none())
    }

    /// Returns the time of its first report. From then on the values of its parameters are fixed.
    pub fn frozen_at(&self) -> Option<Timestamp> {
        self.runs.first().and_then(|run| run.started_at.or(run.ended_at))
    }
}
