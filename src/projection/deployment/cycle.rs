//! Services that wait for each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::attempt::Attempt;
use super::deployments::Deployments;
use crate::event::deployment::Target;

/// The maximum number of cycles that are reported.
const CYCLES_MAX: usize = 100;

/// A thing that waits, or is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Node<'a> {
    /// A service of an instance.
    Service(&'a str, &'a str),
    /// Any unfinished service of this instance: each may provide the instance's parameters.
    AnyOf(&'a str),
}

/// Services of which each waits for the next, and the last for the first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cycle {
    /// Whether each waits for the end of the next and none has started, so that none ever will.
    /// Otherwise one has started all the same, or waits for a parameter, which an instance may provide
    /// before its services have ended.
    pub deadlock: bool,
    /// Instances and services, beginning with the least of them.
    pub services: Vec<(String, String)>,
}

/// The nodes that each node waits for.
type Graph<'a> = BTreeMap<Node<'a>, BTreeSet<Node<'a>>>;

/// Finds the cycles among the unresolved references of these instances, deadlocks first. A service that
/// waits for itself is a cycle of one.
pub fn find_cycles(deployments: &Deployments<'_>, instances: &[Attempt]) -> Vec<Cycle> {
    let all = build_graph(deployments, instances);
    let stuck = select_stuck(&all, instances);
    let mut found: Vec<Cycle> = search(&stuck, &stuck).into_iter().collect();
    found.extend(search(&all, &stuck).into_iter().filter(|cycle| !cycle.deadlock));
    found.truncate(CYCLES_MAX);
    found
}

fn build_graph<'a>(deployments: &Deployments<'_>, instances: &'a [Attempt]) -> Graph<'a> {
    let mut graph = Graph::new();
    for attempt in instances {
        let services = attempt.services.iter().filter(|service| service.ended_at().is_none());
        let nodes = services.map(|service| Node::Service(&attempt.instance_id, &service.name));
        graph.insert(Node::AnyOf(&attempt.instance_id), nodes.collect());
    }
    let unfinished: BTreeSet<Node<'_>> = graph.values().flatten().copied().collect();
    for waiting in instances.iter().flat_map(|attempt| deployments.unresolved_parameters(attempt)) {
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

/// Returns the part of the graph in which services that have not started wait for each other's end.
fn select_stuck<'a>(graph: &Graph<'a>, instances: &'a [Attempt]) -> Graph<'a> {
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

/// Returns the cycles met by one depth-first walk through the graph: at least one of each strongly
/// connected component. The path is a list rather than recursion, because chains may be long.
fn search(graph: &Graph<'_>, stuck: &Graph<'_>) -> BTreeSet<Cycle> {
    let mut found = BTreeSet::new();
    let mut done = BTreeSet::new();
    let mut path = Vec::new();
    // The index of each node on the path, so that a step costs the same however long the path is.
    let mut on_path = HashMap::new();
    for start in graph.keys() {
        if done.contains(start) {
            continue;
        }
        path.push((*start, graph[start].iter()));
        on_path.insert(*start, 0);
        while let Some((node, next)) = path.last_mut() {
            let node = *node;
            match next.next() {
                None => {
                    done.insert(node);
                    on_path.remove(&node);
                    path.pop();
                }
                Some(next) => {
                    if let Some(from) = on_path.get(next) {
                        let nodes: Vec<Node<'_>> =
                            path[*from..].iter().map(|step| step.0).collect();
                        found.insert(build_cycle(stuck, &nodes));
                        if found.len() == CYCLES_MAX {
                            return found;
                        }
                    } else if !done.contains(next)
                        && let Some(after) = graph.get(next)
                    {
                        on_path.insert(*next, path.len());
                        path.push((*next, after.iter()));
                    }
                }
            }
        }
    }
    found
}

/// Returns the services among the nodes of a cycle, as the cycle they form.
fn build_cycle(stuck: &Graph<'_>, nodes: &[Node<'_>]) -> Cycle {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As [`search`], looking for each node on the path itself.
    fn search_on_path(graph: &Graph<'_>, stuck: &Graph<'_>) -> BTreeSet<Cycle> {
        let mut found = BTreeSet::new();
        let mut done = BTreeSet::new();
        for start in graph.keys() {
            if done.contains(start) {
                continue;
            }
            let mut path = vec![(*start, graph[start].iter())];
            while let Some((node, next)) = path.last_mut() {
                let node = *node;
                let Some(next) = next.next() else {
                    done.insert(node);
                    path.pop();
                    continue;
                };
                if let Some(from) = path.iter().position(|(on_path, _)| on_path == next) {
                    let nodes: Vec<Node<'_>> = path[from..].iter().map(|step| step.0).collect();
                    found.insert(build_cycle(stuck, &nodes));
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
        found
    }

    const IDS: [&str; 4] = ["a", "b", "c", "d"];

    fn node() -> impl Strategy<Value = Node<'static>> {
        let id = || prop::sample::select(&IDS[..]);
        prop_oneof![
            4 => (id(), id()).prop_map(|(instance, service)| Node::Service(instance, service)),
            1 => id().prop_map(Node::AnyOf),
        ]
    }

    fn graph() -> impl Strategy<Value = Graph<'static>> {
        prop::collection::vec((node(), node()), 0..60).prop_map(|edges| {
            let mut graph = Graph::new();
            for (node, next) in edges {
                graph.entry(node).or_default().insert(next);
            }
            graph
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

        #[test]
        fn the_cycles_are_those_of_a_search_on_the_path_itself(all in graph(), stuck in graph()) {
            prop_assert_eq!(search(&all, &stuck), search_on_path(&all, &stuck));
        }
    }

    #[test]
    fn a_cycle_of_many_services_is_found_whole() {
        let names: Vec<String> = (0..100_000).map(|number| format!("{number:06}")).collect();
        let nodes = || names.iter().map(|name| Node::Service("i", name));
        let next = nodes().cycle().skip(1).map(|next| BTreeSet::from([next]));
        let graph: Graph<'_> = nodes().zip(next).collect();
        let found: Vec<Cycle> = search(&graph, &graph).into_iter().collect();
        assert_eq!((found.len(), found[0].deadlock), (1, true));
        assert!(found[0].services.iter().map(|(_, service)| service).eq(&names));
    }
}
