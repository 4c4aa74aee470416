//! Services that wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use super::attempt::Attempt;
use super::world::World;
use crate::event::deployment::Target;

/// How many cycles are named at most.
const CYCLES_MAX: usize = 100;

/// A service of an instance.
type Node<'a> = (&'a str, &'a str);

/// Services of which each waits for the next, and the last for the first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cycle {
    /// Whether each waits for the end of the next: then none of them will ever begin. Otherwise one
    /// at least waits for a parameter, which an instance may provide before its services are done.
    pub deadlock: bool,
    /// Instance and service, beginning with the first of them in the order of their names.
    pub services: Vec<(String, String)>,
}

/// Which services wait for which, and whether for their end.
type Graph<'a> = BTreeMap<Node<'a>, BTreeMap<Node<'a>, bool>>;

/// The cycles among unresolved references of these instances, those that cannot resolve first. A
/// service that waits for itself is a cycle of one.
pub fn cycles(world: &World<'_>, instances: &[Attempt]) -> Vec<Cycle> {
    let all = graph(world, instances);
    let mut ends = all.clone();
    ends.values_mut().for_each(|next| next.retain(|_, is_end| *is_end));
    let mut found: Vec<Cycle> = search(&ends).into_iter().collect();
    found.extend(search(&all).into_iter().filter(|cycle| !cycle.deadlock));
    found.truncate(CYCLES_MAX);
    found
}

fn graph<'a>(world: &World<'_>, instances: &'a [Attempt]) -> Graph<'a> {
    let by_id: BTreeMap<&str, &Attempt> =
        instances.iter().map(|attempt| (attempt.instance_id.as_str(), attempt)).collect();
    let mut graph = Graph::new();
    for waiting in instances.iter().flat_map(|attempt| world.unresolved(attempt)) {
        let Some(attempt) = by_id.get(waiting.from) else { continue };
        let next = graph.entry((waiting.instance_id, waiting.service)).or_default();
        for service in attempt.services.iter().filter(|service| service.ended_at().is_none()) {
            let node = (attempt.instance_id.as_str(), service.name.as_str());
            match waiting.target {
                Target::Service(name) if *name == service.name => {
                    next.insert(node, true);
                }
                Target::Service(_) => {}
                // Whichever of its services is to find the value out.
                Target::Parameter(_) => {
                    next.entry(node).or_insert(false);
                }
            }
        }
    }
    graph
}

/// The cycles that one walk through the graph meets: at least one of every knot. Without recursion:
/// chains may be long.
fn search(graph: &Graph<'_>) -> BTreeSet<Cycle> {
    let mut found = BTreeSet::new();
    let mut done = BTreeSet::new();
    for start in graph.keys() {
        if done.contains(start) {
            continue;
        }
        let mut path = vec![(*start, graph[start].keys())];
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
                        found.insert(cycle(graph, nodes));
                        if found.len() == CYCLES_MAX {
                            return found;
                        }
                    } else if !done.contains(next)
                        && let Some(after) = graph.get(next)
                    {
                        path.push((*next, after.keys()));
                    }
                }
            }
        }
    }
    found
}

fn cycle(graph: &Graph<'_>, mut nodes: Vec<Node<'_>>) -> Cycle {
    let first = (0..nodes.len()).min_by_key(|index| nodes[*index]).unwrap_or_default();
    nodes.rotate_left(first);
    let after = nodes.iter().cycle().skip(1);
    let deadlock = nodes.iter().zip(after).all(|(node, next)| graph[node][next]);
    let owned = |(instance, service): &Node<'_>| ((*instance).to_owned(), (*service).to_owned());
    Cycle { deadlock, services: nodes.iter().map(owned).collect() }
}
