//! Promises 2 and 4: events are appended once, and ordered without gaps.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stackledger::event::{Event, Family};
use stackledger::log::{self, AppendError, Claim, Filter, Limit, Reader, Refusal, load_claims_of};
use uuid::Uuid;

use crate::support::database::database;
use crate::support::events::{append, appender, event, events, now};
use crate::support::is_long;

#[tokio::test]
async fn the_same_events_again_change_nothing() {
    let db = database().await;
    let first = append(&db.database, &events(0, 100)).await;
    assert_eq!((first.events, first.duplicates, first.head), (100, 0, 100));
    let again = append(&db.database, &events(50, 100)).await;
    assert_eq!((again.events, again.duplicates, again.head), (50, 50, 150));
    assert_eq!(again.is_new.iter().filter(|new| **new).count(), 50);
    assert!(!again.is_new[0] && again.is_new[99]);
    let twice_in_a_batch = [events(200, 3), events(200, 3)].concat();
    assert_eq!(append(&db.database, &twice_in_a_batch).await.events, 3);
    assert_eq!(db.number("SELECT count(*) FROM log.event").await, 153);
}

/// Returns a CloudEvent of a sender whose ids are counted from 1 again, as its event.
fn cloud_event(id: u32, instance: &str) -> Event {
    let body = format!(
        r#"{{"specversion":"1.0","id":"{id}","source":"chef","type":"recipe.started","time":"2026-11-20T03:05:54Z","data":{{"instance_id":"{instance}"}}}}"#
    );
    stackledger::event::decode(body.into_bytes(), None).unwrap()
}

#[tokio::test]
async fn an_event_that_says_something_else_under_a_known_id_is_a_dead_letter() {
    let db = database().await;
    let given =
        [cloud_event(1, "a"), cloud_event(2, "b"), cloud_event(2, "c"), cloud_event(2, "b")];
    let appended = append(&db.database, &given).await;
    assert_eq!((appended.events, appended.duplicates, appended.dead_letters), (2, 1, 1));
    let in_batch = Refusal::OtherBody { position: None };
    assert_eq!(appended.refused, [None, None, Some(in_batch), None]);

    let given =
        [cloud_event(3, "d"), cloud_event(1, "e"), cloud_event(2, "b"), cloud_event(2, "c")];
    let appended = append(&db.database, &given).await;
    let at = |position| Some(Refusal::OtherBody { position: Some(position) });
    assert_eq!(appended.refused, [None, at(1), None, Some(in_batch)]);
    // The delivery about c is one dead letter, however often it comes.
    assert_eq!((appended.events, appended.duplicates, appended.dead_letters), (1, 1, 1));
    assert_eq!(appended.is_new, [true, false, false, false]);
    assert_eq!(appended.head, 3);
    let letters = log::list_dead_letters(&db.client().await, None, 0, 10).await.unwrap();
    let reasons: Vec<&str> = letters.iter().map(|stored| &*stored.letter.reason).collect();
    assert_eq!(
        reasons,
        [
            "another_body: its source and id are those of the event sent right before it, which says something else",
            "another_body: its source and id are those of the event at position 1, which says something else",
        ]
    );
    let stored = log::show_dead_letter(&db.client().await, letters[1].id).await.unwrap().unwrap();
    assert_eq!(stored.letter.body, cloud_event(1, "e").body);
}

#[tokio::test]
async fn a_batch_of_duplicates_and_an_empty_batch_do_not_move_the_head() {
    let db = database().await;
    append(&db.database, &events(0, 10)).await;
    let head = log::read_head(&db.client().await).await.unwrap();
    assert_eq!(append(&db.database, &events(0, 10)).await.events, 0);
    assert_eq!(append(&db.database, &[]).await.events, 0);
    assert_eq!(log::read_head(&db.client().await).await.unwrap(), head);
}

#[tokio::test]
async fn events_are_read_as_they_were_appended() {
    let db = database().await;
    let mut all = Vec::new();
    for (n, family) in Family::ALL.into_iter().enumerate() {
        all.push(event(family, n as u64));
        let mut bare = event(family, 100 + n as u64);
        (bare.stream, bare.occurred_at, bare.key_at) = (None, None, None);
        bare.redacted = true;
        bare.bad_signatures = Some((0..n as i32).map(|index| index * 1000).collect());
        bare.project_id = Some("p".to_owned());
        bare.body = vec![0, 255, b'{'];
        all.push(bare);
    }
    append(&db.database, &all).await;
    let client = db.client().await;
    let stretch = Reader::new(&Family::ALL).next(&client, 0, i64::MAX, Limit::USUAL).await.unwrap();
    assert_eq!(stretch.position, all.len() as i64);
    assert_eq!(
        stretch.events.iter().map(|event| event.position).collect::<Vec<_>>(),
        (1..=all.len() as i64).collect::<Vec<_>>()
    );
    for event in &all {
        let read = stretch.events.iter().find(|read| read.event.id == event.id).unwrap();
        assert_eq!(read.event, *event);
        assert_eq!(log::read_at(&client, read.position).await.unwrap().as_ref(), Some(read));
    }
    assert_eq!(log::read_at(&client, 0).await.unwrap(), None);
    assert_eq!(log::read_at(&client, 999).await.unwrap(), None);
}

#[tokio::test]
async fn days_of_perf_and_meter_have_leaves_of_their_own() {
    let db = database().await;
    let day = 24 * 3600;
    append(
        &db.database,
        &[event(Family::Perf, 0), event(Family::Perf, day), event(Family::Meter, 0)],
    )
    .await;
    let leaves =
        db.rows("SELECT DISTINCT tableoid::regclass::text AS leaf FROM log.event ORDER BY 1").await;
    assert_eq!(leaves.len(), 3, "{leaves:?}");
    // The owner can detach a day without touching the rest.
    let superuser = db.superuser().await;
    let leaf = leaves[1].split('"').nth(3).unwrap().to_owned();
    superuser
        .batch_execute(&format!("ALTER TABLE log.event_perf DETACH PARTITION {leaf}"))
        .await
        .unwrap();
    assert_eq!(db.number("SELECT count(*) FROM log.event").await, 2);
}

#[tokio::test]
async fn readers_of_some_families_skip_the_others() {
    let db = database().await;
    for n in 0..20 {
        let family = if n % 5 == 0 { Family::Recipe } else { Family::Other };
        append(&db.database, &[event(family, n)]).await;
    }
    let client = db.client().await;
    let reader = Reader::new(&[Family::Recipe]);
    let limit = Limit { events: 2, ..Limit::USUAL };
    let (mut position, mut read) = (0, Vec::new());
    loop {
        let stretch = reader.next(&client, position, i64::MAX, limit).await.unwrap();
        if stretch.position == position {
            break;
        }
        assert!(stretch.events.len() <= 2);
        read.extend(stretch.events.iter().map(|event| event.position));
        position = stretch.position;
    }
    assert_eq!((read, position), (vec![1, 6, 11, 16], 20));
    let half = reader.next(&client, 0, 7, Limit::USUAL).await.unwrap();
    assert_eq!((half.events.len(), half.position), (2, 7));
}

#[tokio::test]
async fn pages_filter_by_stream_kind_and_family() {
    let db = database().await;
    append(&db.database, &events(0, 30)).await;
    append(&db.database, &[event(Family::Perf, 100)]).await;
    let client = db.client().await;
    let by_stream = Filter { stream: Some("stream-3".to_owned()), ..Filter::default() };
    let page = log::read_page(&client, &by_stream, 0, 2).await.unwrap();
    assert_eq!(page.events.iter().map(|e| e.position).collect::<Vec<_>>(), [4, 11]);
    let rest = log::read_page(&client, &by_stream, page.next.unwrap(), 100).await.unwrap();
    assert_eq!(rest.events.len(), 2);
    assert_eq!(rest.next, None);
    let by_family = Filter { family: Some(Family::Perf), ..Filter::default() };
    assert_eq!(log::read_page(&client, &by_family, 0, 100).await.unwrap().events.len(), 1);
    let by_kind = Filter { kind: Some("nothing".to_owned()), ..Filter::default() };
    assert!(log::read_page(&client, &by_kind, 0, 100).await.unwrap().events.is_empty());
}

/// Pages reach all events of a stream, even if it is spread over more days than one page reads.
#[tokio::test]
async fn a_stream_over_many_days_is_found_page_by_page() {
    let db = database().await;
    let day = 24 * 3600 * 7;
    let days: Vec<Event> = (0..70).map(|n| event(Family::Perf, n * day)).collect();
    append(&db.database, &days).await;
    append(&db.database, &[event(Family::Recipe, 7)]).await;
    let client = db.client().await;
    for (family, expected) in
        [(None, 71), (Some(Family::Perf), 70), (Some(Family::Recipe), 1), (Some(Family::Other), 0)]
    {
        let filter = Filter { stream: Some("stream-0".to_owned()), family, ..Filter::default() };
        let (mut read, mut after) = (Vec::new(), Some(0));
        while let Some(position) = after {
            let page = log::read_page(&client, &filter, position, 50).await.unwrap();
            read.extend(page.events.iter().map(|event| event.position));
            after = page.next;
        }
        assert_eq!(read.len(), expected, "{family:?}");
        assert!(read.is_sorted(), "{family:?}");
    }
}

/// A reader follows 32 concurrent appenders: it must read every position, in order, although it never looks
/// back. With a sequence instead of the lock on the head, later positions become visible before earlier ones,
/// and the reader skips some.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_beside_32_appenders_skips_nothing() {
    let db = database().await;
    let rounds: u64 = if is_long() { 200 } else { 12 };
    let done = Arc::new(AtomicBool::new(false));
    let reading = {
        let (client, done) = (db.client().await, Arc::clone(&done));
        tokio::spawn(async move {
            let reader = Reader::new(&[Family::Other]);
            let (mut position, mut read) = (0, Vec::new());
            loop {
                let was_done = done.load(Ordering::SeqCst);
                let stretch = reader.next(&client, position, i64::MAX, Limit::USUAL).await.unwrap();
                read.extend(stretch.events.iter().map(|event| (event.position, event.event.id)));
                if stretch.position == position && was_done {
                    return read;
                }
                position = stretch.position;
            }
        })
    };
    let mut appenders = Vec::new();
    for n in 0..32_u64 {
        let mut appender = appender(&db.database).await;
        appenders.push(tokio::spawn(async move {
            let mut new = 0;
            for round in 0..rounds {
                // Batches of many sizes; every fourth is appended by another appender, too.
                let owner = if round % 4 == 0 { n / 2 } else { n };
                let first = owner * 1_000_000 + round * 100;
                let batch = events(first, 1 + (owner * 7 + round) % 40);
                new += appender.append(&batch, &[], now()).await.unwrap().events;
            }
            new
        }));
    }
    let mut appended = 0;
    for task in appenders {
        appended += task.await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let read = reading.await.unwrap();
    assert_eq!(read.len(), appended);
    assert!(read.iter().map(|(position, _)| *position).eq(1..=appended as i64));
    assert_eq!(read.iter().map(|(_, id)| id).collect::<BTreeSet<_>>().len(), appended);
}

/// Even a server that is configured not to wait for its disk, as in these tests, waits for the disk on appends:
/// messages are acked after them, and their events must survive a crash.
#[tokio::test]
async fn an_append_waits_for_the_disk_whatever_the_server_is_configured_to_do() {
    let db = database().await;
    let superuser = db.superuser().await;
    superuser
        .batch_execute(
            "DO $$ BEGIN
                EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database());
             END $$;
             CREATE TABLE public.observed (setting text);
             CREATE FUNCTION public.observe() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
                INSERT INTO public.observed VALUES (current_setting('synchronous_commit'));
                RETURN NEW;
             END $$;
             CREATE TRIGGER observe BEFORE INSERT ON log.batch FOR EACH ROW EXECUTE FUNCTION public.observe()",
        )
        .await
        .unwrap();
    append(&db.database, &events(0, 1)).await;
    assert_eq!(db.rows("SELECT setting FROM public.observed").await, [r#"{"setting": "on"}"#]);
    // A stricter setting stays.
    superuser
        .batch_execute(
            "DO $$ BEGIN
                EXECUTE format('ALTER DATABASE %I SET synchronous_commit = remote_apply', current_database());
             END $$; TRUNCATE public.observed",
        )
        .await
        .unwrap();
    append(&db.database, &events(1, 1)).await;
    assert_eq!(
        db.rows("SELECT setting FROM public.observed").await,
        [r#"{"setting": "remote_apply"}"#]
    );
}

/// The claim of an order is stored with its event or not at all, and only after the order it follows.
#[tokio::test]
async fn an_order_and_its_claim_are_appended_together_and_once() {
    let db = database().await;
    let mut appender = appender(&db.database).await;
    let day = |day: u32| format!("2026-11-{day:02}T00:00:00Z").parse().unwrap();
    let claim = |n: u128, from: u32, to: u32, follows: Option<i64>| Claim {
        order_id: Uuid::from_u128(n),
        tenant_id: "t".to_owned(),
        from: day(from),
        to: day(to),
        follows,
    };
    let order = |n: u64| event(Family::Billing, n);
    let first = appender.append_order(&order(1), &claim(1, 1, 2, None), now()).await.unwrap();
    assert_eq!(first, 1);
    for (event, claim) in [
        // The same order again; an overlapping claim; claims that follow no order, or a later one than there is.
        (order(1), claim(1, 1, 2, None)),
        (order(2), claim(2, 1, 3, Some(1))),
        (order(2), claim(2, 2, 3, None)),
        (order(2), claim(2, 2, 3, Some(2))),
        // Another time with the id of the first order; a new claim with the event of the first order.
        (order(2), claim(1, 2, 3, Some(1))),
        (order(1), claim(2, 2, 3, Some(1))),
    ] {
        let error = appender.append_order(&event, &claim, now()).await.unwrap_err();
        assert!(matches!(error, AppendError::Claimed), "{claim:?}: {error}");
    }
    assert_eq!(db.number("SELECT position FROM log.head").await, 1);
    let second = appender.append_order(&order(2), &claim(2, 2, 3, Some(1)), now()).await.unwrap();
    assert_eq!(second, 2);
    let claims = load_claims_of(&db.client().await, "t").await.unwrap();
    let shown: Vec<_> =
        claims.iter().map(|claim| (claim.order_id.as_u128(), claim.to, claim.position)).collect();
    assert_eq!(shown, [(1, day(2), 1), (2, day(3), 2)]);
}
