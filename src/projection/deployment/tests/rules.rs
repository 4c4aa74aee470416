//! Statuses, states, attempts, generations, and where the time went.

use super::fixtures::*;
use crate::event::deployment::{Phase, Target};
use crate::projection::deployment::{Deployments, find_critical_path, measure_phases};

#[test]
fn a_deployment_goes_through_its_states() {
    let blog = blog();
    for (count, expected) in [
        (1, ("", "declared")),
        (2, ("incomplete", "declared")),
        (3, ("incomplete", "registered")),
        (4, ("incomplete", "registered")),
        (5, ("incomplete", "contacted")),
        (7, ("incomplete", "contacted")),
        (8, ("incomplete", "configuring")),
        (9, ("incomplete", "configuring")),
        (10, ("incomplete", "configuring")),
        (11, ("error", "failed")),
    ] {
        assert_eq!(progress(&blog[..count], 80), expected, "after {count}");
    }
    let mut good = blog.clone();
    good[10] = ended(75, "w", "wordpress", "0");
    assert_eq!(progress(&good, 9999), ("success", "complete"));
    assert_eq!(deployment(&good).completed_at(), Some(second(75)));
}

#[test]
fn a_silence_that_is_too_long_means_abandoned() {
    let blog = blog();
    assert_eq!(progress(&blog[..9], 50 + 3600), ("incomplete", "configuring"));
    assert_eq!(progress(&blog[..9], 50 + 3601), ("incomplete", "abandoned"));
    // A deployment that is complete or has failed is not expected to report more.
    assert_eq!(progress(&blog, 99_999), ("error", "failed"));
}

#[test]
fn an_instance_that_gave_up_is_abandoned_until_its_next_report() {
    let mut blog = blog();
    blog.truncate(7);
    blog.push(abandoned(60, "w"));
    assert_eq!(progress(&blog, 61), ("incomplete", "abandoned"));
    blog.push(contacted(62, "w"));
    assert_eq!(progress(&blog, 63), ("incomplete", "contacted"));
}

#[test]
fn the_worst_counts_at_once_and_instances_without_services_are_neutral() {
    let register = |instance, services| registered(1, instance, services, &[]);
    let mut facts = vec![register("i", vec![service("a", &[]), service("b", &[])])];
    facts.push(ended(2, "i", "a", ""));
    assert_eq!(progress(&facts, 3), ("error", "failed"));
    facts[1] = ended(2, "i", "a", "0");
    assert_eq!(progress(&facts, 3), ("incomplete", "configuring"));
    facts.push(ended(2, "i", "b", "0"));
    facts.push(register("empty", vec![]));
    assert_eq!(progress(&facts, 3), ("success", "configuring"));
    facts.push(contacted(3, "empty"));
    assert_eq!(progress(&facts, 3), ("success", "complete"));
    assert_eq!(deployment(&facts).completed_at(), Some(second(2)));
    assert_eq!(progress(&[register("empty", vec![])], 3), ("", "registered"));
}

#[test]
fn every_configuration_of_a_service_is_kept_and_the_last_code_counts() {
    let facts = [
        registered(0, "i", vec![service("a", &[])], &[]),
        started(1, "i", "a"),
        started(2, "i", "a"),
        ended(3, "i", "a", "7"),
        ended(4, "i", "a", "0"),
        started(5, "i", "a"),
        ended(6, "i", "stranger", "0"),
    ];
    let deployment = deployment(&facts);
    let services = &deployment.instances[0].services;
    let runs: Vec<_> = services[0]
        .runs
        .iter()
        .map(|run| (run.started_at.map(|at| at == second(2)), run.code.as_deref()))
        .collect();
    let expected =
        [(Some(false), None), (Some(true), Some("7")), (None, Some("0")), (Some(false), None)];
    assert_eq!(runs, expected);
    assert_eq!((services[0].code(), services[0].is_running()), (Some("0"), true));
    assert_eq!(services[0].started_at(), Some(second(5)));
    assert_eq!((services[1].declared, services[1].name.as_str()), (false, "stranger"));
    assert_eq!(progress(&facts, 7), ("success", "configuring"));
}

#[test]
fn registered_again_an_instance_begins_anew_and_its_former_attempt_stays() {
    let register = |at| registered(at, "i", vec![service("a", &[])], &["ip"]);
    let facts = [
        // An instance whose clock is slow.
        contacted(-5, "i"),
        register(0),
        provided(2, "i", "ip", "1"),
        ended(3, "i", "a", "0"),
        register(10),
        contacted(11, "i"),
    ];
    let deployments = Deployments::of(&facts);
    let [first, second_attempt] = deployments.attempts_of("i") else {
        panic!("there are two attempts")
    };
    assert_eq!(first.contacted, Some((second(-5), second(3))));
    assert_eq!(first.services[0].code(), Some("0"));
    assert_eq!(second_attempt.contacted, Some((second(11), second(11))));
    assert!(second_attempt.provided.is_empty() && second_attempt.services[0].runs.is_empty());
    assert_eq!(progress(&facts, 12), ("incomplete", "contacted"));
}

#[test]
fn an_instance_is_of_the_deployment_it_was_last_registered_with() {
    let facts = [
        registered(0, "i", vec![service("a", &[])], &[]),
        registered_with(5, "e", "i", vec![service("a", &[])], &[]),
    ];
    assert!(deployment(&facts).instances.is_empty());
    let deployments = Deployments::of(&facts);
    assert_eq!(deployments.generations("e")[0].instances[0].number, 2);
}

#[test]
fn deleted_and_declared_again_it_is_another_one() {
    let mut facts = blog();
    facts.push(deleted(100));
    assert_eq!(progress(&facts, 101), ("error", "deleted"));
    // The deletion is reported once more, which ends nothing.
    facts.push(deleted(105));
    facts.push(declared(110, &["m"]));
    let deployments = Deployments::of(&facts);
    let [former, current] = deployments.generations("d").try_into().unwrap();
    assert_eq!((former.deleted_at, former.instances.len()), (Some(second(100)), 2));
    assert_eq!((current.number, current.instances.len()), (2, 0));
    assert_eq!(current.missing().collect::<Vec<_>>(), ["m"]);
    assert!(deployments.is_deleted(&deployments.attempts_of("m")[0]));
    facts.push(registered(111, "m", vec![], &[]));
    assert_eq!(deployment(&facts).instances[0].number, 2);
}

#[test]
fn deleted_and_declared_at_one_time_is_a_renewal_if_it_existed() {
    let mut facts = vec![
        registered(0, "m", vec![], &[]),
        deleted(10),
        declared(10, &["m"]),
        registered(10, "w", vec![], &[]),
    ];
    let deployments = Deployments::of(&facts);
    let [former, current] = deployments.generations("d").try_into().unwrap();
    assert_eq!(
        (former.deleted_at, former.instances[0].instance_id.as_str()),
        (Some(second(10)), "m")
    );
    assert_eq!((current.deleted_at, current.instances[0].instance_id.as_str()), (None, "w"));
    assert!(
        deployments.is_deleted(&deployments.attempts_of("m")[0])
            && !deployments.is_deleted(&deployments.attempts_of("w")[0])
    );
    // Without the instance there was nothing to delete: it was declared and deleted.
    facts.remove(0);
    assert_eq!(progress(&facts, 11), ("", "deleted"));
    facts.push(deleted(5));
    assert_eq!(progress(&facts, 11), ("", "deleted"));
}

#[test]
fn an_operation_of_heat_that_starts_and_ends_at_one_time_has_ended() {
    for (phase, expected) in
        [(Phase::End, ("success", "complete")), (Phase::Error, ("error", "failed"))]
    {
        // Ids are made of the times: either may be the lower one.
        for at in 0..8 {
            let facts = [stack(at, "create", phase), stack(at, "create", Phase::Start)];
            assert_eq!(progress(&facts, 61), expected, "at {at}");
        }
    }
}

#[test]
fn a_stack_is_in_the_state_that_heat_reports() {
    let all = [
        stack(0, "create", Phase::Start),
        stack(10, "create", Phase::End),
        stack(20, "update", Phase::Start),
        stack(30, "update", Phase::Error),
        stack(40, "suspend", Phase::End),
        stack(50, "delete", Phase::Start),
        stack(60, "delete", Phase::End),
    ];
    for (count, expected) in [
        (1, ("incomplete", "configuring")),
        (2, ("success", "complete")),
        (3, ("success", "configuring")),
        (4, ("error", "failed")),
        (5, ("error", "complete")),
        (6, ("error", "configuring")),
        (7, ("error", "deleted")),
    ] {
        assert_eq!(progress(&all[..count], 61), expected, "after {count}");
    }
    let deployment = deployment(&all);
    assert_eq!(
        (deployment.name.as_deref(), deployment.project_id.as_deref()),
        (Some("stack"), Some("p"))
    );
    // Its last notification alone is enough for the state.
    assert_eq!(progress(&all[6..], 61), ("incomplete", "deleted"));
}

#[test]
fn a_rollback_restores_what_was_there_before() {
    let (start, end, error) = (Phase::Start, Phase::End, Phase::Error);
    let progress_of = |steps: &[(&str, Phase)]| {
        let facts = (0..).zip(steps).map(|(at, (operation, phase))| stack(at, operation, *phase));
        progress(&facts.collect::<Vec<_>>(), 61)
    };
    let (failed, works) = (("error", "failed"), ("success", "complete"));
    for created in ["create", "adopt"] {
        // Before the creation there was nothing.
        let mut steps = vec![(created, start), (created, error), ("rollback", start)];
        assert_eq!(progress_of(&steps), ("error", "configuring"));
        steps.push(("rollback", end));
        assert_eq!(progress_of(&steps), failed);
        // Single messages are lost.
        for lost in 0..steps.len() - 1 {
            let mut some = steps.clone();
            some.remove(lost);
            assert_eq!(progress_of(&some), failed, "without the step {lost}");
        }
        assert_eq!(progress_of(&steps[3..]), failed);
        // A later update may build it after all, and a failed one restores nothing.
        steps.extend([("update", start), ("update", error), ("rollback", end)]);
        assert_eq!(progress_of(&steps), failed);
        steps.extend([("update", start), ("update", end)]);
        assert_eq!(progress_of(&steps), works);
        steps.extend([
            ("update", start),
            ("update", error),
            ("rollback", start),
            ("rollback", end),
        ]);
        assert_eq!(progress_of(&steps), works);
    }
    for updated in ["update", "restore"] {
        // The old version works, also if the log begins after its creation.
        let steps = [
            ("create", start),
            ("create", end),
            (updated, start),
            (updated, error),
            ("rollback", start),
            ("rollback", end),
        ];
        for first in 0..5 {
            assert_eq!(progress_of(&steps[first..]), if first < 4 { works } else { failed });
        }
        // Heat may send a step twice.
        for again in 2..6 {
            let mut more = steps.to_vec();
            more.insert(again, steps[again]);
            assert_eq!(progress_of(&more), works, "twice the step {again}");
        }
        let mut failing = steps.to_vec();
        *failing.last_mut().unwrap() = ("rollback", error);
        assert_eq!(progress_of(&failing), failed);
        failing[1].1 = error;
        *failing.last_mut().unwrap() = ("rollback", end);
        assert_eq!(progress_of(&failing), failed, "the old version had failed, too");
    }
}

#[test]
fn the_longest_chain_leads_from_a_registration_to_the_last_end() {
    let facts = blog();
    let deployments = Deployments::of(&facts);
    let steps = find_critical_path(&deployments, &deployment(&facts));
    let steps: Vec<_> = steps
        .iter()
        .map(|step| {
            (step.instance_id.as_str(), &step.target, step.since, step.started_at, step.ended_at)
        })
        .collect();
    let (mysql, wordpress): (Target, Target) = (end_of("mysql"), end_of("wordpress"));
    assert_eq!(
        steps,
        [
            ("m", &mysql, second(10), Some(second(40)), second(50)),
            ("w", &wordpress, second(50), Some(second(55)), second(75)),
        ]
    );
    assert!(find_critical_path(&deployments, &deployment(&facts[..8])).is_empty());
}

#[test]
fn each_moment_is_of_one_phase() {
    let phases = measure_phases(&deployment(&blog()));
    let seconds = |micros: i64| micros / 1_000_000;
    assert_eq!(seconds(phases.registration_us), 12);
    assert_eq!(seconds(phases.contact_wait_us), 13);
    // From 25 to 40, and from 50 to 55.
    assert_eq!(seconds(phases.dependency_wait_us), 20);
    assert_eq!(seconds(phases.configuration_us), 30);
}
