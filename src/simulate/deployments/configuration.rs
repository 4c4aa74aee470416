//! The configuration of a deployment's members. Its rule: a service is configured once its instance was
//! contacted and the values of all parameters of the service are known.

use super::{
    DeploymentFact,
    course::DeploymentCourse,
    topology::{Member, Source},
};
use crate::simulate::{rng::Rng, time::Micros};

/// The least time between two facts of one deployment.
const GAP_MIN: Micros = 1_000;

/// The times of a configuration.
struct Times {
    contacted: Vec<Micros>,
    /// By member and provided parameter.
    provided: Vec<Vec<Micros>>,
    /// Start and end by member and service; `None` if the service is never configured.
    configured: Vec<Vec<Option<(Micros, Micros)>>>,
}

/// Returns the facts of a deployment that is declared at `begin`.
pub(super) fn simulate(
    members: &[Member],
    course: DeploymentCourse,
    mut rng: Rng,
    begin: Micros,
) -> Vec<(Micros, DeploymentFact)> {
    let mut facts = vec![(begin, DeploymentFact::Declared)];
    let mut at = begin;
    for member in 0..members.len() as u16 {
        at += rng.micros(1.0, 0.5);
        facts.push((at, DeploymentFact::Registered { member }));
    }
    let registered = facts.len();
    let unlucky = (rng.index(members.len()), rng.index(members[0].services.len()));
    let gives_up = (course == DeploymentCourse::Abandoned).then_some(unlucky);
    let fails = (course == DeploymentCourse::Failure).then_some(unlucky);

    let mut times = Times { contacted: Vec::new(), provided: Vec::new(), configured: Vec::new() };
    for (number, member) in (0..).zip(members) {
        let contacted = at + rng.micros(20.0, 0.6);
        facts.push((contacted, DeploymentFact::Contacted { member: number }));
        let provided = provide(number, member, contacted, &mut rng, &mut facts);
        times.contacted.push(contacted);
        times.provided.push(provided);
        times.configured.push(vec![None; member.services.len()]);
    }
    configure(members, gives_up, &mut rng, &mut times);
    let failed = propagate_failure(members, fails, &times);
    for (member, services) in times.configured.iter().enumerate() {
        for (service, (start, end)) in
            services.iter().enumerate().filter_map(|(index, times)| Some((index, (*times)?)))
        {
            let succeeded = !failed[member][service];
            let (member, service) = (member as u16, service as u16);
            facts.push((start, DeploymentFact::Started { member, service }));
            facts.push((end, DeploymentFact::Ended { member, service, succeeded }));
        }
    }
    if let Some((member, _)) = gives_up {
        let own = times.configured[member].iter().flatten().map(|(_, end)| *end).max();
        let given_up = own.unwrap_or(times.contacted[member]).max(times.provided[member][1]);
        let at = given_up + rng.micros(60.0, 0.3);
        facts.push((at, DeploymentFact::Abandoned { member: member as u16 }));
    }
    sort(&mut facts);
    if course == DeploymentCourse::Unfinished {
        facts.truncate(registered + rng.index(facts.len() - registered));
    }
    facts
}

/// Adds the facts of a member that provides its parameters, in one or in two steps. Returns the time of each
/// parameter.
fn provide(
    number: u16,
    member: &Member,
    contacted: Micros,
    rng: &mut Rng,
    facts: &mut Vec<(Micros, DeploymentFact)>,
) -> Vec<Micros> {
    let (first, all) = (contacted + rng.micros(5.0, 0.5), member.provides.len() as u8);
    let second = first + rng.micros(5.0, 0.5);
    if rng.chance(70) {
        facts.push((first, DeploymentFact::Provided { member: number, from: 0, to: all }));
        return vec![first; all.into()];
    }
    facts.push((first, DeploymentFact::Provided { member: number, from: 0, to: 1 }));
    facts.push((second, DeploymentFact::Provided { member: number, from: 1, to: all }));
    (0..all).map(|index| if index == 0 { first } else { second }).collect()
}

/// Sets the times of all services that can be configured. `gives_up` is an instance that gives up, and the
/// first of its services that it does not configure any more.
fn configure(
    members: &[Member],
    gives_up: Option<(usize, usize)>,
    rng: &mut Rng,
    times: &mut Times,
) {
    loop {
        let mut is_done = true;
        for (number, member) in members.iter().enumerate() {
            for (index, service) in member.services.iter().enumerate() {
                let is_over = gives_up.is_some_and(|(one, from)| one == number && index >= from);
                if times.configured[number][index].is_some() || is_over {
                    continue;
                }
                let sources = service.parameters.iter().map(|(_, source)| source);
                let known: Option<Vec<Micros>> =
                    sources.map(|source| known_since(source, members, times)).collect();
                if let Some(known) = known {
                    let ready = known.into_iter().fold(times.contacted[number], Micros::max);
                    let start = ready + rng.micros(4.0, 0.6);
                    let end = start + rng.micros(30.0, 0.8);
                    times.configured[number][index] = Some((start, end));
                    is_done = false;
                }
            }
        }
        if is_done {
            return;
        }
    }
}

/// Returns the time since which a value is known; `None` if it is not.
fn known_since(source: &Source, members: &[Member], times: &Times) -> Option<Micros> {
    match *source {
        Source::Given(_) => Some(Micros::MIN),
        Source::Parameter { member, name } => {
            let member = usize::from(member);
            let index = members[member].provides.iter().position(|(own, _)| *own == name)?;
            Some(times.provided[member][index])
        }
        Source::Service { member, service } => {
            let services = &times.configured[usize::from(member)];
            services[usize::from(service)].map(|(_, end)| end)
        }
    }
}

/// Returns whether each service fails, by member and service: `fails` does, and so do all that need it.
fn propagate_failure(
    members: &[Member],
    fails: Option<(usize, usize)>,
    times: &Times,
) -> Vec<Vec<bool>> {
    let mut failed: Vec<Vec<bool>> =
        members.iter().map(|member| vec![false; member.services.len()]).collect();
    let Some((member, service)) = fails else { return failed };
    failed[member][service] = true;
    let mut order: Vec<(Micros, usize, usize)> = Vec::new();
    for (member, services) in times.configured.iter().enumerate() {
        let own = services.iter().enumerate();
        order.extend(own.filter_map(|(service, times)| Some(((*times)?.0, member, service))));
    }
    // The services that a service needs have ended before it starts.
    order.sort_unstable();
    for (_, member, service) in order {
        let needs = |(_, source): &(String, Source)| match source {
            Source::Service { member, service } => {
                failed[usize::from(*member)][usize::from(*service)]
            }
            _ => false,
        };
        if members[member].services[service].parameters.iter().any(needs) {
            failed[member][service] = true;
        }
    }
    failed
}

/// Sorts facts by time, and separates those at the same time by [`GAP_MIN`].
fn sort(facts: &mut [(Micros, DeploymentFact)]) {
    facts.sort_by_key(|(at, _)| *at);
    for index in 1..facts.len() {
        facts[index].0 = facts[index].0.max(facts[index - 1].0 + GAP_MIN);
    }
}
