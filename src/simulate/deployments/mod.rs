//! Deployments of several instances whose services need each other's parameters, and their configuration, as
//! facts in time order. Messages and truth are both made from these facts.

mod configuration;
mod course;
#[cfg(test)]
mod tests;
mod topology;

use uuid::Uuid;

use super::{options::Options, rng::Rng, scenario, time::Micros};
use course::DeploymentCourse;

pub(crate) use topology::{Member, Service, Source};

/// The first step of the paths of random numbers for deployments. The second step is their use: for a
/// deployment (0) or a message's id (1).
pub(crate) const DEPLOYMENTS_PATH: u64 = u64::MAX - 3;

/// A deployment and its configuration.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) members: Vec<Member>,
    /// In time order, no two at the same time.
    pub(crate) facts: Vec<(Micros, DeploymentFact)>,
}

/// An event in the configuration of a deployment. `member` and `service` are indexes into
/// [`Deployment::members`] and their services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeploymentFact {
    Declared,
    Registered {
        member: u16,
    },
    Contacted {
        member: u16,
    },
    /// Some of the parameters that the member provides, by a range of their indexes.
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
        succeeded: bool,
    },
    Abandoned {
        member: u16,
    },
}

/// Draws all deployments. Every second instance of Nova is a member of one, as far as they have members.
pub(crate) fn draw_deployments(options: &Options, nova: &[scenario::Instance]) -> Vec<Deployment> {
    let mut nova_ids = nova.iter().step_by(2).map(|instance| instance.id);
    let span = u64::try_from(options.duration.as_micros()).unwrap_or(u64::MAX);
    (0..options.deploying.deployments)
        .map(|number| {
            let mut rng = Rng::new(options.seed, &[DEPLOYMENTS_PATH, 0, number.into()]);
            let (id, begin) = (rng.uuid(), rng.below(span) as Micros);
            let mut members = topology::draw_members(options.deploying, &mut rng);
            for (member, id) in members.iter_mut().zip(&mut nova_ids) {
                member.id = id;
            }
            let course = DeploymentCourse::draw(&mut rng);
            course.close_circle(&mut members);
            let facts = configuration::simulate(&members, course, rng, begin);
            Deployment { id, name: format!("shop-{number}"), members, facts }
        })
        .collect()
}
