//! Deployments of several instances whose services need each other's parameters, and what their
//! configuration reports: the events, in time order, from which messages and truth are both made.

mod plot;
mod story;
#[cfg(test)]
mod tests;
mod topology;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    options::Options,
    rng::Rng,
    scenario::{self, Micros},
};

pub(crate) use topology::{Member, Service, Source};

/// Numbers that belong to deployments begin their path with it; next comes what draws them: a
/// deployment (0), a message's id (1).
pub(crate) const DEPLOYED: u64 = u64::MAX - 3;

/// What is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deploying {
    /// How many deployments there are.
    pub deployments: u32,
    /// Instances of each, at least one.
    pub instances: u32,
    /// Services of each instance, at least one.
    pub services: u32,
}

impl Default for Deploying {
    /// No deployments.
    fn default() -> Deploying {
        Deploying { deployments: 0, instances: 3, services: 2 }
    }
}

/// One deployment and all that was said of it.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) members: Vec<Member>,
    /// In time order, no two at one time.
    pub(crate) facts: Vec<(Micros, Said)>,
}

/// What an event says; numbers are places among [`Deployment::members`] and their services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Declared,
    Registered {
        member: u16,
    },
    Contacted {
        member: u16,
    },
    /// Some of what the member provides: from one place to another.
    Provided {
        member: u16,
        from: u8,
        to: u8,
    },
    Started {
        member: u16,
        service: u16,
    },
    Ended {
        member: u16,
        service: u16,
        is_well: bool,
    },
    Abandoned {
        member: u16,
    },
}

/// All deployments. Every second of Nova's instances is a member of one, as far as there are any.
pub(crate) fn deployments(options: &Options, nova: &[scenario::Instance]) -> Vec<Deployment> {
    let mut known = nova.iter().step_by(2).map(|instance| instance.id);
    let span = u64::try_from(options.duration.as_micros()).unwrap_or(u64::MAX);
    (0..options.deploying.deployments)
        .map(|number| {
            let mut rng = Rng::new(options.seed, &[DEPLOYED, 0, number.into()]);
            let (id, begin) = (rng.uuid(), rng.below(span) as Micros);
            let mut members = topology::members(options.deploying, &mut rng);
            for (member, id) in members.iter_mut().zip(&mut known) {
                member.id = id;
            }
            let plot = plot::Plot::draw(&mut rng);
            plot.tangle(&mut members);
            let facts = story::tell(&members, plot, rng, begin);
            Deployment { id, name: format!("shop-{number}"), members, facts }
        })
        .collect()
}
