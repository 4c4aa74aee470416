//! Events to append and bodies to publish.

use jiff::Timestamp;
use stackledger::db::Database;
use stackledger::event::{Event, Family};
use stackledger::log::{AppendOutcome, Appender};
use uuid::Uuid;

/// Returns a small event of a family; `n` determines its id and time.
pub fn event(family: Family, n: u64) -> Event {
    let at = Timestamp::from_second(1_795_000_000 + n as i64).unwrap();
    Event {
        id: Uuid::from_u128(u128::from(n) + 1),
        family,
        kind: "test.kind".to_owned(),
        stream: Some(format!("stream-{}", n % 7)),
        project_id: None,
        occurred_at: Some(at),
        key_at: Some(at),
        source: "test".to_owned(),
        redacted: false,
        bad_signatures: None,
        body: format!("{{\"n\": {n}}}").into_bytes(),
    }
}

/// Returns `count` small events of the family `other`, beginning with number `first`.
pub fn events(first: u64, count: u64) -> Vec<Event> {
    (first..first + count).map(|n| event(Family::Other, n)).collect()
}

pub fn now() -> Timestamp {
    stackledger::lifecycle::now()
}

pub async fn appender(database: &Database) -> Appender {
    Appender::new(database.connect(None).await.unwrap()).await.unwrap()
}

/// Appends events over a new connection.
pub async fn append(database: &Database, events: &[Event]) -> AppendOutcome {
    appender(database).await.append(events, &[], now()).await.unwrap()
}

/// Returns the body of a fixture.
pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("fixtures/{name}"))
        .unwrap_or_else(|error| panic!("fixtures/{name}: {error}"))
}
