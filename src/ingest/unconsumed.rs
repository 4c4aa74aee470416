//! Queues of ours that nobody consumes. A source that is taken out of the configuration leaves its queue with the broker,
//! bound, where it grows until the broker takes nothing from the cloud either.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::broker::{Management, ManagementError, QueueSummary};
use crate::health::Health;

/// Pause between two looks. A queue has to be found twice: another process may only be starting again.
const PAUSE: Duration = Duration::from_secs(10);

/// Looks for bound queues of ours that have messages, no consumer, and no place in the configuration. Reports them under
/// `part` for as long as they are there. Runs until it is dropped; nothing is found while the management API does not answer.
pub(super) async fn watch(
    management: &Management,
    vhost: &str,
    configured: &BTreeSet<&str>,
    part: &str,
    health: &Health,
) -> std::convert::Infallible {
    let mut before = BTreeSet::new();
    loop {
        tokio::time::sleep(PAUSE).await;
        let found = match find(management, vhost, configured).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!("{part}: {error}");
                continue;
            }
        };
        let again: Vec<&QueueSummary> =
            found.iter().filter(|queue| before.contains(&queue.name)).collect();
        if again.is_empty() {
            if health.clear_fault(part) {
                tracing::info!("{part}: none any more");
            }
        } else {
            let queues: Vec<String> = again
                .iter()
                .map(|queue| format!("{} has {} messages", queue.name, queue.messages))
                .collect();
            let reason = format!(
                "{}: add a [[source]] for it, or delete it, because it fills the broker",
                queues.join(", ")
            );
            if health.set_fault(part, &reason) {
                tracing::error!("{part}: {reason}");
            }
        }
        before = found.into_iter().map(|queue| queue.name).collect();
    }
}

async fn find(
    management: &Management,
    vhost: &str,
    configured: &BTreeSet<&str>,
) -> Result<Vec<QueueSummary>, ManagementError> {
    let mut found = Vec::new();
    for queue in management.list_queues(vhost).await? {
        let has_no_place = !configured.contains(queue.name.as_str());
        let is_filled = queue.is_left() && has_no_place && queue.messages > 0;
        if is_filled && !management.list_bindings(vhost, &queue.name).await?.is_empty() {
            found.push(queue);
        }
    }
    Ok(found)
}
