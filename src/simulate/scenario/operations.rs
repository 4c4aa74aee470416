//! The operations that users start on a running instance.

use super::{
    fact::{Detail, Phase},
    fault::Fault,
    timeline::Timeline,
};

/// Adds up to four operations, and in some cases the deletion.
pub(super) fn use_instance(t: &mut Timeline) {
    for _ in 0..t.rng.below(5) {
        t.wait(240.0, 1.0);
        t.request = t.rng.uuid();
        match t.rng.below(10) {
            0..2 => reboot(t),
            2..4 => run_simple(t, "snapshot", "image_snapshot", "active", 25.0),
            4 => resize(t),
            5..7 => {
                run_simple(t, "power_off", "powering-off", "stopped", 4.0);
                t.wait(120.0, 0.8);
                t.request = t.rng.uuid();
                run_simple(t, "power_on", "powering-on", "active", 3.0);
            }
            _ => t.audit(),
        }
    }
    if t.rng.chance(45) {
        t.wait(600.0, 1.0);
        delete(t);
    }
}

/// Deletes the instance, whatever its state.
pub(super) fn delete(t: &mut Timeline) {
    t.wait(2.0, 0.5);
    t.request = t.rng.uuid();
    t.update(t.row.state, "deleting");
    t.step("delete", Phase::Start);
    t.step("shutdown", Phase::Start);
    t.wait(3.0, 0.5);
    t.step("shutdown", Phase::End);
    t.wait(0.4, 0.3);
    t.delete_row();
}

fn reboot(t: &mut Timeline) {
    t.update("active", "rebooting");
    t.step("reboot", Phase::Start);
    t.wait(6.0, 0.7);
    t.row.task = "";
    if t.rng.chance(6) {
        t.fail("reboot", Phase::Error, Fault::instance_not_ready());
    } else {
        t.step("reboot", Phase::End);
    }
}

/// Adds an operation with one start and one end. Three in a hundred have no end.
fn run_simple(
    t: &mut Timeline,
    name: &'static str,
    task: &'static str,
    state: &'static str,
    median_s: f64,
) {
    t.update(t.row.state, task);
    t.step(name, Phase::Start);
    t.wait(median_s, 0.7);
    // If the end is lost, only the task stays as it was: the instance itself can be used again.
    if t.rng.chance(97) {
        (t.row.state, t.row.task) = (state, "");
        t.step(name, Phase::End);
    }
}

/// Adds a resize: it is prepared on the destination, moved by the source, finished on the destination and
/// confirmed by the source. Each of them publishes its own steps, but the host in the payload is the
/// instance's.
fn resize(t: &mut Timeline) {
    let Some(source) = t.row.host else { return };
    let destination = (source + 1) % t.cloud.hosts.len();
    let flavor = (t.row.flavor + 1) % t.cloud.flavors.len();
    t.audit();
    t.row.task = "resize_prep";
    t.step_with("resize_prep", Phase::Start, Detail::None, Some(destination));
    t.wait(1.5, 0.5);
    t.step_with("resize_prep", Phase::End, Detail::NewFlavor(flavor), Some(destination));
    t.update("active", "resize_migrating");
    t.step("resize", Phase::Start);
    t.wait(40.0, 0.9);
    t.row.task = "resize_migrated";
    t.step("resize", Phase::End);
    (t.row.host, t.row.task) = (Some(destination), "resize_finish");
    t.step("resize_finish", Phase::Start);
    t.wait(10.0, 0.6);
    let now = t.tick();
    (t.row.flavor, t.row.state, t.row.task, t.row.launched_at) = (flavor, "resized", "", Some(now));
    t.step("resize_finish", Phase::End);
    t.wait(90.0, 0.8);
    t.request = t.rng.uuid();
    t.step_with("resize_confirm", Phase::Start, Detail::None, Some(source));
    t.wait(2.0, 0.4);
    t.row.state = "active";
    t.step_with("resize_confirm", Phase::End, Detail::None, Some(source));
}
