//! What users do with an instance once it runs.

use super::{Detail, Phase, What, build::operation_fault, timeline::Timeline};

/// Between none and four operations, then perhaps the end.
pub(super) fn later(t: &mut Timeline) {
    for _ in 0..t.rng.below(5) {
        t.wait(240.0, 1.0);
        t.request = t.rng.uuid();
        match t.rng.below(10) {
            0..2 => reboot(t),
            2..4 => simple(t, "snapshot", "image_snapshot", "active", 25.0),
            4 => resize(t),
            5..7 => {
                simple(t, "power_off", "powering-off", "stopped", 4.0);
                t.wait(120.0, 0.8);
                t.request = t.rng.uuid();
                simple(t, "power_on", "powering-on", "active", 3.0);
            }
            _ => exists(t),
        }
    }
    if t.rng.chance(45) {
        t.wait(600.0, 1.0);
        delete(t);
    }
}

/// Deletes the instance, whatever state it is in.
pub(super) fn delete(t: &mut Timeline) {
    t.wait(2.0, 0.5);
    t.request = t.rng.uuid();
    t.update(t.is.state, "deleting");
    t.step("delete", Phase::Start);
    t.step("shutdown", Phase::Start);
    t.wait(3.0, 0.5);
    t.step("shutdown", Phase::End);
    t.wait(0.4, 0.3);
    let at = t.tick();
    (t.is.state, t.is.task, t.is.deleted_at) = ("deleted", "", Some(at));
    let publisher = t.is.host.map_or("api-01", |host| &t.cloud.hosts[host]).to_owned();
    let what = What::Operation { name: "delete", phase: Phase::End, detail: Detail::None };
    t.push_at(at, "compute", publisher, what);
}

fn reboot(t: &mut Timeline) {
    t.update("active", "rebooting");
    t.step("reboot", Phase::Start);
    t.wait(6.0, 0.7);
    t.is.task = "";
    if t.rng.chance(6) {
        t.step_with("reboot", Phase::Error, operation_fault(), None);
    } else {
        t.step("reboot", Phase::End);
    }
}

/// An operation with one start and one end, which a few times in a hundred never comes.
fn simple(
    t: &mut Timeline,
    name: &'static str,
    task: &'static str,
    state: &'static str,
    median_s: f64,
) {
    t.update(t.is.state, task);
    t.step(name, Phase::Start);
    t.wait(median_s, 0.7);
    // Only the task is left behind when the end is lost: the instance itself goes on.
    if t.rng.chance(97) {
        (t.is.state, t.is.task) = (state, "");
        t.step(name, Phase::End);
    }
}

/// Prepared on the destination, moved by the source, finished on the destination, confirmed by the
/// source; each says so itself, while the payload's host is the instance's.
fn resize(t: &mut Timeline) {
    let Some(source) = t.is.host else { return };
    let destination = (source + 1) % t.cloud.hosts.len();
    let flavor = (t.is.flavor + 1) % t.cloud.flavors.len();
    exists(t);
    t.is.task = "resize_prep";
    t.step_with("resize_prep", Phase::Start, Detail::None, Some(destination));
    t.wait(1.5, 0.5);
    t.step_with("resize_prep", Phase::End, Detail::NewFlavor(flavor), Some(destination));
    t.update("active", "resize_migrating");
    t.step("resize", Phase::Start);
    t.wait(40.0, 0.9);
    t.is.task = "resize_migrated";
    t.step("resize", Phase::End);
    (t.is.host, t.is.task) = (Some(destination), "resize_finish");
    t.step("resize_finish", Phase::Start);
    t.wait(10.0, 0.6);
    let now = t.tick();
    (t.is.flavor, t.is.state, t.is.task, t.is.launched_at) = (flavor, "resized", "", Some(now));
    t.step("resize_finish", Phase::End);
    t.wait(90.0, 0.8);
    t.request = t.rng.uuid();
    t.step_with("resize_confirm", Phase::Start, Detail::None, Some(source));
    t.wait(2.0, 0.4);
    t.is.state = "active";
    t.step_with("resize_confirm", Phase::End, Detail::None, Some(source));
}

fn exists(t: &mut Timeline) {
    let publisher = t.is.host.map_or("api-01", |host| &t.cloud.hosts[host]).to_owned();
    t.push("compute", publisher, What::Exists);
}
