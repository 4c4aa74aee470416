//! The queues that may be bound.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard, watch};

/// The queues that may be bound, shared by the consumers and the task that binds. RabbitMQ accepts a binding
/// while it creates a quorum queue, and drops messages that are routed to it until it runs.
#[derive(Clone, Default)]
pub(super) struct BindableQueues {
    names: watch::Sender<HashSet<String>>,
    binding: Arc<Mutex<()>>,
}

impl BindableQueues {
    /// Adds a queue, which exists and runs.
    pub fn add(&self, name: &str) {
        self.names.send_if_modified(|names| names.insert(name.to_owned()));
    }

    /// Removes a queue that is about to be declared, and waits until no binding is in progress.
    pub async fn remove(&self, name: &str) {
        let _binding = self.binding.lock().await;
        self.names.send_if_modified(|names| {
            names.remove(name);
            false
        });
    }

    /// Returns a guard that keeps the queue from being removed while it is bound; `None` if it may not be bound.
    pub async fn hold(&self, name: &str) -> Option<MutexGuard<'_, ()>> {
        let guard = self.binding.lock().await;
        self.names.borrow().contains(name).then_some(guard)
    }

    /// Subscribes to additions.
    pub fn changes(&self) -> watch::Receiver<HashSet<String>> {
        self.names.subscribe()
    }
}
