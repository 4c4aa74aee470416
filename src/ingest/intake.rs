//! What the HTTP server is given: events of concurrent requests share an append, and each request
//! is answered when its own are durable.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Batch, Decoder, Sink};
use crate::db::Database;
use crate::event::Event;
use crate::health::Health;
use crate::log::Refusal;

/// Requests that wait while one append is under way.
const QUEUE: usize = 1024;
/// What the bodies of all waiting requests may hold together, in KiB.
const QUEUE_KIB: usize = 64 << 10;

/// Events of one request, and where their answer goes.
struct Request {
    events: Vec<Event>,
    _room: OwnedSemaphorePermit,
    answer: oneshot::Sender<Appended>,
}

/// What became of a request's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The log's last position after them: what a reader must have seen to know them.
    pub head: i64,
    /// For each event, whether it was new.
    pub is_new: Vec<bool>,
    /// Why one of them is a dead letter instead.
    pub refused: Option<Refusal>,
}

/// The intake cannot take events now; nothing of the request was appended, or nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("the log cannot take events now")]
pub struct Unavailable;

/// A handle to the one task that appends what HTTP brings.
#[derive(Clone)]
pub struct Intake {
    requests: mpsc::Sender<Request>,
    room: Arc<Semaphore>,
    decoder: Decoder,
}

impl Intake {
    /// Starts the task; it ends when all handles are dropped.
    pub fn start(
        database: Database,
        decoder: Decoder,
        health: Arc<Health>,
        stop: CancellationToken,
    ) -> Intake {
        let (requests, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(work(receiver, Sink::new(database, health, stop)));
        Intake { requests, room: Arc::new(Semaphore::new(QUEUE_KIB)), decoder }
    }

    /// Appends the events; returns when they are durable.
    ///
    /// # Errors
    ///
    /// When the queue is full or the database stays away: the client should try again later, with
    /// the same ids.
    pub async fn append(&self, mut events: Vec<Event>) -> Result<Appended, Unavailable> {
        events.iter_mut().for_each(|event| self.decoder.check(event));
        let (answer, appended) = oneshot::channel();
        let kib = events.iter().map(|event| event.body.len()).sum::<usize>() / 1024 + 1;
        let kib = u32::try_from(kib).map_err(|_| Unavailable)?;
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib).map_err(|_| Unavailable)?;
        self.requests.try_send(Request { events, _room: room, answer }).map_err(|_| Unavailable)?;
        let wait = tokio::time::timeout(std::time::Duration::from_secs(10), appended);
        wait.await.map_err(|_| Unavailable)?.map_err(|_| Unavailable)
    }
}

async fn work(mut requests: mpsc::Receiver<Request>, mut sink: Sink) {
    while let Some(first) = requests.recv().await {
        let mut batch = Batch::default();
        let mut answers = Vec::new();
        let mut next = Some(first);
        while let Some(Request { mut events, answer, .. }) = next {
            // A client that has given up gets nothing appended behind its back.
            if !answer.is_closed() {
                answers.push((events.len(), answer));
                batch.bytes += events.iter().map(|event| event.body.len()).sum::<usize>();
                batch.events.append(&mut events);
            }
            next = if batch.is_full(1000) { None } else { requests.try_recv().ok() };
        }
        let Ok(appended) = sink.append(batch).await else { return };
        let mut is_new = appended.is_new.into_iter();
        let mut refused = appended.refused.into_iter();
        for (count, answer) in answers {
            let is_new = is_new.by_ref().take(count).collect();
            let refused =
                refused.by_ref().take(count).collect::<Vec<_>>().into_iter().flatten().next();
            let _ = answer.send(Appended { head: appended.head, is_new, refused });
        }
    }
}
