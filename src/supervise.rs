//! Tasks that live as long as the process. One that panics, or ends unasked, is begun again; where that does not help,
//! the process ends with the reason: a process without one of its parts would look well.

use std::any::Any;
use std::collections::VecDeque;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::health::Health;

/// When a task that ends again and again is given up.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// The pause before it is begun again.
    pause: Duration,
    /// The number of ends within `span` with which it is given up.
    ends: usize,
    span: Duration,
}

const LIMITS: Limits =
    Limits { pause: Duration::from_secs(1), ends: 10, span: Duration::from_secs(600) };

/// The error that a task ends again and again.
#[derive(Debug, thiserror::Error)]
#[error("{task} ended {ends} times in {} s, the last time because {reason}", span.as_secs())]
pub struct GivenUp {
    task: String,
    ends: usize,
    span: Duration,
    reason: String,
}

/// Runs a task until it ends after `stop`, and begins it again whenever it panics or ends before. Meanwhile its fault is
/// reported under its name, which is also its part in [`Health`]. Dropping the future ends the task.
///
/// # Errors
///
/// When the task ended ten times within ten minutes.
pub async fn supervise<F>(
    task: &str,
    health: &Health,
    stop: &CancellationToken,
    begin: impl FnMut() -> F,
) -> Result<(), GivenUp>
where
    F: Future<Output = ()> + Send + 'static,
{
    supervise_within(LIMITS, task, health, stop, begin).await
}

async fn supervise_within<F>(
    limits: Limits,
    task: &str,
    health: &Health,
    stop: &CancellationToken,
    mut begin: impl FnMut() -> F,
) -> Result<(), GivenUp>
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut ends = VecDeque::new();
    loop {
        let reason = run(begin()).await;
        if stop.is_cancelled() {
            return Ok(());
        }
        let now = Instant::now();
        ends.push_back(now);
        while ends.front().is_some_and(|at| now.duration_since(*at) > limits.span) {
            ends.pop_front();
        }
        health.set_fault(task, &reason);
        if ends.len() >= limits.ends {
            let (task, ends, span) = (task.to_owned(), ends.len(), limits.span);
            return Err(GivenUp { task, ends, span, reason });
        }
        metrics::counter!("stackledger_tasks_begun_again_total", "task" => task.to_owned())
            .increment(1);
        tracing::error!("{task} is begun again, because {reason}");
        tokio::select! {
            () = tokio::time::sleep(limits.pause) => {}
            () = stop.cancelled() => return Ok(()),
        }
        health.clear_fault(task);
    }
}

/// Runs a task, and returns why it ended.
async fn run(task: impl Future<Output = ()> + Send + 'static) -> String {
    // A set of one, because dropping a set ends its tasks.
    let mut tasks = JoinSet::new();
    tasks.spawn(task);
    match tasks.join_next().await {
        Some(Err(error)) if error.is_panic() => CaughtPanic::of(&*error.into_panic()).to_string(),
        _ => "it ended without being asked to".to_owned(),
    }
}

/// The error that code panicked, with its message in one line.
#[derive(Debug, thiserror::Error)]
#[error("it panicked: {0}")]
pub struct CaughtPanic(String);

impl CaughtPanic {
    /// The error of a panic that was caught.
    pub fn of(panic: &(dyn Any + Send)) -> CaughtPanic {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or(panic.downcast_ref::<&str>().copied());
        let lines: Vec<&str> = text.unwrap_or("without a text").lines().map(str::trim).collect();
        CaughtPanic(lines.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const QUICK: Limits =
        Limits { pause: Duration::from_millis(1), ends: 3, span: Duration::from_secs(600) };

    #[tokio::test]
    async fn a_task_that_panics_is_begun_again_until_it_is_asked_to_stop() {
        let (health, stop) = (Health::default(), CancellationToken::new());
        let begun = Arc::new(AtomicUsize::new(0));
        let begin = || {
            let (nth, stop) = (begun.fetch_add(1, Ordering::Relaxed), stop.clone());
            async move {
                assert_ne!(nth, 0, "the first one");
                stop.cancel();
                stop.cancelled().await;
            }
        };
        supervise_within(QUICK, "task", &health, &stop, begin).await.unwrap();
        assert_eq!(begun.load(Ordering::Relaxed), 2);
        assert!(health.faults().is_empty());
    }

    #[tokio::test]
    async fn a_task_that_ends_again_and_again_is_given_up() {
        let (health, stop) = (Health::default(), CancellationToken::new());
        let panics = || async { panic!("of {}", "this") };
        let given_up = supervise_within(QUICK, "task", &health, &stop, panics).await.unwrap_err();
        let expected = "task ended 3 times in 600 s, the last time because it panicked: of this";
        assert_eq!(given_up.to_string(), expected);
        assert_eq!(health.faults()["task"], "it panicked: of this");
        let ends = || std::future::ready(());
        let given_up = supervise_within(QUICK, "task", &health, &stop, ends).await.unwrap_err();
        assert!(given_up.to_string().ends_with("it ended without being asked to"), "{given_up}");
    }

    #[tokio::test]
    async fn ends_that_lie_further_back_do_not_count() {
        let (health, stop) = (Health::default(), CancellationToken::new());
        let limits = Limits { span: Duration::ZERO, ..QUICK };
        let begun = Arc::new(AtomicUsize::new(0));
        let begin = || {
            let (nth, stop) = (begun.fetch_add(1, Ordering::Relaxed), stop.clone());
            async move {
                if nth == 20 {
                    stop.cancel();
                }
            }
        };
        supervise_within(limits, "task", &health, &stop, begin).await.unwrap();
        assert_eq!(begun.load(Ordering::Relaxed), 21);
    }
}
