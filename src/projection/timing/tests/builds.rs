//! How builds stand.

use super::tables::*;
use crate::event::nova::{Notification, Subject};
use crate::event::recipe::{Outcome, RecipeEvent};
use crate::projection::timing::fact::Fact;

#[track_caller]
fn gives(facts: impl IntoIterator<Item = Fact>, expected: &str) {
    assert_eq!(Tables::of(facts).build(), expected);
}

fn build_started(at: i64) -> Fact {
    let (instance_name, deployment_id) = (Some("name".to_owned()), None);
    let instance_id = "i".to_owned();
    recipe_event(at, RecipeEvent::BuildStarted { instance_id, instance_name, deployment_id })
}

fn bootstrap_started(at: i64) -> Fact {
    recipe_event(at, RecipeEvent::BootstrapStarted { instance_id: "i".to_owned() })
}

fn build_ended(at: i64, outcome: Option<Outcome>) -> Fact {
    let (instance_id, instance_name) = ("i".to_owned(), None);
    recipe_event(at, RecipeEvent::BuildEnded { instance_id, instance_name, outcome })
}

fn time_now(at: i64) -> Fact {
    recipe_event(at, RecipeEvent::TtmTimeNow { instance_id: "i".to_owned() })
}

fn metrics(at: i64, start_time: &str, end_time: &str) -> Fact {
    let instance_id = "i".to_owned();
    let instance_name = Some("of ttm".to_owned());
    let (start_time, end_time) = (Some(start_time.to_owned()), Some(end_time.to_owned()));
    recipe_event(at, RecipeEvent::TtmMetrics { instance_id, instance_name, start_time, end_time })
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
fn an_end_before_the_first_start_gives_zero_and_says_so() {
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
    // A success stands, whoever says later that there was no host.
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
    // However often it is said again, it was so from the first time on; but not that of a retry.
    gives(
        [start(0, "create"), state(5, "error"), state(900, "error")],
        "Failed 0-5 wait 5 spawn ? attempts 1",
    );
    gives(
        [start(0, "create"), state(5, "error"), start(6, "create").on("b"), state(9, "error")],
        "Failed 0-9 wait 9 spawn ? attempts 2",
    );
    gives([state(5, "error"), state(6, "active")], "none");
    // What failed is a later operation.
    let launched = state(5, "error").with(|said| said.launched_at = Some(second(-1000)));
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
    let done = |said: &mut Notification| said.state = Some("deleted".to_owned());
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
            deleted_at(40, Some(32)).with(|said| said.state = Some("deleted".to_owned())),
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
    let told = |said: &mut Notification| {
        said.state = Some("building".to_owned());
        said.tells_deletion = true;
    };
    let failed = [start(30, "delete").on("api"), end(31, "delete").on("api").with(told)];
    gives(
        [start(0, "create")].into_iter().chain(failed.clone()),
        "Building 0- wait ? spawn ? attempts 1",
    );
    let dated = end(31, "force_delete").with(|said| said.deleted_at = Some(second(29)));
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
fn what_was_only_seen_has_no_build() {
    gives([nova(0, Subject::Exists), state(1, "active")], "none");
}

#[test]
fn an_announced_build_ends_when_it_says_so() {
    let created = [start(10, "create"), end(60, "create")];
    gives([build_started(0)], "Building 0- wait ? spawn ? attempts 0");
    let announced = || [build_started(0)].into_iter().chain(created.clone());
    gives(announced(), "Bootstrapping 0- wait ? spawn 50 attempts 1");
    gives(
        created.clone().into_iter().chain([bootstrap_started(70)]),
        "Bootstrapping 10- wait ? spawn 50 attempts 1",
    );
    for outcome in [None, Some(Outcome::Success)] {
        gives(
            announced().chain([bootstrap_started(70), build_ended(100, outcome)]),
            "Complete 0-100 wait 100 spawn 50 attempts 1",
        );
    }
    gives(
        announced().chain([build_ended(100, Some(Outcome::Failure))]),
        "Failed 0-100 wait 100 spawn 50 attempts 1",
    );
    let tables = Tables::of(announced().chain([bootstrap_started(70), bootstrap_started(71)]));
    assert_eq!(tables.instance().bootstrap_started_at, Some(second(70)));
    assert_eq!(tables.instance().name.as_deref(), Some("name"));
}

#[test]
fn an_announced_build_that_could_not_be_created_has_failed() {
    let failed = [build_started(0), start(10, "create"), error(60, "create", "no room")];
    gives(failed.clone(), "Failed 0-60 wait 60 spawn 50 attempts 1: no room");
    // A bootstrap that runs, and one that ended, speak of an instance that is there after all.
    gives(
        failed.clone().into_iter().chain([bootstrap_started(70)]),
        "Bootstrapping 0- wait ? spawn 50 attempts 1",
    );
    gives(
        failed.into_iter().chain([build_ended(90, None)]),
        "Complete 0-90 wait 90 spawn 50 attempts 1",
    );
}

#[test]
fn ttms_first_call_starts_the_build_and_its_metrics_end_it() {
    gives([time_now(0)], "Building 0- wait ? spawn ? attempts 0");
    let created = || [time_now(0), start(5, "create"), end(60, "create")].into_iter();
    gives(created(), "Bootstrapping 0- wait ? spawn 55 attempts 1");
    let tables = Tables::of(created().chain([time_now(70), time_now(75)]));
    assert_eq!(tables.instance().bootstrap_started_at, Some(second(75)));
    for end_time in ["", "soon"] {
        gives(
            created().chain([metrics(100, "", end_time)]),
            "Bootstrapping 0- wait ? spawn 55 attempts 1",
        );
    }
    let ended = created().chain([metrics(100, "", "2026-11-19T10:01:35")]);
    gives(ended.clone(), "Complete 0-95 wait 95 spawn 55 attempts 1");
    assert_eq!(Tables::of(ended.clone()).instance().name.as_deref(), Some("of ttm"));
    // The last metrics win, also when they take the end back.
    gives(ended.chain([metrics(110, "", "")]), "Bootstrapping 0- wait ? spawn 55 attempts 1");
}

#[test]
fn ttms_metrics_may_tell_the_start_too() {
    let whole = [metrics(100, "2026-11-19T10:00:05", "2026-11-19T10:01:35")];
    gives(whole, "Complete 5-95 wait 90 spawn ? attempts 0");
    let started = [metrics(100, "2026-11-19T10:00:05", "")];
    gives(started, "Building 5- wait ? spawn ? attempts 0");
    gives([metrics(100, "soon", "")], "Building - wait ? spawn ? attempts 0");
    // The earliest start is the build's.
    let known = [time_now(0), metrics(100, "2026-11-19T10:00:05", "")];
    gives(known, "Building 0- wait ? spawn ? attempts 0");
}

#[test]
fn who_reported_a_build_or_a_recipe_is_known() {
    let reported = |facts: &[Fact]| Tables::of(facts.to_vec()).instance().reported_at;
    assert_eq!(reported(&[start(0, "create")]), None);
    assert_eq!(reported(&[start(0, "create"), time_now(9), build_started(5)]), Some(second(5)));
}

#[test]
fn attributes_are_the_newest_that_were_said() {
    let tables = Tables::of([
        state(5, "active").with(|said| said.host = Some("new".to_owned())),
        state(9, "deleted"),
        state(1, "building").with(|said| said.host = Some("old".to_owned())),
    ]);
    let row = tables.instance();
    assert_eq!((row.host.as_deref(), row.state.as_deref()), (Some("new"), Some("deleted")));
    assert_eq!((row.first_at, row.last_at), (second(1), second(9)));
}
