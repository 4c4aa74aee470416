//! How builds go: mostly well, and in every way they are known to go wrong.

use super::{Detail, Fault, Phase, Rng, What, bootstrap, operations, timeline::Timeline};

/// Nova's default `max_attempts` of the scheduler.
const ATTEMPTS_MAX: usize = 3;

/// How one build goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plot {
    /// The first attempt works.
    Success,
    /// So many attempts fail, then one on another host works.
    Rescheduled { failures: usize },
    /// Every attempt fails.
    Failure,
    /// No host is ever asked.
    NoValidHost,
    /// The compute node dies: a start, and nothing more.
    Stuck,
    /// Havana's way to fail: `create.end` with the reason as its message.
    FailedEnd,
    /// The start's message was lost.
    LostStart,
    /// The user does not wait: deleted before any end.
    DeletedWhileBuilding,
    /// The build failed, and the user cleans up.
    FailedAndDeleted,
}

impl Plot {
    pub(super) fn draw(rng: &mut Rng) -> Plot {
        match rng.below(100) {
            0..8 => {
                Plot::Rescheduled { failures: rng.between(1, ATTEMPTS_MAX as u64 - 1) as usize }
            }
            8..11 => Plot::Failure,
            11..14 => Plot::NoValidHost,
            14..17 => Plot::Stuck,
            17 => Plot::FailedEnd,
            18 => Plot::LostStart,
            19 => Plot::DeletedWhileBuilding,
            20 => Plot::FailedAndDeleted,
            _ => Plot::Success,
        }
    }

    /// Versioned notifications have no `message` that could say what Havana's says.
    pub(super) fn is_legacy_only(self) -> bool {
        self == Plot::FailedEnd
    }

    /// Whether somebody runs a bootstrap on such an instance. Not where the build's start must
    /// stay unknown.
    fn may_bootstrap(self) -> bool {
        !matches!(self, Plot::NoValidHost | Plot::LostStart | Plot::FailedEnd)
    }
}

/// Tells the build, and what comes after it.
pub(super) fn tell(t: &mut Timeline, plot: Plot) {
    let bootstrap = plot.may_bootstrap() && t.rng.chance(40);
    let announced = bootstrap && t.rng.chance(70);
    if announced {
        bootstrap::announce(t);
    }
    t.conduct(What::Update { old_state: "building", old_task: "scheduling" });
    t.wait(0.8, 0.5);
    let mut hosts = pick_hosts(t);
    match plot {
        Plot::Success => attempt(t, hosts.remove(0), true),
        Plot::LostStart => {
            attempt(t, hosts.remove(0), true);
            t.facts.retain(|fact| {
                !matches!(fact.what, What::Operation { name: "create", phase: Phase::Start, .. })
            });
        }
        Plot::Rescheduled { failures } => {
            for host in hosts.drain(..failures) {
                attempt(t, host, false);
            }
            attempt(t, hosts.remove(0), true);
        }
        Plot::Failure | Plot::FailedAndDeleted => {
            let attempts = if plot == Plot::Failure { ATTEMPTS_MAX } else { 1 };
            hosts.drain(..attempts).for_each(|host| attempt(t, host, false));
            t.update("error", "");
            if plot == Plot::FailedAndDeleted {
                operations::delete(t);
            }
            return;
        }
        Plot::NoValidHost => {
            t.conduct(What::NoValidHost(no_valid_host()));
            (t.is.state, t.is.task) = ("error", "");
            t.conduct(What::Update { old_state: "building", old_task: "scheduling" });
            return;
        }
        Plot::Stuck => return begin(t, hosts[0]),
        Plot::DeletedWhileBuilding => {
            begin(t, hosts[0]);
            t.wait(20.0, 0.6);
            return operations::delete(t);
        }
        Plot::FailedEnd => {
            begin(t, hosts[0]);
            t.wait(12.0, 0.8);
            let fault = fault(t);
            t.fail("create", Phase::End, fault);
            t.update("error", "");
            return;
        }
    }
    let finished = !bootstrap || bootstrap::run(t, announced);
    // What is still bootstrapping is left alone, so that the truth says so.
    if finished {
        operations::later(t);
    }
}

/// One attempt on one host, from start to end or error.
fn attempt(t: &mut Timeline, host: usize, works: bool) {
    begin(t, host);
    // Most builds take half a minute; some take the better part of an hour.
    let sigma = if t.rng.chance(3) { 2.0 } else { 0.6 };
    t.wait(14.0, sigma);
    if works {
        let now = t.tick();
        t.is.launched_at = Some(now);
        t.update("active", "");
        t.step("create", Phase::End);
    } else {
        let fault = fault(t);
        t.fail("create", Phase::Error, fault);
        t.wait(1.5, 0.5);
    }
}

fn begin(t: &mut Timeline, host: usize) {
    t.is.host = Some(host);
    t.is.task = "scheduling";
    t.step("create", Phase::Start);
    let tasks = ["networking", "block_device_mapping", "spawning", "spawning"];
    let updates = t.rng.between(2, 6) as usize;
    for n in 0..updates {
        t.wait(1.2, 0.8);
        t.update("building", tasks[n * tasks.len() / updates]);
    }
}

/// A different host for each attempt.
fn pick_hosts(t: &mut Timeline) -> Vec<usize> {
    let hosts = t.cloud.hosts.len();
    let first = t.rng.index(hosts);
    (0..ATTEMPTS_MAX).map(|n| (first + n) % hosts).collect()
}

fn fault(t: &mut Timeline) -> Fault {
    let free = t.rng.between(1, 900);
    match t.rng.below(3) {
        0 => Fault {
            class: "ComputeResourcesUnavailable",
            message: format!(
                "Insufficient compute resources: Free memory {free}.00 MB < requested."
            ),
            code: 400,
        },
        1 => Fault {
            class: "VirtualInterfaceCreateException",
            message: "Virtual Interface creation failed".to_owned(),
            code: 500,
        },
        _ => Fault {
            class: "BuildAbortException",
            message: format!("Build of instance aborted: Volume vol-{free} did not finish."),
            code: 500,
        },
    }
}

fn no_valid_host() -> Fault {
    Fault {
        class: "NoValidHost",
        message: "No valid host was found. There are not enough hosts available.".to_owned(),
        code: 500,
    }
}

/// An error of an operation other than create.
pub(super) fn operation_fault() -> Detail {
    Detail::Fault(Fault {
        class: "InstanceNotReady",
        message: "The hypervisor reports: guest agent does not answer".to_owned(),
        code: 500,
    })
}
