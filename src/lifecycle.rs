//! The edges of a process: its clock, its random ids, its stop signals and the pauses between its retries.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Returns the current time, truncated to the µs that PostgreSQL stores. Only the edges call it: functions that
/// decide something take `now` as a parameter.
pub fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the edge")]
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

/// Returns a random id, for things without an identity of their own: an HTTP call without a key, a process's
/// name.
pub fn random_id() -> Uuid {
    #[expect(clippy::disallowed_methods, reason = "this is the edge")]
    Uuid::new_v4()
}

/// Returns the name of this process for people: its pid and host.
pub fn process_name() -> String {
    let host = sysinfo::System::host_name().unwrap_or_else(|| "an unknown host".to_owned());
    format!("pid {} on {host}", std::process::id())
}

/// How long a process may take to finish its work in hand after it was asked to stop.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(8);

/// When a process that was asked to stop ends whatever it does, so that nothing has to kill it after the ten seconds
/// that are usual.
const STOP_MAX: Duration = Duration::from_millis(9_500);

/// Returns a token that the first SIGTERM or SIGINT cancels. A second signal ends the process at once, by which
/// nothing is lost: messages in hand are redelivered. A process that does not end by itself is ended after 9.5 s, with
/// exit code 1.
///
/// # Errors
///
/// When the signal handlers cannot be installed, or their thread cannot be started.
pub fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (sender, installed) = std::sync::mpsc::channel();
    // On a thread and a runtime of their own: the other threads may all be busy or stuck.
    let watch = {
        let stop = stop.clone();
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(watch_signals(stop, sender)),
                Err(error) => drop(sender.send(Err(error))),
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(watch)?;
    installed.recv().map_err(std::io::Error::other)??;
    Ok(stop)
}

/// Waits for signals for as long as the process runs. Sends whether their handlers could be installed.
async fn watch_signals(
    stop: CancellationToken,
    installed: std::sync::mpsc::Sender<std::io::Result<()>>,
) {
    use tokio::signal::unix::{SignalKind, signal};

    let handlers = signal(SignalKind::terminate())
        .and_then(|terminate| Ok((terminate, signal(SignalKind::interrupt())?)));
    let (mut terminate, mut interrupt) = match handlers {
        Ok(handlers) => handlers,
        Err(error) => return drop(installed.send(Err(error))),
    };
    let _ = installed.send(Ok(()));
    let mut next = async || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    next().await;
    tracing::info!("stopping after the work in hand (a second signal ends the process at once)");
    stop.cancel();
    if tokio::time::timeout(STOP_MAX, next()).await.is_ok() {
        std::process::exit(130);
    }
    tracing::error!(
        "the process does not end and is ended; what it holds is redelivered or was not acked"
    );
    // The line is written by another thread.
    tokio::time::sleep(Duration::from_millis(100)).await;
    std::process::exit(1);
}

/// Makes the process go on when its terminal closes (SIGHUP). There is nothing to read again: the log goes to stderr, and
/// the configuration is read at the start.
///
/// # Errors
///
/// When the signal handler cannot be installed.
pub fn ignore_hangup() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    // The handler stays when the stream is dropped.
    signal(SignalKind::hangup()).map(drop)
}

/// Runs a future on a thread and a runtime of its own. The tasks it spawns, above all its database connections,
/// share that thread: handing rows and batches between them then takes no switch of threads, which was a third
/// of a replay's time. Dropping the receiver cancels the future.
///
/// # Panics
///
/// When the operating system cannot start a thread.
pub fn run_on_own_thread<T, F, Fut>(name: &str, make: F) -> oneshot::Receiver<T>
where
    T: Send + 'static,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T>,
{
    let (mut sender, receiver) = oneshot::channel();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("the thread's runtime starts");
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
    // The operating system shows the first 15 bytes of the name.
    std::thread::Builder::new().name(name.to_owned()).spawn(work).expect("the thread starts");
    receiver
}

/// The pauses of a retry loop. The n-th pause has a limit that doubles from `first` up to `max`, and a random
/// length between half the limit and the whole limit, so that processes that lost the same service at the same
/// moment do not all return to it at once.
#[derive(Clone, Debug)]
pub struct Backoff {
    limit: Duration,
    first: Duration,
    max: Duration,
}

impl Backoff {
    /// Creates a backoff whose first pause is at most `first`, and whose pauses never exceed `max`.
    pub fn new(first: Duration, max: Duration) -> Self {
        Backoff { limit: first, first, max }
    }

    /// Creates the backoff for a service that is away: limits of 100 ms to 5 s, so that its return is noticed
    /// soon.
    pub fn for_service() -> Self {
        Backoff::new(Duration::from_millis(100), Duration::from_secs(5))
    }

    /// Creates the backoff for a service without which a process is not ready: limits of 100 ms to 1 s, so that
    /// its return shows within a second.
    pub fn for_readiness() -> Self {
        Backoff::new(Duration::from_millis(100), Duration::from_secs(1))
    }

    /// Starts again with the first pause, after a success.
    pub fn reset(&mut self) {
        self.limit = self.first;
    }

    /// Waits for the next pause. Returns `false` if asked to stop meanwhile.
    pub async fn wait(&mut self, stop: &CancellationToken) -> bool {
        let pause = self.next_pause(random_share());
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = stop.cancelled() => false,
        }
    }

    /// Returns the next pause. `share` (0 to 1) places it between half its limit and the whole limit.
    fn next_pause(&mut self, share: f64) -> Duration {
        let half = self.limit / 2;
        let pause = half + (self.limit - half).mul_f64(share);
        self.limit = (self.limit * 2).min(self.max);
        pause
    }
}

/// Returns a random number from 0 to 1.
fn random_share() -> f64 {
    // The last 62 bits of a random UUID are all random; 32 of them are enough here.
    let (_, bits) = random_id().as_u64_pair();
    f64::from(bits as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn limits_double_from_100_ms_to_5_s() {
        let mut backoff = Backoff::for_service();
        let mut longest = || backoff.next_pause(1.0).as_millis();
        let pauses: Vec<u128> = (0..8).map(|_| longest()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        backoff.reset();
        assert_eq!(backoff.next_pause(0.0).as_millis(), 50);
        assert_eq!(backoff.next_pause(0.5).as_millis(), 150);
        let mut backoff = Backoff::for_readiness();
        let pauses: Vec<u128> = (0..6).map(|_| backoff.next_pause(1.0).as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000]);
    }

    #[test]
    fn random_shares_differ() {
        let shares: Vec<f64> = (0..100).map(|_| random_share()).collect();
        assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "{shares:?}");
        assert!(shares.iter().any(|share| *share < 0.5) && shares.iter().any(|share| *share > 0.5));
    }

    proptest! {
        #[test]
        fn pauses_are_between_half_the_limit_and_the_limit(
            first_ms in 1_u64..10_000,
            factor in 1_u64..100,
            shares in prop::collection::vec(0.0..=1.0_f64, 1..20),
        ) {
            let (first, max) = (Duration::from_millis(first_ms), Duration::from_millis(first_ms * factor));
            let (mut backoff, mut limit) = (Backoff::new(first, max), first);
            for share in shares {
                let pause = backoff.next_pause(share);
                prop_assert!(pause >= limit / 2 && pause <= limit, "{pause:?} of {limit:?}");
                limit = (limit * 2).min(max);
            }
        }
    }
}
