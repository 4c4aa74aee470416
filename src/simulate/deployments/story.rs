//! What the members of a deployment report, by the rules they work by: a service is configured when
//! its instance was in contact and all that it needs is known.

use super::{
    Said,
    plot::Plot,
    topology::{Member, Source},
};
use crate::simulate::{rng::Rng, scenario::Micros};

/// The least time between two events of one deployment.
const GAP_MIN: Micros = 1_000;

/// When things happen; `None`: never.
struct Times {
    contacted: Vec<Micros>,
    /// By member and what it provides.
    provided: Vec<Vec<Micros>>,
    /// By member and service: start, end.
    configured: Vec<Vec<Option<(Micros, Micros)>>>,
}

/// The events of a deployment that is declared at `begin`.
pub(super) fn tell(
    members: &[Member],
    plot: Plot,
    mut rng: Rng,
    begin: Micros,
) -> Vec<(Micros, Said)> {
    let mut facts = vec![(begin, Said::Declared)];
    let mut at = begin;
    for member in 0..members.len() as u16 {
        at += rng.micros(1.0, 0.5);
        facts.push((at, Said::Registered { member }));
    }
    let registered = facts.len();
    let unlucky = (rng.index(members.len()), rng.index(members[0].services.len()));
    let gives_up = (plot == Plot::IsAbandoned).then_some(unlucky);
    let fails = (plot == Plot::Fails).then_some(unlucky);

    let mut times = Times { contacted: Vec::new(), provided: Vec::new(), configured: Vec::new() };
    for (number, member) in (0..).zip(members) {
        let contacted = at + rng.micros(20.0, 0.6);
        facts.push((contacted, Said::Contacted { member: number }));
        let provided = provide(number, member, contacted, &mut rng, &mut facts);
        times.contacted.push(contacted);
        times.provided.push(provided);
        times.configured.push(vec![None; member.services.len()]);
    }
    configure(members, gives_up, &mut rng, &mut times);
    let failed = failed(members, fails, &times);
    for (member, services) in times.configured.iter().enumerate() {
        for (service, (start, end)) in
            services.iter().enumerate().filter_map(|(place, times)| Some((place, (*times)?)))
        {
            let is_well = !failed[member][service];
            let (member, service) = (member as u16, service as u16);
            facts.push((start, Said::Started { member, service }));
            facts.push((end, Said::Ended { member, service, is_well }));
        }
    }
    if let Some((member, _)) = gives_up {
        let own = times.configured[member].iter().flatten().map(|(_, end)| *end).max();
        let given_up = own.unwrap_or(times.contacted[member]).max(times.provided[member][1]);
        let at = given_up + rng.micros(60.0, 0.3);
        facts.push((at, Said::Abandoned { member: member as u16 }));
    }
    in_order(&mut facts);
    if plot == Plot::GoesOn {
        facts.truncate(registered + rng.index(facts.len() - registered));
    }
    facts
}

/// What a member provides, all at once or one after the other; when each.
fn provide(
    number: u16,
    member: &Member,
    contacted: Micros,
    rng: &mut Rng,
    facts: &mut Vec<(Micros, Said)>,
) -> Vec<Micros> {
    let (first, all) = (contacted + rng.micros(5.0, 0.5), member.provides.len() as u8);
    let second = first + rng.micros(5.0, 0.5);
    if rng.chance(70) {
        facts.push((first, Said::Provided { member: number, from: 0, to: all }));
        return vec![first; all.into()];
    }
    facts.push((first, Said::Provided { member: number, from: 0, to: 1 }));
    facts.push((second, Said::Provided { member: number, from: 1, to: all }));
    (0..all).map(|place| if place == 0 { first } else { second }).collect()
}

/// Configures what can be, until nothing more can. `gives_up` is the first service that an instance
/// does not come to any more.
fn configure(
    members: &[Member],
    gives_up: Option<(usize, usize)>,
    rng: &mut Rng,
    times: &mut Times,
) {
    loop {
        let mut is_done = true;
        for (number, member) in members.iter().enumerate() {
            for (place, service) in member.services.iter().enumerate() {
                let is_over = gives_up.is_some_and(|(one, from)| one == number && place >= from);
                if times.configured[number][place].is_some() || is_over {
                    continue;
                }
                let known =
                    service.parameters.iter().map(|(_, source)| known(source, members, times));
                let known: Option<Vec<Micros>> = known.collect();
                if let Some(known) = known {
                    let ready = known.into_iter().fold(times.contacted[number], Micros::max);
                    let start = ready + rng.micros(4.0, 0.6);
                    let end = start + rng.micros(30.0, 0.8);
                    times.configured[number][place] = Some((start, end));
                    is_done = false;
                }
            }
        }
        if is_done {
            return;
        }
    }
}

/// Since when a value is known.
fn known(source: &Source, members: &[Member], times: &Times) -> Option<Micros> {
    match *source {
        Source::Given(_) => Some(Micros::MIN),
        Source::Parameter { member, name } => {
            let member = usize::from(member);
            let place = members[member].provides.iter().position(|(own, _)| *own == name)?;
            Some(times.provided[member][place])
        }
        Source::Service { member, service } => {
            let services = &times.configured[usize::from(member)];
            services[usize::from(service)].map(|(_, end)| end)
        }
    }
}

/// Which services end badly: the one that fails, and all that need it.
fn failed(members: &[Member], fails: Option<(usize, usize)>, times: &Times) -> Vec<Vec<bool>> {
    let mut failed: Vec<Vec<bool>> =
        members.iter().map(|member| vec![false; member.services.len()]).collect();
    let Some((member, service)) = fails else { return failed };
    failed[member][service] = true;
    let mut order: Vec<(Micros, usize, usize)> = Vec::new();
    for (member, services) in times.configured.iter().enumerate() {
        let own = services.iter().enumerate();
        order.extend(own.filter_map(|(service, times)| Some(((*times)?.0, member, service))));
    }
    // Whatever a service needs has ended before it starts.
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

/// Sorts by time, and moves apart what happened at once.
fn in_order(facts: &mut [(Micros, Said)]) {
    facts.sort_by_key(|(at, _)| *at);
    for place in 1..facts.len() {
        facts[place].0 = facts[place].0.max(facts[place - 1].0 + GAP_MIN);
    }
}
