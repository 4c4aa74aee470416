//! Any order, duplication and batching of the same facts gives the same rows.

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::sample::select;
use uuid::Uuid;

use super::facts::{nova, recipe_event, second};
use super::tables::Tables;
use crate::event::nova::{Fault, Format, Phase, Subject};
use crate::event::recipe::{Outcome, RecipeEvent};
use crate::projection::timing::fact::Fact;

fn text(texts: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    prop::option::of(select(texts).prop_map(str::to_owned))
}

/// Times that often coincide, and some that are beyond the limits of pairing.
fn seconds() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 0..12_i64, 1 => 0..400_i64, 1 => 3590..3610_i64]
}

fn subject() -> impl Strategy<Value = Subject> {
    let operation = select(vec![
        "create",
        "create",
        "create",
        "rebuild",
        "reboot",
        "delete",
        "resize_finish",
        "live_migration_post",
        "live_migration_post_dest",
        "shelve_offload",
        "soft_delete",
        "restore",
    ]);
    let phase = select(vec![Phase::Start, Phase::End, Phase::Error]);
    prop_oneof![
        8 => (operation, phase).prop_map(|(operation, phase)| Subject::Operation {
            operation: operation.to_owned(),
            phase,
        }),
        1 => Just(Subject::BuildFailed),
        3 => Just(Subject::Update),
        1 => Just(Subject::Exists),
        1 => Just(Subject::InterimExists),
        1 => select(vec![&["create"][..], &["delete", "reboot"]])
            .prop_map(|operations| Subject::CallFailed { operations }),
    ]
}

fn notification() -> impl Strategy<Value = Fact> {
    let reporter = (text(&["a", "b"]), text(&["r", "s"]), any::<bool>());
    let values = (
        text(&["small", "large"]),
        text(&["x", "y"]),
        text(&["p", "q"]),
        text(&["on-a", "on-b"]),
        text(&["name", "renamed"]),
    );
    let states =
        (text(&["building", "active", "stopped", "error", "soft-delete", "deleted"]), 0..20_i64);
    (seconds(), subject(), reporter, values, states).prop_map(
        |(at, subject, (host, request, is_versioned), values, (state, other))| {
            nova(at, subject).with(|notification| {
                notification.format = if is_versioned { Format::Versioned } else { Format::Legacy };
                notification.publisher_host = host;
                notification.request_id = request;
                (
                    notification.flavor,
                    notification.image,
                    notification.project_id,
                    notification.host,
                    notification.name,
                ) = values;
                notification.state = state;
                notification.launched_at = match other {
                    0 => Some(second(at)),
                    // The same launch, with its fraction.
                    2 => Some(second(at) + SignedDuration::from_millis(500)),
                    _ => None,
                };
                notification.deleted_at = (other == 1).then(|| second(at));
                notification.reports_deletion = other < 4;
                notification.terminated_at = (other == 1).then(|| second(at));
                notification.reports_host = other < 10 || notification.host.is_some();
                notification.changes_state = other % 2 == 0;
                notification.fault =
                    Some(Fault { message: Some(format!("f{at}")), ..Fault::default() });
            })
        },
    )
}

fn recipe() -> impl Strategy<Value = Fact> {
    let names = || select(vec!["db", "web"]).prop_map(str::to_owned);
    let event = prop_oneof![
        Just(RecipeEvent::BuildStarted {
            instance_id: "i".to_owned(),
            instance_name: Some("announced".to_owned()),
            deployment_id: None
        }),
        Just(RecipeEvent::BootstrapStarted { instance_id: "i".to_owned() }),
        Just(RecipeEvent::TtmTimeNow { instance_id: "i".to_owned() }),
        (names(), text(&["1", "2"]), text(&["m", "n"])).prop_map(|(recipe, run_id, message)| {
            RecipeEvent::RecipeStarted { instance_id: "i".to_owned(), recipe, run_id, message }
        }),
        (names(), text(&["1", "2"]), text(&["m", "n"])).prop_map(|(recipe, run_id, message)| {
            let (instance_id, outcome) = ("i".to_owned(), Some(Outcome::Success));
            RecipeEvent::RecipeEnded { instance_id, recipe, run_id, message, outcome }
        }),
        (text(&["db", "web"]), text(&["m", "n"])).prop_map(|(recipe, message)| {
            RecipeEvent::TtmRecipe { instance_id: "i".to_owned(), recipe, message }
        }),
        (text(&["", "2026-11-19T09:59:58"]), text(&["", "2026-11-19T10:00:09"])).prop_map(
            |(start_time, end_time)| {
                let (instance_id, instance_name) = ("i".to_owned(), Some("n".to_owned()));
                RecipeEvent::TtmMetrics { instance_id, instance_name, start_time, end_time }
            }
        ),
        select(vec![None, Some(Outcome::Success), Some(Outcome::Failure)]).prop_map(|outcome| {
            let (instance_id, instance_name) = ("i".to_owned(), None);
            RecipeEvent::BuildEnded { instance_id, instance_name, outcome }
        }),
    ];
    (seconds(), event).prop_map(|(at, event)| recipe_event(at, event))
}

/// The same facts, about one of two instances.
fn about(facts: impl Strategy<Value = Fact>) -> impl Strategy<Value = Fact> {
    (facts, prop::bool::weighted(0.2))
        .prop_map(|(fact, is_other)| if is_other { fact.about("j") } else { fact })
}

/// Facts with unique pairs of time and id, as in the log; some ids of notifications are used at several
/// times.
pub fn facts() -> impl Strategy<Value = Vec<Fact>> {
    let some_kind = |(mut fact, kind): (Fact, &str)| {
        fact.kind = kind.to_owned();
        fact
    };
    let some_id = |(mut fact, id): (Fact, Option<u8>)| {
        if let Some(id) = id {
            fact.stamp.1 = Uuid::from_u128(u128::from(id));
        }
        fact
    };
    let fact = prop_oneof![
        3 => (about(notification()), prop::option::weighted(0.1, 0..4_u8)).prop_map(some_id),
        1 => about(recipe()),
    ];
    let fact = (fact, select(vec!["kind", "other kind"])).prop_map(some_kind);
    prop::collection::vec(fact, 0..40).prop_map(|mut facts| {
        facts.sort_by_key(|fact| fact.stamp);
        facts.dedup_by_key(|fact| fact.stamp);
        facts
    })
}

/// The facts in another order, some twice, cut into batches.
pub fn batches(facts: &[Fact]) -> impl Strategy<Value = Vec<Vec<Fact>>> + use<> {
    let doubled: Vec<Fact> = facts.iter().chain(facts.iter().step_by(3)).cloned().collect();
    (Just(doubled).prop_shuffle(), 1..10_usize)
        .prop_map(|(facts, size)| facts.chunks(size).map(<[Fact]>::to_vec).collect())
}

fn facts_and_batches() -> impl Strategy<Value = (Vec<Fact>, Vec<Vec<Fact>>)> {
    facts().prop_flat_map(|facts| (Just(facts.clone()), batches(&facts)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn order_duplication_and_batching_do_not_matter((facts, batches) in facts_and_batches()) {
        let expected = Tables::of(facts);
        let mut tables = Tables::default();
        for batch in batches {
            tables.apply(batch);
        }
        prop_assert_eq!(tables, expected);
    }

    #[test]
    fn no_duration_is_negative_and_hours_add_up(facts in facts()) {
        let tables = Tables::of(facts);
        prop_assert!(tables.durations().all(|us| us >= 0));
        for dimension in ["", "host", "flavor", "image", "project_id"] {
            let rows = tables.hours().iter().filter(|row| row.dimension == dimension);
            let count: i64 = rows.map(|row| row.count).sum();
            prop_assert_eq!(count, tables.operations().len() as i64);
        }
    }
}
