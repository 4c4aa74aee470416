//! The values of parameters, and the reasons why they have none.

use super::fixtures::*;
use crate::projection::deployment::{Cycle, Deployments, Fact, find_cycles};

/// Returns what each unresolved parameter of `d` waits for, with its state.
fn waits(facts: &[Fact], now: i64) -> Vec<String> {
    let deployments = Deployments::of(facts);
    let deployment = deployment(facts);
    let unresolved =
        deployment.instances.iter().flat_map(|attempt| deployments.unresolved_parameters(attempt));
    unresolved
        .map(|waiting| {
            let state = deployments.state_of(limit_at(now), waiting.from, waiting.target);
            format!("{} of {} {:?}: {state}", waiting.parameter, waiting.from, waiting.target)
        })
        .collect()
}

fn cycles_of(facts: &[Fact]) -> Vec<Cycle> {
    find_cycles(&Deployments::of(facts), &deployment(facts).instances)
}

fn cycle(deadlock: bool, services: &[(&str, &str)]) -> Cycle {
    let owned = |(instance, service): &(&str, &str)| (instance.to_string(), service.to_string());
    Cycle { deadlock, services: services.iter().map(owned).collect() }
}

#[test]
fn unresolved_parameters_are_listed_with_the_state_of_their_source() {
    let both = |ip: &str, service: &str| {
        vec![
            format!("mysql_ip of m Parameter(\"ip\"): {ip}"),
            format!("mysql_service of m Service(\"mysql\"): {service}"),
        ]
    };
    let blog = blog();
    let without_mysql = [blog[0].clone(), blog[2].clone(), contacted(20, "m")];
    assert_eq!(waits(&without_mysql, 30), both("not_registered", "not_registered"));
    assert_eq!(waits(&blog[..3], 30), both("registered", "registered"));
    assert_eq!(waits(&blog[..5], 30), both("contacted", "contacted"));
    assert_eq!(waits(&blog[..5], 99_999), both("abandoned", "abandoned"));
    assert_eq!(waits(&blog[..6], 30), both("contacted", "contacted")[1..]);
    assert_eq!(waits(&blog[..8], 40), both("", "configuring")[1..]);
    assert!(waits(&blog[..9], 60).is_empty());
    let mut wrong = blog[..5].to_vec();
    wrong[1] = registered(10, "m", vec![], &[]);
    assert_eq!(waits(&wrong, 30), both("not_declared", "not_declared"));
    wrong[1] = registered_with(10, "e", "m", vec![service("mysql", &[])], &["ip"]);
    assert_eq!(waits(&wrong, 30), both("contacted", "contacted"));
    wrong.push(abandoned(26, "m"));
    assert_eq!(waits(&wrong, 30), both("abandoned", "abandoned"));
}

#[test]
fn a_value_is_the_last_before_the_service_starts_and_then_stays() {
    let mut facts = vec![
        registered(0, "m", vec![], &["ip"]),
        registered(0, "w", vec![service("s", &[("x", "m", parameter("ip"))])], &[]),
        provided(1, "m", "ip", "one"),
        provided(5, "m", "ip", "two"),
    ];
    let value = |facts: &[Fact]| {
        let deployments = Deployments::of(facts);
        let service = &deployments.attempts_of("w")[0].services[0];
        deployments.resolve(service, "m", &parameter("ip")).map(|resolved| resolved.value)
    };
    assert_eq!(value(&facts).as_deref(), Some("two"));
    facts.push(started(3, "w", "s"));
    assert_eq!(value(&facts).as_deref(), Some("one"));
    // Registered again, it has provided nothing; a value that was taken before stays.
    facts.push(registered(8, "m", vec![], &["ip"]));
    assert_eq!(value(&facts).as_deref(), Some("one"));
    facts.retain(|fact| fact.kind != "started");
    assert_eq!(value(&facts), None);
    // A service that started too early takes the first value after that.
    facts.extend([started(7, "w", "s"), provided(9, "m", "ip", "three")]);
    facts.retain(|fact| fact.occurred_at >= second(7) || fact.kind == "registered");
    assert_eq!(value(&facts).as_deref(), Some("three"));
}

#[test]
fn a_value_of_a_deployment_that_was_deleted_before_the_service_started_is_not_taken() {
    let mysql = || registered(0, "m", vec![service("mysql", &[])], &["ip"]);
    let of_mysql = [("ip", "m", parameter("ip")), ("up", "m", end_of("mysql"))];
    let mut facts = vec![
        declared(0, &["m", "w"]),
        mysql(),
        provided(1, "m", "ip", "old"),
        ended(2, "m", "mysql", "0"),
        deleted(3),
        declared(4, &["m", "w"]),
        registered(5, "w", vec![service("wordpress", &of_mysql)], &[]),
        started(6, "w", "wordpress"),
    ];
    let value = |facts: &[Fact]| {
        let deployments = Deployments::of(facts);
        let service = &deployments.attempts_of("w")[0].services[0];
        deployments.resolve(service, "m", &parameter("ip")).map(|resolved| resolved.value)
    };
    assert_eq!(waits(&facts, 7).len(), 2);
    facts.extend([registered(8, "m", vec![], &["ip"]), provided(9, "m", "ip", "new")]);
    assert_eq!(value(&facts).as_deref(), Some("new"));
    // A value that was taken before the deletion stays.
    facts.retain(|fact| fact.kind != "deleted");
    assert_eq!(value(&facts).as_deref(), Some("old"));
    facts.push(deleted(7));
    assert_eq!(value(&facts).as_deref(), Some("old"));
}

#[test]
fn a_failed_service_resolves_as_in_audrey_and_is_marked() {
    let mut facts = blog();
    facts[8] = ended(50, "m", "mysql", "2");
    let deployments = Deployments::of(&facts);
    let resolved = deployments
        .resolve(&deployments.attempts_of("w")[0].services[0], "m", &end_of("mysql"))
        .unwrap();
    assert_eq!((resolved.value.as_str(), resolved.failed), ("2", true));
    assert!(deployments.unresolved_parameters(&deployments.attempts_of("w")[0]).is_empty());
}

#[test]
fn a_service_that_waits_for_itself_is_a_cycle_of_one() {
    let itself = service("a", &[("x", "i", end_of("a"))]);
    let mut facts = vec![registered(0, "i", vec![itself], &[])];
    assert_eq!(cycles_of(&facts), [cycle(true, &[("i", "a")])]);
    assert_eq!(waits(&facts, 1), ["x of i Service(\"a\"): registered"]);
    // It has ended all the same, and waits for nothing any more.
    facts.push(ended(1, "i", "a", "0"));
    assert!(cycles_of(&facts).is_empty() && waits(&facts, 1).is_empty());
}

#[test]
fn cycles_are_named_in_order_beginning_with_their_first() {
    let facts = [
        registered(0, "k", vec![service("c", &[("x", "i", end_of("a"))])], &[]),
        registered(0, "i", vec![service("a", &[("x", "j", end_of("b"))])], &[]),
        registered(0, "j", vec![service("b", &[("x", "k", end_of("c"))])], &[]),
        // It waits for the cycle, but is not part of it.
        registered(0, "z", vec![service("d", &[("x", "i", end_of("a"))])], &[]),
    ];
    assert_eq!(cycles_of(&facts), [cycle(true, &[("i", "a"), ("j", "b"), ("k", "c")])]);
}

#[test]
fn waiting_for_each_other_s_parameters_may_still_end_well() {
    let mut facts = vec![
        registered(0, "i", vec![service("a", &[("x", "j", parameter("p"))])], &["p"]),
        registered(0, "j", vec![service("b", &[("x", "i", parameter("p"))])], &["p"]),
    ];
    assert_eq!(cycles_of(&facts), [cycle(false, &[("i", "a"), ("j", "b")])]);
    facts.push(provided(1, "i", "p", "1"));
    assert!(cycles_of(&facts).is_empty());
}

#[test]
fn a_cycle_in_which_a_service_has_started_is_no_deadlock() {
    let mut facts = vec![
        registered(0, "i", vec![service("a", &[("x", "j", end_of("b"))])], &[]),
        registered(0, "j", vec![service("b", &[("x", "i", end_of("a"))])], &[]),
    ];
    assert_eq!(cycles_of(&facts), [cycle(true, &[("i", "a"), ("j", "b")])]);
    facts.push(started(1, "j", "b"));
    assert_eq!(cycles_of(&facts), [cycle(false, &[("i", "a"), ("j", "b")])]);
    facts.push(ended(2, "j", "b", "0"));
    assert!(cycles_of(&facts).is_empty());
}

#[test]
fn many_services_that_wait_for_parameters_of_their_instances_do_no_harm() {
    let services = |of: &str, other: &str| -> Fact {
        let one = |nth: u32| service(&format!("{nth:05}"), &[("x", other, parameter("p"))]);
        registered(0, of, (0..5000).map(one).collect(), &["p"])
    };
    let found = cycles_of(&[services("i", "j"), services("j", "i")]);
    assert_eq!(found[0], cycle(false, &[("i", "00000"), ("j", "00000")]));
}

#[test]
fn long_chains_and_dense_knots_do_no_harm() {
    let name = |index: usize| format!("s{index:05}");
    let chain: Vec<_> = (0..16_000)
        .map(|index| service(&name(index), &[("x", "i", end_of(&name((index + 1) % 16_000)))]))
        .collect();
    let found = cycles_of(&[registered(0, "i", chain, &[])]);
    assert_eq!((found.len(), found[0].services.len()), (1, 16_000));
    let all: Vec<_> = (0..60).map(|index| ("x", "i", end_of(&name(index)))).collect();
    let knot = (0..60).map(|index| service(&name(index), &all)).collect();
    assert!(!cycles_of(&[registered(0, "i", knot, &[])]).is_empty());
}
