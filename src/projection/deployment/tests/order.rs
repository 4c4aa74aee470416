//! Any order and duplication of the same facts gives the same reports.

use proptest::prelude::*;
use proptest::sample::select;

use super::fixtures::*;
use crate::event::deployment::{Phase, Service};
use crate::projection::deployment::{
    Cycle, Deployment, Deployments, Fact, Phases, Step, find_critical_path, find_cycles,
    measure_phases,
};

/// Reports of deployments: generations, unresolved parameters, cycles, critical path and phases of each.
pub type Reports = Vec<(Vec<Deployment>, Vec<String>, Vec<Cycle>, Vec<Step>, Phases)>;

/// Returns the reports of the deployments `d` and `e`.
pub fn reports(facts: &[Fact]) -> Reports {
    let deployments = Deployments::of(facts);
    let mut reports = Reports::new();
    for id in ["d", "e"] {
        let all = deployments.generations(id);
        let Some(current) = all.last() else { continue };
        let instances = &current.instances;
        let unresolved =
            instances.iter().flat_map(|attempt| deployments.unresolved_parameters(attempt));
        let unresolved = unresolved.map(|waiting| {
            format!(
                "{waiting:?} {}",
                deployments.state_of(limit_at(5000), waiting.from, waiting.target)
            )
        });
        reports.push((
            all.clone(),
            unresolved.collect(),
            find_cycles(&deployments, instances),
            find_critical_path(&deployments, current),
            measure_phases(current),
        ));
    }
    reports
}

/// Calls `visit` with every order of the facts (Heap's algorithm).
fn permute(facts: &mut [Fact], length: usize, visit: &mut impl FnMut(&[Fact])) {
    if length <= 1 {
        return visit(facts);
    }
    for index in 0..length {
        permute(facts, length - 1, visit);
        facts.swap(if length.is_multiple_of(2) { index } else { 0 }, length - 1);
    }
}

#[test]
fn every_order_of_the_blog_s_last_events_gives_one_report() {
    let blog = blog();
    let expected = reports(&blog);
    let (first, last) = blog.split_at(blog.len() - 7);
    let mut count = 0;
    permute(&mut last.to_vec(), 7, &mut |last| {
        count += 1;
        assert_eq!(reports(&[last, first].concat()), expected);
    });
    assert_eq!(count, 5040);
}

fn services() -> impl Strategy<Value = Vec<Service>> {
    let from = || (select(vec!["i", "j", "k"]), select(vec!["p", "a", "b"]), any::<bool>());
    prop::collection::vec((select(vec!["a", "b"]), prop::option::of(from())), 0..3).prop_map(
        |services| {
            let mut found = Vec::<Service>::new();
            for (name, from) in services {
                let from = from.map(|(instance, what, is_service)| {
                    ("x", instance, if is_service { end_of(what) } else { parameter(what) })
                });
                if found.iter().all(|known| known.name != name) {
                    found.push(service(name, from.as_slice()));
                }
            }
            found
        },
    )
}

/// Facts of two deployments, often at the same time.
pub fn one_fact() -> impl Strategy<Value = Fact> {
    let instance = || select(vec!["i", "j", "k"]);
    let name = || select(vec!["a", "b", "c"]);
    let operation = select(vec!["create", "update", "rollback", "delete", "suspend"]);
    let phase = select(vec![Phase::Start, Phase::End, Phase::Error]);
    let time = || prop_oneof![3 => 0..20_i64, 1 => 0..8000_i64];
    prop_oneof![
        2 => (time(), select(vec!["d", "e"]), prop::collection::vec(instance(), 0..3))
            .prop_map(|(at, id, instances)| declared_as(at, id, &instances)),
        1 => time().prop_map(deleted),
        5 => (time(), select(vec!["d", "e"]), instance(), services())
            .prop_map(|(at, id, instance, services)| registered_with(at, id, instance, services, &["p"])),
        4 => (time(), instance()).prop_map(|(at, instance)| contacted(at, instance)),
        3 => (time(), instance(), select(vec!["1", "2"]))
            .prop_map(|(at, instance, value)| provided(at, instance, "p", value)),
        4 => (time(), instance(), name()).prop_map(|(at, i, service)| started(at, i, service)),
        4 => (time(), instance(), name(), select(vec!["0", "1", ""]))
            .prop_map(|(at, instance, service, code)| ended(at, instance, service, code)),
        1 => (time(), instance()).prop_map(|(at, instance)| abandoned(at, instance)),
        2 => (time(), operation, phase).prop_map(|(at, operation, phase)| stack(at, operation, phase)),
    ]
}

/// Yields the facts in another order, some of them twice.
pub fn shuffled(facts: Vec<Fact>) -> impl Strategy<Value = Vec<Fact>> {
    let doubled: Vec<Fact> = facts.iter().chain(facts.iter().step_by(3)).cloned().collect();
    Just(doubled).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_the_blog_gives_one_report(facts in shuffled(blog())) {
        prop_assert_eq!(reports(&facts), reports(&blog()));
    }

    #[test]
    fn order_and_duplication_do_not_matter(
        (facts, shuffled) in prop::collection::vec(one_fact(), 0..25)
            .prop_flat_map(|facts| (Just(facts.clone()), shuffled(facts)))
    ) {
        prop_assert_eq!(reports(&shuffled), reports(&facts));
    }
}
