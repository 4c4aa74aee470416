//! The state of builds.

use super::facts::*;
use super::tables::Tables;
use crate::event::nova::{Notification, Subject};
use crate::projection::timing::fact::Fact;

/// Checks the build that these facts give.
#[track_caller]
pub fn gives(facts: impl IntoIterator<Item = Fact>, expected: &str) {
    assert_eq!(Tables::of(facts).build(), expected);
}

fn rescheduled() -> [Fact; 4] {
    [
        start(0, "create").on("a"),
        error(10, "create", "no room").on("a"),
        start(11, "create").on("b"),
        end(60, "create").on("b"),
    ]
}

#[test]
fn a_build_is_complete_at_a_successful_end() {
    gives([start(0, "create")], "Building 0- wait ? spawn ? attempts 1");
    gives([start(0, "create"), end(50, "create")], "Complete 0-50 wait 50 spawn 50 attempts 1");
    gives([end(50, "create")], "Complete -50 wait ? spawn ? attempts 1");
}

#[test]
fn a_failed_attempt_and_its_retry_are_two_attempts_of_one_build() {
    let [a_start, a_error, b_start, b_end] = rescheduled();
    gives([a_start.clone(), a_error.clone()], "Failed 0-10 wait 10 spawn 10 attempts 1: no room");
    gives(
        [a_start.clone(), a_error.clone(), b_start.clone()],
        "Building 0- wait ? spawn ? attempts 2",
    );
    gives(
        [a_start.clone(), a_error.clone(), b_end.clone()],
        "Complete 0-60 wait 60 spawn ? attempts 2",
    );
    gives([a_start, a_error, b_start, b_end], "Complete 0-60 wait 60 spawn 49 attempts 2");
}

#[test]
fn a_success_stands_whatever_the_clocks_of_failed_attempts_say() {
    gives(
        [
            start(100, "create").on("a"),
            error(110, "create", "no room").on("a"),
            start(11, "create").on("b"),
            end(60, "create").on("b"),
        ],
        "Complete 11-60 wait 49 spawn 49 attempts 2",
    );
}

#[test]
fn an_end_before_the_first_start_gives_zero_and_is_marked() {
    gives(
        [
            build_started(100),
            start(90, "create").on("b"),
            end(95, "create").on("b"),
            build_ended(80, None),
        ],
        "Complete 90-80 wait 0 spawn 5 attempts 1 skewed",
    );
}

#[test]
fn no_valid_host_is_a_failed_build() {
    let error = ": NoValidHost: There are not enough hosts";
    gives([no_host(5)], &format!("Failed -5 wait ? spawn ? attempts 0{error}"));
    gives(
        [build_started(0), state(1, "building"), no_host(5), state(5, "error")],
        &format!("Failed 0-5 wait 5 spawn ? attempts 0{error}"),
    );
    let [a_start, a_error, ..] = rescheduled();
    gives(
        [a_start.clone(), a_error, no_host(12)],
        &format!("Failed 0-12 wait 12 spawn 10 attempts 1{error}"),
    );
    gives([a_start, no_host(12)], &format!("Failed 0-12 wait 12 spawn ? attempts 1{error}"));
}

#[test]
fn no_valid_host_in_both_formats_is_one_failure() {
    let versioned = no_host(6).versioned();
    let error = ": NoValidHost: There are not enough hosts";
    gives(
        [build_started(0), no_host(5), versioned.clone()],
        &format!("Failed 0-5 wait 5 spawn ? attempts 0{error}"),
    );
    gives([no_host(0), versioned], &format!("Failed -6 wait ? spawn ? attempts 0{error}"));
}

#[test]
fn no_valid_host_then_success_is_complete() {
    gives(
        [no_host(5), start(20, "create"), end(50, "create")],
        "Complete 20-50 wait 30 spawn 30 attempts 1",
    );
    gives([no_host(5), start(20, "create")], "Building 20- wait ? spawn ? attempts 1");
    // A success stays, even if a later message reports that there was no host.
    gives(
        [start(0, "create"), end(50, "create"), no_host(55)],
        "Complete 0-50 wait 50 spawn 50 attempts 1",
    );
}

#[test]
fn the_state_error_is_a_failure_when_nothing_else_says_why() {
    gives([state(1, "building"), state(5, "error")], "Failed -5 wait ? spawn ? attempts 0");
    gives([start(0, "create"), state(5, "error")], "Failed 0-5 wait 5 spawn ? attempts 1");
    gives(
        [start(0, "create"), state(5, "error"), start(6, "create").on("b")],
        "Building 0- wait ? spawn ? attempts 2",
    );
    // Repetitions do not move the failure; the report about a retry does.
    gives(
        [start(0, "create"), state(5, "error"), state(900, "error")],
        "Failed 0-5 wait 5 spawn ? attempts 1",
    );
    gives(
        [start(0, "create"), state(5, "error"), start(6, "create").on("b"), state(9, "error")],
        "Failed 0-9 wait 9 spawn ? attempts 2",
    );
    gives([state(5, "error"), state(6, "active")], "none");
    // A later operation failed.
    let launched =
        state(5, "error").with(|notification| notification.launched_at = Some(second(-1000)));
    gives([launched], "none");
}

#[test]
fn a_build_that_died_is_stuck() {
    gives(
        [start(0, "create"), state(20, "building"), nova(9999, Subject::Exists)],
        "Building 0- wait ? spawn ? attempts 1",
    );
}

#[test]
fn deleted_while_building_is_failed() {
    let done = |notification: &mut Notification| notification.state = Some("deleted".to_owned());
    let deletion = [start(30, "delete").on("api"), end(31, "delete").on("api").with(done)];
    let error = "deleted while building";
    for create in [vec![], vec![state(1, "active")]] {
        gives(create.into_iter().chain(deletion.clone()), "none");
    }
    gives(
        [start(0, "create")].into_iter().chain(deletion.clone()),
        &format!("Failed 0-31 wait 31 spawn ? attempts 1: {error}"),
    );
    gives(
        [
            start(0, "create"),
            deleted_at(40, Some(32))
                .with(|notification| notification.state = Some("deleted".to_owned())),
        ],
        &format!("Failed 0-32 wait 32 spawn ? attempts 1: {error}"),
    );
    gives(
        [start(0, "create"), state(33, "deleted"), state(999, "deleted")],
        &format!("Failed 0-33 wait 33 spawn ? attempts 1: {error}"),
    );
    gives(
        [start(0, "create"), end(20, "create")].into_iter().chain(deletion),
        "Complete 0-20 wait 20 spawn 20 attempts 1",
    );
}

#[test]
fn a_deletion_that_failed_ends_no_build() {
    let still_building = |notification: &mut Notification| {
        notification.state = Some("building".to_owned());
        notification.reports_deletion = true;
    };
    let failed = [start(30, "delete").on("api"), end(31, "delete").on("api").with(still_building)];
    gives(
        [start(0, "create")].into_iter().chain(failed.clone()),
        "Building 0- wait ? spawn ? attempts 1",
    );
    let dated =
        end(31, "force_delete").with(|notification| notification.deleted_at = Some(second(29)));
    gives(
        [start(0, "create"), dated],
        "Failed 0-31 wait 31 spawn ? attempts 1: deleted while building",
    );
}

#[test]
fn a_restored_instance_is_not_deleted() {
    let facts = [start(0, "create"), deleted_at(5, Some(5)), deleted_at(9, None)];
    let tables = Tables::of(facts);
    assert_eq!(tables.instance().deleted_at, None);
    assert_eq!(tables.build(), "Building 0- wait ? spawn ? attempts 1");
}

#[test]
fn an_instance_that_only_exists_has_no_build() {
    gives([nova(0, Subject::Exists), state(1, "active")], "none");
}

#[test]
fn attributes_are_the_newest_that_were_reported() {
    let tables = Tables::of([
        state(5, "active").with(|notification| notification.host = Some("new".to_owned())),
        state(9, "deleted"),
        state(1, "building").with(|notification| notification.host = Some("old".to_owned())),
    ]);
    let row = tables.instance();
    assert_eq!((row.host.as_deref(), row.state.as_deref()), (Some("new"), Some("deleted")));
    assert_eq!((row.first_at, row.last_at), (second(1), second(9)));
}
