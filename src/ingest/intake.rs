//! The intake of the HTTP server: the events of concurrent requests share an append, and each request is
//! answered when its own events are durable.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::batch::Batch;
use super::decoder::Decoder;
use super::sink::Sink;
use crate::db::Database;
use crate::event::Event;
use crate::health::Health;
use crate::log::Refusal;
use crate::supervise::{GivenUp, supervise};

/// Maximum number of requests that wait while an append is in progress.
const REQUESTS_MAX: usize = 1024;
/// Maximum size of the bodies of all waiting requests together, in KiB.
const BODIES_KIB_MAX: usize = 64 << 10;
/// Events after which a batch takes no further requests.
const BATCH_SIZE: usize = 1000;
/// How long a request waits for its events to become durable.
const APPEND_TIMEOUT: Duration = Duration::from_secs(10);

/// The events of one request, and the channel for their receipt.
struct Request {
    events: Vec<Event>,
    /// Its share of [`BODIES_KIB_MAX`], given back when the request is dropped.
    _budget: OwnedSemaphorePermit,
    receipt: oneshot::Sender<IntakeReceipt>,
}

/// The receipt for the events of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntakeReceipt {
    /// The log's last position after the append: a reader that has read up to there has read these events.
    pub head: i64,
    /// For each event, whether it was new.
    pub is_new: Vec<bool>,
    /// Why one of them was stored as a dead letter, if it was.
    pub refused: Option<Refusal>,
}

/// The error that the intake cannot take events now. Nothing of the request was appended, or it is unknown
/// whether it was.
#[derive(Debug, thiserror::Error)]
#[error("the log cannot take events now")]
pub struct IntakeUnavailable;

/// A handle to the task that appends the events of HTTP requests ([`Requests`]).
#[derive(Clone)]
pub struct Intake {
    requests: mpsc::Sender<Request>,
    budget: Arc<Semaphore>,
    decoder: Decoder,
}

impl Intake {
    /// Creates the handle, and the requests that it fills: nothing is appended until those run.
    pub fn new(decoder: Decoder) -> (Intake, Requests) {
        let (sender, receiver) = mpsc::channel(REQUESTS_MAX);
        let budget = Arc::new(Semaphore::new(BODIES_KIB_MAX));
        (Intake { requests: sender, budget, decoder }, Requests(Arc::new(Mutex::new(receiver))))
    }

    /// Appends the events and returns when they are durable.
    ///
    /// # Errors
    ///
    /// When too many requests wait or the database stays away: the client should try again later, with the
    /// same ids.
    pub async fn append(&self, mut events: Vec<Event>) -> Result<IntakeReceipt, IntakeUnavailable> {
        events.iter_mut().for_each(|event| self.decoder.check_signatures(event));
        let (sender, receipt) = oneshot::channel();
        let kib = events.iter().map(|event| event.body.len()).sum::<usize>() / 1024 + 1;
        let kib = u32::try_from(kib).map_err(|_| IntakeUnavailable)?;
        let budget =
            Arc::clone(&self.budget).try_acquire_many_owned(kib).map_err(|_| IntakeUnavailable)?;
        self.requests
            .try_send(Request { events, _budget: budget, receipt: sender })
            .map_err(|_| IntakeUnavailable)?;
        let wait = tokio::time::timeout(APPEND_TIMEOUT, receipt);
        wait.await.map_err(|_| IntakeUnavailable)?.map_err(|_| IntakeUnavailable)
    }
}

/// The requests that wait for an append.
pub struct Requests(Arc<Mutex<mpsc::Receiver<Request>>>);

impl Requests {
    /// Appends the events of requests until all handles are dropped, or until asked to stop.
    ///
    /// # Errors
    ///
    /// When the task panics again and again. The requests of which it had the events are answered with
    /// [`IntakeUnavailable`].
    pub async fn append(
        self,
        database: Database,
        health: Arc<Health>,
        stop: CancellationToken,
    ) -> Result<(), GivenUp> {
        // A handle that is dropped is no fault.
        let stop = stop.child_token();
        supervise("intake", &health, &stop, || {
            let (requests, ended) = (Arc::clone(&self.0), stop.clone());
            let sink = Sink::new(database.clone(), Arc::clone(&health), stop.clone());
            async move {
                append_requests(&mut *requests.lock().await, sink).await;
                ended.cancel();
            }
        })
        .await
    }
}

/// Appends the events of waiting requests, many requests in one append, and sends each request its receipt.
async fn append_requests(requests: &mut mpsc::Receiver<Request>, mut sink: Sink) {
    while let Some(first) = requests.recv().await {
        let mut batch = Batch::default();
        let mut receipts = Vec::new();
        let mut next = Some(first);
        while let Some(Request { mut events, receipt, .. }) = next {
            // Nothing is appended for a client that has given up.
            if !receipt.is_closed() {
                receipts.push((events.len(), receipt));
                batch.bytes += events.iter().map(|event| event.body.len()).sum::<usize>();
                batch.events.append(&mut events);
            }
            next = if batch.is_full(BATCH_SIZE) { None } else { requests.try_recv().ok() };
        }
        let Ok(outcome) = sink.append(batch).await else { return };
        let mut is_new = outcome.is_new.into_iter();
        let mut refused = outcome.refused.into_iter();
        for (count, receipt) in receipts {
            let is_new = is_new.by_ref().take(count).collect();
            let refused =
                refused.by_ref().take(count).collect::<Vec<_>>().into_iter().flatten().next();
            let _ = receipt.send(IntakeReceipt { head: outcome.head, is_new, refused });
        }
    }
}
