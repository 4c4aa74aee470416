//! Services that wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use super::attempt::Attempt;
use super::world::World;
use crate::event::deployment::Target;

/// How many cycles are named at most.
const CYCLES_MAX: usize = 100;

/// What is waited for, and what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Node<'a> {
    /// A service of an instance.
    Service(&'a str, &'a str),
    /// Whichever unfinished service of this instance is to find a value out.
    AnyOf(&'a str),
}

/// Services of which each waits for the next, and the last for the first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cycle {
    /// Whether each waits for the end of the next, and none has begun: then none of them ever will.
    /// Otherwise one has begun all the same, or waits for a parameter, which an instance may provide
    /// before its services are done.
    pub deadlock: bool,
    /// Instance and service, beginning with the first of them in the order of their names.
    pub services: Vec<(String, String)>,
}

/// What waits for what.
type Graph<'a> = BTreeMap<Node<'a>, BTreeSet<Node<'a>>>;

/// The cycles among unresolved references of these instances, those that cannot resolve first. A
/// service that waits for itself is a cycle of one.
pub fn cycles(world: &World<'_>, instances: &[Attempt]) -> Vec<Cycle> {
    let all = graph(world, instances);
    let stuck = stuck(&all, instances);
    let mut found: Vec<Cycle> = search(&stuck, &stuck).into_iter().collect();
    found.extend(search(&all, &stuck).into_iter().filter(|cycle| !cycle.deadlock));
    found.truncate(CYCLES_MAX);
    found
}

fn graph<'a>(world: &World<'_>, instances: &'a [Attempt]) -> Graph<'a> {
    let mut graph = Graph::new();
    for attempt in instances {
        let services = attempt.services.iter().filter(|service| service.ended_at().is_none());
        let nodes = services.map(|service| Node::Service(&attempt.instance_id, &service.name));
        graph.insert(Node::AnyOf(&attempt.instance_id), nodes.collect());
    }
    let unfinished: BTreeSet<Node<'_>> = graph.values().flatten().copied().collect();
    for waiting in instances.iter().flat_map(|attempt| world.unresolved(attempt)) {
        let (next, is_here) = match waiting.target {
            Target::Service(name) => {
                let next = Node::Service(waiting.from, name);
                (next, unfinished.contains(&next))
            }
            Target::Parameter(_) => {
                let next = Node::AnyOf(waiting.from);
                (next, graph.contains_key(&next))
            }
        };
        if is_here {
            let node = Node::Service(waiting.instance_id, waiting.service);
            graph.entry(node).or_default().insert(next);
        }
    }
    graph
}

/// The part of the graph in which services that have not begun wait for each other's end.
fn stuck<'a>(graph: &Graph<'a>, instances: &'a [Attempt]) -> Graph<'a> {
    let services = instances.iter().flat_map(|attempt| {
        let waiting = attempt.services.iter().filter(|service| !service.is_running());
        waiting.map(|service| Node::Service(&attempt.instance_id, &service.name))
    });
    let idle: BTreeSet<Node<'a>> = services.collect();
    let among_idle = |(node, next): (&Node<'a>, &BTreeSet<Node<'a>>)| {
        idle.contains(node).then(|| (*node, next.intersection(&idle).copied().collect()))
    };
    graph.iter().filter_map(among_idle).collect()
}

/// The cycles that one walk through the graph meets: at least one of every knot. Without recursion:
/// chains may be long.
fn search(graph: &Graph<'_>, stuck: &Graph<'_>) -> BTreeSet<Cycle> {
    let mut found = BTreeSet::new();
    let mut done = BTreeSet::new();
    for start in graph.keys() {
        if done.contains(start) {
            continue;
        }
        let mut path = vec![(*start, graph[start].iter())];
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            match next.next() {
                None => {
                    done.insert(node);
                    path.pop();
                }
                Some(next) => {
                    if let Some(from) = path.iter().position(|(on_path, _)| on_path == next) {
                        let nodes: Vec<Node<'_>> = path[from..].iter().map(|step| step.0).collect();
                        found.insert(cycle(stuck, &nodes));
                        if found.len() == CYCLES_MAX {
                            return found;
                        }
                    } else if !done.contains(next)
                        && let Some(after) = graph.get(next)
                    {
                        path.push((*next, after.iter()));
                    }
                }
            }
        }
    }
    found
}

fn cycle(stuck: &Graph<'_>, nodes: &[Node<'_>]) -> Cycle {
    let mut services: Vec<(&str, &str)> = nodes
        .iter()
        .filter_map(|node| match *node {
            Node::Service(instance, service) => Some((instance, service)),
            Node::AnyOf(_) => None,
        })
        .collect();
    let first = (0..services.len()).min_by_key(|index| services[*index]).unwrap_or_default();
    services.rotate_left(first);
    let node = |(instance, service)| Node::Service(instance, service);
    let mut steps = services.iter().zip(services.iter().cycle().skip(1));
    let deadlock = steps.all(|(one, next)| {
        stuck.get(&node(*one)).is_some_and(|after| after.contains(&node(*next)))
    });
    let owned = |(instance, service): (&str, &str)| (instance.to_owned(), service.to_owned());
    Cycle { deadlock, services: services.into_iter().map(owned).collect() }
}
