//! The delivery limit of a quorum queue. A message that was delivered more often than the limit allows is dropped by
//! the broker, without a line in its log; a delivery counts although the message was held unacked, as it is while the
//! database is away, and the connection was lost. So a queue with a limit is not consumed. In a queue that is not
//! consumed, nothing is delivered, and nothing is dropped.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::broker::{DeliveryLimit, LimitOrigin, Management, ManagementError};
use crate::config::{Queue, QueueType};
use crate::health::Health;

/// Pause between two questions while the broker does not know yet which policies apply to a new queue.
const UNKNOWN_PAUSE: Duration = Duration::from_millis(500);

/// Interval at which a queue that is consumed is checked again: a policy applies at any time. A queue reports its
/// policy to the management API every five seconds.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// The reason not to consume from a queue.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsafe {
    /// It has a limit.
    #[error(
        "the broker drops a message after {} redeliveries, {origin} (see quorum queues in docs/operating.md)",
        .limit.max(&0)
    )]
    Limited { limit: i64, origin: LimitOrigin },
    /// It may have a limit.
    #[error(
        "whether the broker drops a message after some redeliveries is not known: {0}; set AMQP_MANAGEMENT_URL, \
         or check it by hand and set check_delivery_limit = false (see quorum queues in docs/operating.md)"
    )]
    Unreadable(#[from] ManagementError),
}

/// The queues of a broker that had no limit when it was last asked. What a broker said holds until it says something else:
/// after the loss of a node, a cluster does not know for seconds which policies apply.
#[derive(Debug, Default)]
pub(super) struct UnlimitedQueues(Mutex<BTreeSet<String>>);

impl UnlimitedQueues {
    fn note(&self, queue: &str, is_unlimited: bool) {
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_unlimited {
            queues.insert(queue.to_owned());
        } else {
            queues.remove(queue);
        }
    }

    fn contains(&self, queue: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(queue)
    }
}

/// Reads the limit of one queue, before and while it is consumed.
pub(super) struct LimitCheck<'a> {
    pub management: &'a Management,
    pub vhost: String,
    pub queue: &'a Queue,
    /// The queue's name as a part in [`Health`].
    pub part: &'a str,
    pub health: &'a Health,
    pub unlimited: &'a UnlimitedQueues,
}

impl LimitCheck<'_> {
    /// Returns once it is certain that the queue has no limit, or has got none as far as is known since it was.
    ///
    /// # Errors
    ///
    /// When it has one, or the broker could never be asked.
    pub async fn pass(&self) -> Result<(), Unsafe> {
        while self.is_needed() {
            let was_unlimited = self.unlimited.contains(&self.queue.name);
            match self.read().await {
                Ok(DeliveryLimit::Off) => {
                    self.unlimited.note(&self.queue.name, true);
                    break;
                }
                Ok(DeliveryLimit::Limited { limit, origin }) => {
                    self.unlimited.note(&self.queue.name, false);
                    return Err(Unsafe::Limited { limit, origin });
                }
                Ok(DeliveryLimit::Unknown) | Err(_) if was_unlimited => break,
                Err(error) => return Err(error.into()),
                Ok(DeliveryLimit::Unknown) => {
                    let reason = "the management API does not report the queue's policies yet";
                    if self.health.set_fault(self.part, reason) {
                        tracing::info!("{}: {reason}: waiting", self.part);
                    }
                    tokio::time::sleep(UNKNOWN_PAUSE).await;
                }
            }
        }
        Ok(())
    }

    /// Returns when the queue, which had no limit, has got one. While the broker cannot be asked, nothing has changed
    /// as far as is known.
    pub async fn fail(&self) -> Unsafe {
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            if self.is_needed()
                && let Ok(DeliveryLimit::Limited { limit, origin }) = self.read().await
            {
                self.unlimited.note(&self.queue.name, false);
                return Unsafe::Limited { limit, origin };
            }
        }
    }

    /// Whether the queue can have a limit. One of type classic cannot.
    fn is_needed(&self) -> bool {
        self.queue.queue_type == QueueType::Quorum && self.queue.check_delivery_limit
    }

    async fn read(&self) -> Result<DeliveryLimit, ManagementError> {
        self.management.read_delivery_limit(&self.vhost, &self.queue.name).await
    }
}
