//! The build of an instance, by its course, and the life of the instance after it.

use super::{
    bootstrap,
    course::{ATTEMPTS_MAX, BuildCourse},
    fact::{FactKind, Phase},
    fault::Fault,
    operations,
    timeline::Timeline,
};

/// Adds the facts of the build and of the instance's later life.
pub(super) fn simulate(t: &mut Timeline, course: BuildCourse) {
    let has_bootstrap = course.may_bootstrap() && t.rng.chance(40);
    let is_announced = has_bootstrap && t.rng.chance(70);
    if is_announced {
        bootstrap::announce(t);
    }
    t.conduct(FactKind::Update { old_state: "building", old_task: "scheduling" });
    t.wait(0.8, 0.5);
    let mut hosts = pick_hosts(t);
    match course {
        BuildCourse::Success => succeed(t, hosts[0]),
        BuildCourse::LostStart => {
            succeed(t, hosts[0]);
            t.facts.retain(|fact| {
                !matches!(
                    fact.kind,
                    FactKind::Operation { name: "create", phase: Phase::Start, .. }
                )
            });
        }
        BuildCourse::Rescheduled { failures } => {
            for host in hosts.drain(..failures) {
                fail(t, host);
            }
            succeed(t, hosts[0]);
        }
        BuildCourse::Failure | BuildCourse::FailedAndDeleted => {
            let attempts = if course == BuildCourse::Failure { ATTEMPTS_MAX } else { 1 };
            hosts.drain(..attempts).for_each(|host| fail(t, host));
            t.update("error", "");
            if course == BuildCourse::FailedAndDeleted {
                operations::delete(t);
            }
            return;
        }
        BuildCourse::NoValidHost => {
            t.conduct(FactKind::NoValidHost(Fault::no_valid_host()));
            (t.row.state, t.row.task) = ("error", "");
            t.conduct(FactKind::Update { old_state: "building", old_task: "scheduling" });
            return;
        }
        BuildCourse::Stuck => return begin(t, hosts[0]),
        BuildCourse::DeletedWhileBuilding => {
            begin(t, hosts[0]);
            t.wait(20.0, 0.6);
            return operations::delete(t);
        }
        BuildCourse::FailedEnd => {
            begin(t, hosts[0]);
            t.wait(12.0, 0.8);
            let fault = Fault::draw(&mut t.rng);
            t.fail("create", Phase::End, fault);
            t.update("error", "");
            return;
        }
    }
    let is_over = !has_bootstrap || bootstrap::run(t, is_announced);
    // Nothing follows a bootstrap that does not end, so that its instance stays `bootstrapping`.
    if is_over {
        operations::use_instance(t);
    }
}

/// Adds an attempt on a host that succeeds.
fn succeed(t: &mut Timeline, host: usize) {
    attempt(t, host);
    let now = t.tick();
    t.row.launched_at = Some(now);
    t.update("active", "");
    t.step("create", Phase::End);
}

/// Adds an attempt on a host that ends in an error.
fn fail(t: &mut Timeline, host: usize) {
    attempt(t, host);
    let fault = Fault::draw(&mut t.rng);
    t.fail("create", Phase::Error, fault);
    t.wait(1.5, 0.5);
}

/// Adds an attempt on a host up to the moment of its end.
fn attempt(t: &mut Timeline, host: usize) {
    begin(t, host);
    // Most builds take half a minute, some of them most of an hour.
    let sigma = if t.rng.chance(3) { 2.0 } else { 0.6 };
    t.wait(14.0, sigma);
}

/// Adds the start of an attempt on a host, and its first updates.
fn begin(t: &mut Timeline, host: usize) {
    t.row.host = Some(host);
    t.row.task = "scheduling";
    t.step("create", Phase::Start);
    let tasks = ["networking", "block_device_mapping", "spawning", "spawning"];
    let updates = t.rng.between(2, 6) as usize;
    for n in 0..updates {
        t.wait(1.2, 0.8);
        t.update("building", tasks[n * tasks.len() / updates]);
    }
}

/// Returns a different host for each attempt.
fn pick_hosts(t: &mut Timeline) -> Vec<usize> {
    let hosts = t.cloud.hosts.len();
    let first = t.rng.index(hosts);
    (0..ATTEMPTS_MAX).map(|n| (first + n) % hosts).collect()
}
