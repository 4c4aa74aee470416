//! Operations: which end belongs to which start; the hourly sums; the effects of requests.

use super::facts::*;
use super::tables::Tables;
use crate::event::nova::{Fault, Subject};
use crate::projection::timing::fact::{self, Content};

#[track_caller]
fn gives<const N: usize>(facts: impl IntoIterator<Item = fact::Fact>, expected: [&str; N]) {
    assert_eq!(Tables::of(facts).operations(), expected);
}

#[test]
fn a_start_and_its_end_are_one_operation() {
    gives([start(0, "reboot"), end(10, "reboot")], ["reboot a 0-10 Complete"]);
    gives([start(0, "reboot"), error(10, "reboot", "no")], ["reboot a 0-10 Failed"]);
    gives([start(0, "reboot")], ["reboot a 0- Open"]);
}

#[test]
fn a_lost_end_leaves_its_own_operation_open() {
    for request in [Some("s"), Some("r"), None] {
        gives(
            [start(0, "reboot").by_request(request), start(100, "reboot"), end(110, "reboot")],
            ["reboot a 0- Open", "reboot a 100-110 Complete"],
        );
    }
}

#[test]
fn a_lost_start_does_not_take_an_open_one_of_another_request() {
    gives(
        [start(0, "reboot").by_request(Some("s")), end(10, "reboot")],
        ["reboot a 0- Open", "reboot a -10 StartMissing"],
    );
}

#[test]
fn an_end_without_a_start_is_kept() {
    gives([end(10, "reboot")], ["reboot a -10 StartMissing"]);
    gives([error(10, "reboot", "no")], ["reboot a -10 Failed"]);
}

#[test]
fn an_end_without_a_request_takes_the_latest_start() {
    gives(
        [
            start(0, "reboot").by_request(Some("s")),
            start(5, "reboot"),
            end(10, "reboot").by_request(None),
            end(20, "reboot").by_request(None),
        ],
        ["reboot a 0-20 Complete", "reboot a 5-10 Complete"],
    );
}

#[test]
fn hosts_do_not_share_an_operation() {
    gives(
        [start(0, "resize").on("a"), end(10, "resize").on("b")],
        ["resize a 0- Open", "resize b -10 StartMissing"],
    );
}

#[test]
fn retries_on_the_same_host_are_operations_of_their_own() {
    gives(
        [start(0, "create"), error(10, "create", "no"), start(11, "create"), end(60, "create")],
        ["create a 0-10 Failed", "create a 11-60 Complete"],
    );
    // Also when the first attempt's start was lost: the retry is not a start that came late.
    gives(
        [error(10, "create", "no"), start(11, "create")],
        ["create a -10 Failed", "create a 11- Open"],
    );
}

#[test]
fn a_failed_call_ends_the_operations_that_it_left_open() {
    let failed = |at| failed_call(at, &["delete", "shutdown"], "no");
    let facts = [start(0, "delete"), start(1, "shutdown"), failed(5), failed(9)];
    let tables = Tables::of(facts.clone());
    assert_eq!(tables.operations(), ["delete a 0-5 Failed", "shutdown a 1-5 Failed"]);
    assert!(tables.show().contains(r#"error="no""#));
    // An end of its own counts, before the call's or after it, also if it arrives later.
    let mut tables = Tables::of(facts);
    tables.apply(vec![end(3, "shutdown"), error(6, "delete", "of its own")]);
    assert_eq!(tables.operations(), ["delete a 0-6 Failed", "shutdown a 1-3 Complete"]);
    assert!(tables.show().contains(r#"error="of its own""#));
    // Each attempt ends with the first failure after it.
    gives(
        [start(0, "delete"), failed(5), start(7, "delete"), failed(9)],
        ["delete a 0-5 Failed", "delete a 7-9 Failed"],
    );
}

#[test]
fn a_failed_call_ends_no_operation_of_another_request_host_or_name() {
    let failed = failed_call(5, &["rescue"], "no");
    gives([failed.clone()], []);
    gives([start(6, "rescue"), failed.clone()], ["rescue a 6- Open"]);
    for other in [
        start(0, "rescue").on("b"),
        start(0, "rescue").by_request(Some("s")),
        start(0, "rescue").by_request(None),
        start(0, "unrescue"),
    ] {
        let tables = Tables::of([other, failed.clone()]);
        assert!(tables.operations()[0].ends_with("0- Open"), "{:?}", tables.operations());
    }
    gives([start(0, "rescue").by_request(None), failed.by_request(None)], ["rescue a 0- Open"]);
}

#[test]
fn both_formats_count_once() {
    let both = |fact: fact::Fact| [fact.clone().versioned(), fact];
    let facts = [start(0, "create"), end(10, "create")].into_iter().flat_map(both);
    gives(facts, ["create a 0-10 Complete"]);
    // Sent a moment apart, and only one of them names the request.
    gives(
        [
            start(0, "create").by_request(None),
            start(1, "create").versioned(),
            end(10, "create").versioned(),
            end(12, "create"),
        ],
        ["create a 0-12 Complete"],
    );
}

#[test]
fn formats_are_not_merged_across_hosts_requests_or_time() {
    for other in [
        start(0, "create").on("b"),
        start(0, "create").by_request(Some("s")),
        start(6, "create"),
        start(-6, "create"),
    ] {
        let tables = Tables::of([start(0, "create"), other.versioned()]);
        assert_eq!(tables.operations().len(), 2);
    }
}

#[test]
fn a_clock_that_was_set_back_gives_zero_and_is_marked() {
    gives([end(5, "create"), start(10, "create")], ["create a 10-5 Complete skewed"]);
    let row = Tables::of([end(5, "create"), start(10, "create")]);
    assert_eq!(row.instance().spawn_us, Some(0));
    // Too far apart, or without a request that shows that they belong together.
    gives(
        [end(5, "create"), start(306, "create")],
        ["create a -5 StartMissing", "create a 306- Open"],
    );
    let unknown = [end(5, "reboot"), start(10, "reboot")].map(|fact| fact.by_request(None));
    gives(unknown, ["reboot a -5 StartMissing", "reboot a 10- Open"]);
}

#[test]
fn an_id_that_is_used_at_two_times_is_two_events() {
    let mut late = start(10, "reboot");
    late.stamp.1 = start(0, "reboot").stamp.1;
    gives([start(0, "reboot"), late], ["reboot a 0- Open", "reboot a 10- Open"]);
}

#[test]
fn an_operation_shows_its_end_s_attributes() {
    let flavor =
        |flavor: &'static str| move |notification: &mut _| set_flavor(notification, flavor);
    let tables = Tables::of([
        start(0, "resize_finish")
            .with(flavor("small"))
            .with(|notification| notification.image = Some("x".into())),
        end(10, "resize_finish").with(flavor("large")),
    ]);
    let values: Vec<_> =
        tables.hours().iter().map(|row| format!("{}={}", row.dimension, row.value)).collect();
    assert_eq!(values, ["=", "flavor=large", "host=a", "image=x", "project_id="]);
}

fn set_flavor(notification: &mut crate::event::nova::Notification, flavor: &str) {
    notification.flavor = Some(flavor.to_owned());
}

#[test]
fn hours_sum_up_the_present_rows() {
    let mut tables = Tables::of([start(0, "reboot"), start(3600, "reboot")]);
    let whole = |tables: &Tables| {
        let rows = tables.hours().iter().filter(|row| row.dimension.is_empty());
        rows.map(|row| (row.count, row.failed, row.open, row.sum_us.to_string(), row.bins.len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(whole(&tables), [(1, 0, 1, "0".into(), 0), (1, 0, 1, "0".into(), 0)]);
    tables.apply(vec![end(10, "reboot"), error(3610, "reboot", "no")]);
    assert_eq!(whole(&tables), [(1, 0, 0, "10000000".into(), 1), (1, 1, 0, "0".into(), 0)]);
    // A start that arrives late moves its operation to another hour, which leaves no empty row.
    let mut tables = Tables::of([end(3605, "reboot")]);
    assert_eq!(tables.hours()[0].hour, second(3600));
    tables.apply(vec![start(3590, "reboot")]);
    assert_eq!(whole(&tables), [(1, 0, 0, "15000000".into(), 1)]);
    assert_eq!(tables.hours()[0].hour, second(0));
}

#[test]
fn a_request_lists_its_effects_but_not_periodic_ones() {
    let tables = Tables::of([
        start(0, "reboot"),
        end(1, "reboot"),
        end(1, "reboot"),
        state(2, "active"),
        nova(3, Subject::Other),
        nova(4, Subject::Exists),
        nova(5, Subject::InterimExists),
        failed_call(6, &["reboot"], "no"),
    ]);
    assert_eq!(tables.effect_counts(), [6]);
}

#[test]
fn errors_are_short_texts() {
    let fault = |class: Option<&str>, message: Option<&str>| Fault {
        class: class.map(str::to_owned),
        message: message.map(str::to_owned),
        code: None,
    };
    let text =
        |class: Option<&str>, message: Option<&str>| fact::error_text(&fault(class, message));
    assert_eq!(text(None, None), None);
    assert_eq!(text(Some("A"), None).as_deref(), Some("A"));
    assert_eq!(text(None, Some("b")).as_deref(), Some("b"));
    assert_eq!(text(Some("A"), Some("b")).as_deref(), Some("A: b"));
    assert_eq!(text(Some("A"), Some("A: b")).as_deref(), Some("A: b"));
    let fits = "č".repeat(1000);
    assert_eq!(text(None, Some(&fits)).as_ref(), Some(&fits));
    let longer = "č".repeat(1001);
    let cut = text(None, Some(&longer)).unwrap();
    assert_eq!((cut.chars().count(), cut.ends_with("č…")), (1000, true));
}

#[test]
fn a_value_that_is_too_long_for_an_index_is_dropped() {
    let mut fact = start(0, "reboot").with(|notification| {
        notification.host = Some("h".repeat(256));
        notification.flavor = Some("f".repeat(255));
    });
    assert!(fact.content.drop_overlong_values());
    let Content::Nova(notification) = fact.content else { panic!("a notification") };
    assert_eq!(
        (notification.host, notification.flavor.map(|flavor| flavor.len())),
        (None, Some(255))
    );
}
