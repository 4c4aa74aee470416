//! The edges of a process: its clock, its random names, and how it stops.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// The clock, cut to the µs that PostgreSQL stores. Only the edges call it; what decides takes
/// `now` as a parameter.
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the edge")]
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// A random id, for what has no identity of its own: an HTTP call without a key, a process's name.
pub fn random_id() -> Uuid {
    #[expect(clippy::disallowed_methods, reason = "this is the edge")]
    Uuid::new_v4()
}

/// How long a process may take to finish what it holds once it was asked to stop.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(8);

/// A token that is cancelled by the first SIGTERM or SIGINT. A second signal ends the process at
/// once: nothing is lost by it, only redelivered.
///
/// # Errors
///
/// When the signal handlers cannot be installed.
pub fn stop_on_signal() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};

    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn({
        let stop = stop.clone();
        async move {
            for seen in 0.. {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
                if seen > 0 {
                    std::process::exit(130);
                }
                tracing::info!("stopping: finishing what is in hand (once more to end at once)");
                stop.cancel();
            }
        }
    });
    Ok(stop)
}

/// Runs a future on a thread and a runtime of its own. The tasks it spawns, above all its database
/// connections, share that thread: handing rows and batches between them then costs no switch of
/// threads, which was a third of a replay's time. Dropping the receiver cancels the future.
///
/// # Panics
///
/// When the operating system gives no thread.
pub fn on_own_thread<T, F, Fut>(name: &str, make: F) -> oneshot::Receiver<T>
where
    T: Send + 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T>,
{
    let (mut sender, receiver) = oneshot::channel();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a process that runs has what a runtime needs");
        let result = runtime.block_on(async {
            tokio::select! {
                result = make() => Some(result),
                () = sender.closed() => None,
            }
        });
        if let Some(result) = result {
            let _ = sender.send(result);
        }
    };
    // The operating system shows 15 bytes of it.
    std::thread::Builder::new().name(name.to_owned()).spawn(work).expect("there are threads left");
    receiver
}

/// Waits that double from `first` up to `max`: what every retry loop here uses.
#[derive(Clone, Debug)]
pub struct Backoff {
    next: Duration,
    first: Duration,
    max: Duration,
}

impl Backoff {
    /// Starts at `first`, never waits longer than `max`.
    pub fn new(first: Duration, max: Duration) -> Self {
        Backoff { next: first, first, max }
    }

    /// For a service that is away: 100 ms to 5 s, so that it is found again soon after it returns.
    pub fn for_service() -> Self {
        Backoff::new(Duration::from_millis(100), Duration::from_secs(5))
    }

    /// Forgets past failures.
    pub fn reset(&mut self) {
        self.next = self.first;
    }

    /// Waits. `false` when asked to stop meanwhile.
    pub async fn wait(&mut self, stop: &CancellationToken) -> bool {
        let delay = self.next;
        self.next = (self.next * 2).min(self.max);
        tokio::select! {
            () = tokio::time::sleep(delay) => true,
            () = stop.cancelled() => false,
        }
    }
}
