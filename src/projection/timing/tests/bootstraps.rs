//! Builds with a bootstrap: announced by recipes' events or by TTM's calls.

use super::builds::gives;
use super::facts::*;
use super::tables::Tables;
use crate::event::recipe::Outcome;
use crate::projection::timing::fact::Fact;

#[test]
fn an_announced_build_ends_when_its_end_is_reported() {
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
    // A bootstrap that runs or has ended shows that the instance exists after all.
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
            created().chain([ttm_metrics(100, "", end_time)]),
            "Bootstrapping 0- wait ? spawn 55 attempts 1",
        );
    }
    let ended = created().chain([ttm_metrics(100, "", "2026-11-19T10:01:35")]);
    gives(ended.clone(), "Complete 0-95 wait 95 spawn 55 attempts 1");
    assert_eq!(Tables::of(ended.clone()).instance().name.as_deref(), Some("of ttm"));
    // The last metrics win, also when they take the end back.
    gives(ended.chain([ttm_metrics(110, "", "")]), "Bootstrapping 0- wait ? spawn 55 attempts 1");
}

#[test]
fn ttms_metrics_may_contain_the_start_too() {
    let whole = [ttm_metrics(100, "2026-11-19T10:00:05", "2026-11-19T10:01:35")];
    gives(whole, "Complete 5-95 wait 90 spawn ? attempts 0");
    let started = [ttm_metrics(100, "2026-11-19T10:00:05", "")];
    gives(started, "Building 5- wait ? spawn ? attempts 0");
    gives([ttm_metrics(100, "soon", "")], "Building - wait ? spawn ? attempts 0");
    // The earliest start is the build's.
    let known = [time_now(0), ttm_metrics(100, "2026-11-19T10:00:05", "")];
    gives(known, "Building 0- wait ? spawn ? attempts 0");
}

#[test]
fn metrics_without_a_time_change_nothing_of_it() {
    let (start, end) = ("2026-11-19T10:00:05", "2026-11-19T10:01:35");
    let complete = "Complete 5-95 wait 90 spawn ? attempts 0";
    let whole = ttm_metrics(100, start, end);
    gives([whole.clone(), ttm_metrics(110, "", end)], complete);
    gives([whole.clone(), ttm_metrics_of(110, None, Some(end))], complete);
    gives([whole.clone(), ttm_metrics_of(110, Some(start), None)], complete);
    gives([ttm_metrics(110, start, ""), ttm_metrics_of(120, None, Some(end))], complete);
    // A later start replaces it.
    gives(
        [whole, ttm_metrics_of(110, Some("2026-11-19T10:00:15"), None)],
        "Complete 15-95 wait 80 spawn ? attempts 0",
    );
}

#[test]
fn the_first_report_of_a_build_or_a_recipe_is_kept() {
    let reported = |facts: &[Fact]| Tables::of(facts.to_vec()).instance().reported_at;
    assert_eq!(reported(&[start(0, "create")]), None);
    assert_eq!(reported(&[start(0, "create"), time_now(9), build_started(5)]), Some(second(5)));
}
