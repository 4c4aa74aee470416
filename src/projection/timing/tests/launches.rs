//! Builds whose successful end was lost.

use jiff::SignedDuration;

use super::builds::gives;
use super::facts::*;
use super::tables::Tables;
use crate::event::nova::Notification;
use crate::projection::timing::launch::first_launch;

#[test]
fn a_later_message_shows_that_a_build_is_complete() {
    let begun = || [start(0, "create"), state(20, "building")].into_iter();
    // By the time of the launch: also in the message of a deletion, or beside an error of another operation.
    for state in ["active", "stopped", "deleted", "error", "soft-delete"] {
        gives(
            begun().chain([launched(900, state, 30)]),
            "Complete 0-30 wait 30 spawn 30 attempts 1 inferred",
        );
    }
    // By the state alone: when it ended is unknown.
    for state_word in ["active", "paused", "rescued", "resized", "shelved", "shelved_offloaded"] {
        gives(
            begun().chain([state(900, state_word)]),
            "Complete 0- wait ? spawn ? attempts 1 inferred",
        );
    }
    for state_word in ["building", "soft-delete"] {
        gives(begun().chain([state(900, state_word)]), "Building 0- wait ? spawn ? attempts 1");
    }
    // Without a start there are only the states.
    gives(
        [state(1, "building"), launched(900, "active", 30)],
        "Complete -30 wait ? spawn ? attempts 0 inferred",
    );
    gives([launched(900, "active", 30)], "none");
}

#[test]
fn the_end_counts_once_it_arrives() {
    gives(
        [start(0, "create"), launched(900, "active", 30), end(32, "create")],
        "Complete 0-32 wait 32 spawn 32 attempts 1",
    );
}

#[test]
fn a_launch_before_it_happened_is_none() {
    gives(
        [start(0, "create"), launched(5, "building", 5)],
        "Building 0- wait ? spawn ? attempts 1",
    );
    // The last step of a creation failed after the launch, which Nova then does not store.
    let late = error(31, "create", "deleting").with(|notification: &mut Notification| {
        notification.state = Some("active".to_owned());
        notification.launched_at = Some(second(30));
    });
    gives([start(0, "create"), late.clone()], "Failed 0-31 wait 31 spawn 31 attempts 1: deleting");
    gives(
        [start(0, "create"), late, launched(33, "error", 30)],
        "Failed 0-31 wait 31 spawn 31 attempts 1: deleting",
    );
}

#[test]
fn a_later_launch_is_not_the_end_of_the_build() {
    let rebuilt = || {
        let relaunch = |notification: &mut Notification| {
            notification.state = Some("active".to_owned());
            notification.launched_at = Some(second(700) + SignedDuration::from_millis(400));
        };
        [start(0, "create"), end(701, "rebuild").with(relaunch), launched(900, "active", 700)]
    };
    let unknown = "Complete 0- wait ? spawn ? attempts 1 inferred";
    gives(rebuilt(), unknown);
    gives(rebuilt().into_iter().chain([start(690, "rebuild")]), unknown);
    // An earlier message has the time of the first one.
    gives(
        rebuilt().into_iter().chain([launched(600, "active", 30)]),
        "Complete 0-30 wait 30 spawn 30 attempts 1 inferred",
    );
    for operation in ["rescue", "resize_finish", "resize_revert", "unshelve"] {
        gives([start(0, "create"), start(690, operation), launched(900, "active", 700)], unknown);
    }
    gives(
        [start(0, "create"), start(690, "reboot"), launched(900, "active", 700)],
        "Complete 0-700 wait 700 spawn 700 attempts 1 inferred",
    );
}

#[test]
fn a_launch_outweighs_failed_attempts() {
    let failed = || [start(0, "create"), error(10, "create", "no room")].into_iter();
    let retried = || failed().chain([start(11, "create").on("b")]);
    gives(
        retried().chain([launched(900, "active", 60)]),
        "Complete 0-60 wait 60 spawn 49 attempts 2 inferred",
    );
    // The retry was lost as a whole.
    gives(
        failed().chain([launched(900, "active", 60)]),
        "Complete 0-60 wait 60 spawn ? attempts 1 inferred",
    );
    gives(
        [start(0, "create"), no_host(12), launched(900, "stopped", 60)],
        "Complete 0-60 wait 60 spawn 60 attempts 1 inferred",
    );
    // An administrator may set the state of a failed build to active.
    let error = ": no room";
    gives(
        failed().chain([state(900, "active")]),
        &format!("Failed 0-10 wait 10 spawn 10 attempts 1{error}"),
    );
}

#[test]
fn a_state_before_an_error_shows_that_it_had_run() {
    gives(
        [start(0, "create"), state(50, "active"), state(900, "error")],
        "Complete 0- wait ? spawn ? attempts 1 inferred",
    );
    gives(
        [start(0, "create"), state(40, "error"), state(50, "active"), state(900, "error")],
        "Failed 0-40 wait 40 spawn ? attempts 1",
    );
}

#[test]
fn an_announced_build_still_waits_for_its_bootstrap() {
    let announced =
        || [build_started(0), start(5, "create"), launched(900, "active", 30)].into_iter();
    gives(announced(), "Bootstrapping 0- wait ? spawn 25 attempts 1");
    gives(
        announced().chain([build_ended(100, None)]),
        "Complete 0-100 wait 100 spawn 25 attempts 1",
    );
    gives(
        [build_started(0), launched(900, "active", 30)],
        "Bootstrapping 0- wait ? spawn ? attempts 0",
    );
}

#[test]
fn clocks_that_disagree_give_zero_and_are_marked() {
    gives(
        [start(40, "create"), launched(900, "active", 30)],
        "Complete 40-30 wait 0 spawn 0 attempts 1 skewed inferred",
    );
}

#[test]
fn of_one_launch_the_time_with_its_fraction_counts() {
    let whole = second(30);
    let exact = whole + SignedDuration::from_millis(250);
    assert_eq!(first_launch(Some(whole), Some(exact)), Some(exact));
    assert_eq!(first_launch(Some(exact), Some(whole)), Some(exact));
    assert_eq!(first_launch(Some(exact), Some(second(31))), Some(exact));
    assert_eq!(first_launch(None, Some(whole)), Some(whole));
    let facts = [start(0, "create"), launched(40, "active", 30)];
    assert_eq!(Tables::of(facts).instance().build_ended_at, Some(whole));
}
