//! The attributes of instances: which report decides.

use super::facts::*;
use super::tables::Tables;
use crate::event::nova::{Notification, Subject};
use crate::projection::timing::fact::Fact;

/// Reports a host.
fn on_host(host: &'static str) -> impl FnOnce(&mut Notification) {
    move |notification| {
        notification.host = Some(host.to_owned());
        notification.reports_host = true;
    }
}

/// Reports that it is on no host.
fn on_no_host(notification: &mut Notification) {
    notification.reports_host = true;
}

fn update(at: i64) -> Fact {
    nova(at, Subject::Update)
}

/// Checks the host that facts give, in both orders and one by one.
#[track_caller]
fn gives_host(facts: &[Fact], host: Option<&str>) {
    let at_once = Tables::of(facts.to_vec());
    let mut reversed = Tables::default();
    facts.iter().rev().for_each(|fact| reversed.apply(vec![fact.clone()]));
    for tables in [at_once, reversed] {
        assert_eq!(tables.instance().host.as_deref(), host);
    }
}

#[track_caller]
fn gives_state(facts: &[Fact], state: &str) {
    let at_once = Tables::of(facts.to_vec());
    let mut reversed = Tables::default();
    facts.iter().rev().for_each(|fact| reversed.apply(vec![fact.clone()]));
    for tables in [at_once, reversed] {
        assert_eq!(tables.instance().state.as_deref(), Some(state));
    }
}

fn created() -> Fact {
    end(0, "create").with(on_host("a")).by_request(Some("c"))
}

/// The messages of a live migration from `a` to `b`, in the order in which Nova sends them.
fn migration() -> Vec<Fact> {
    vec![
        update(100).on("api").with(on_host("a")),
        start(101, "live_migration_pre").on("b").with(on_host("a")),
        start(102, "live_migration_post").on("a").with(on_host("a")),
        start(103, "live_migration_post_dest").on("b").with(on_host("a")),
        update(104).on("b").with(on_host("b")),
        end(105, "live_migration_post_dest").on("b").with(on_host("b")),
        end(106, "live_migration_post").on("a").with(on_host("a")),
    ]
}

#[test]
fn after_a_live_migration_the_host_is_the_destination() {
    let all: Vec<Fact> = [created()].into_iter().chain(migration()).collect();
    gives_host(&all, Some("b"));
    let versioned: Vec<Fact> = all.iter().cloned().map(Fact::versioned).collect();
    gives_host(&versioned, Some("b"));
    gives_host(&[all.clone(), versioned].concat(), Some("b"));
    // A clock of the same request is ahead.
    let late = update(200).on("api").with(on_host("a"));
    gives_host(&[all.clone(), vec![late]].concat(), Some("b"));
    // The destination's last message was lost: its update remains, or the next request's messages.
    let without_end: Vec<Fact> =
        all.iter().filter(|fact| fact.stamp.0 != second(105)).cloned().collect();
    gives_host(&without_end, Some("b"));
    let without_both: Vec<Fact> =
        without_end.into_iter().filter(|fact| fact.stamp.0 != second(104)).collect();
    gives_host(&without_both, Some("a"));
    let next = start(900, "power_off").with(on_host("b")).by_request(Some("p"));
    gives_host(&[without_both, vec![next]].concat(), Some("b"));
}

#[test]
fn after_a_migration_that_was_rolled_back_the_host_is_the_source() {
    gives_host(
        &[
            created(),
            start(101, "live_migration_pre").on("b").with(on_host("a")),
            start(102, "live_migration_rollback").on("a").with(on_host("a")),
            start(103, "live_migration_rollback_dest").on("b").with(on_host("b")),
            end(104, "live_migration_rollback").on("a").with(on_host("a")),
            end(105, "live_migration_rollback_dest").on("b").with(on_host("b")),
        ],
        Some("a"),
    );
}

#[test]
fn after_a_resize_host_flavor_and_state_are_the_destinations() {
    let with = |host, flavor: &'static str, state: &'static str| {
        move |notification: &mut Notification| {
            on_host(host)(notification);
            notification.flavor = Some(flavor.to_owned());
            notification.state = Some(state.to_owned());
        }
    };
    let facts = [
        end(0, "create").with(with("a", "small", "active")).by_request(Some("c")),
        nova(98, Subject::InterimExists).on("b").with(with("a", "small", "active")),
        end(99, "resize_prep").on("b").with(with("a", "small", "active")),
        end(111, "resize_finish").on("b").with(with("b", "large", "resized")),
        // The source's clock is ahead.
        end(112, "resize").on("a").with(with("b", "small", "active")),
    ];
    gives_host(&facts, Some("b"));
    gives_state(&facts, "resized");
    assert_eq!(Tables::of(facts.clone()).instance().flavor.as_deref(), Some("large"));
    let reverted =
        end(200, "resize_revert").with(with("a", "small", "active")).by_request(Some("v"));
    let tables = Tables::of(facts.into_iter().chain([reverted]));
    let row = tables.instance();
    assert_eq!((row.host.as_deref(), row.flavor.as_deref()), (Some("a"), Some("small")));
}

#[test]
fn after_an_evacuation_the_host_is_where_it_was_rebuilt() {
    gives_host(
        &[
            created(),
            update(100).on("api").with(on_host("a")),
            start(101, "rebuild").on("b").with(on_host("b")),
            end(110, "rebuild").on("b").with(on_host("b")),
            update(111).on("api").with(on_host("a")),
        ],
        Some("b"),
    );
}

#[test]
fn an_audit_fills_a_gap_and_overrules_nothing() {
    let audit = |at| nova(at, Subject::Exists).with(on_host("old")).by_request(None);
    gives_host(&[audit(5)], Some("old"));
    gives_host(&[audit(5), update(1).with(on_host("a"))], Some("a"));
    gives_host(&[created(), audit(5)], Some("a"));
}

#[test]
fn an_instance_that_is_sent_without_a_host_is_on_none() {
    let offloaded = [
        created(),
        update(10).with(on_host("a")),
        update(11).with(on_no_host),
        end(12, "shelve_offload").with(on_no_host),
    ];
    gives_host(&offloaded, None);
    // The same request, sent by a clock that is ahead; and a message that has no host at all.
    gives_host(&[&offloaded[..], &[update(20).with(on_host("a")), end(30, "lock")]].concat(), None);
    let unshelving = start(40, "unshelve").on("b").with(on_no_host).by_request(Some("u"));
    let unshelved = end(50, "unshelve").on("b").with(on_host("b")).by_request(Some("u"));
    gives_host(&[&offloaded[..], std::slice::from_ref(&unshelving)].concat(), None);
    gives_host(&[&offloaded[..], &[unshelving, unshelved]].concat(), Some("b"));
}

#[test]
fn nothing_comes_after_a_deletion() {
    let is_deleted = |notification: &mut Notification| {
        on_host("a")(notification);
        notification.state = Some("deleted".to_owned());
        notification.deleted_at = Some(second(100));
        notification.reports_deletion = true;
    };
    let is_active = |notification: &mut Notification| {
        on_host("b")(notification);
        notification.state = Some("active".to_owned());
        notification.reports_deletion = true;
        notification.changes_state = true;
    };
    for later in [
        update(102),
        update(900_000).by_request(Some("other")),
        end(900_000, "create").by_request(Some("other")),
        end(900_000, "restore").by_request(Some("other")),
        nova(900_000, Subject::Exists).by_request(None),
    ] {
        let facts = [created(), end(101, "delete").with(is_deleted), later.with(is_active)];
        gives_state(&facts, "deleted");
        gives_host(&facts, Some("a"));
        assert_eq!(Tables::of(facts).instance().deleted_at, Some(second(100)));
    }
    // Only an update or an audit reports the deletion.
    for subject in [Subject::Update, Subject::Exists] {
        let facts = [nova(101, subject).with(is_deleted), update(200).with(is_active)];
        gives_state(&facts, "deleted");
    }
    // A deletion that failed is none.
    let failed = |notification: &mut Notification| {
        notification.state = Some("active".to_owned());
        notification.reports_deletion = true;
    };
    gives_state(
        &[
            end(101, "delete").with(failed),
            end(200, "power_off")
                .by_request(Some("p"))
                .with(|notification| notification.state = Some("stopped".to_owned())),
        ],
        "stopped",
    );
}

#[test]
fn an_instance_that_was_soft_deleted_comes_back_by_a_restore() {
    let soft_deleted = |notification: &mut Notification| {
        notification.state = Some("soft-delete".to_owned());
        notification.deleted_at = Some(second(100));
        notification.reports_deletion = true;
    };
    let active = |notification: &mut Notification| {
        notification.state = Some("active".to_owned());
        notification.reports_deletion = true;
    };
    let deleted = [created(), end(101, "soft_delete").with(soft_deleted), update(105).with(active)];
    gives_state(&deleted, "soft-delete");
    assert_eq!(Tables::of(deleted.clone()).instance().deleted_at, Some(second(100)));
    let restored = end(200, "restore").by_request(Some("b")).with(active);
    let facts = [&deleted[..], &[restored]].concat();
    gives_state(&facts, "active");
    assert_eq!(Tables::of(facts).instance().deleted_at, None);
}

#[test]
fn a_change_of_state_counts_whoever_saved_it() {
    let error = |changes| {
        move |notification: &mut Notification| {
            notification.state = Some("error".to_owned());
            notification.changes_state = changes;
        }
    };
    let stopped =
        end(10, "power_off").with(|notification| notification.state = Some("stopped".to_owned()));
    gives_state(&[stopped.clone(), update(11).with(error(true))], "error");
    gives_state(&[stopped.clone(), update(11).with(error(false))], "stopped");
    gives_state(&[stopped, update(11).with(error(false)).by_request(Some("s"))], "error");
}
