//! The health of the services that a process needs, for `/readyz` and `/metrics`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The parts that do not work, with the reason for each, and the last signs of life of those that send messages. All
/// tasks of a process share it.
#[derive(Debug, Default)]
pub struct Health {
    /// By part and reporter: the reason.
    faults: Mutex<BTreeMap<String, BTreeMap<u64, String>>>,
    reporters: AtomicU64,
    /// By queue: when messages were received last.
    received_at: Mutex<BTreeMap<String, Instant>>,
}

/// The reporter of a part on which only one task reports.
const SINGLE: u64 = 0;

impl Health {
    /// Records that `part` (e.g. `broker 127.0.0.1:5672`) does not work, for this reason. Returns `true` if it
    /// worked before, so that callers log a fault once and not at every attempt.
    pub fn set_fault(&self, part: &str, reason: impl Into<String>) -> bool {
        self.set(part, SINGLE, reason.into())
    }

    /// Records that `part` works. Returns `true` if it did not work before.
    pub fn clear_fault(&self, part: &str) -> bool {
        self.clear(part, SINGLE)
    }

    /// Returns a reporter for a part on which several tasks report.
    pub fn reporter(self: &Arc<Self>, part: &str) -> Reporter {
        let id = SINGLE + 1 + self.reporters.fetch_add(1, Ordering::Relaxed);
        Reporter { health: Arc::clone(self), part: part.to_owned(), id }
    }

    /// The parts that do not work now, with the reason for each.
    pub fn faults(&self) -> BTreeMap<String, String> {
        let faults = self.lock();
        let first = |reasons: &BTreeMap<u64, String>| reasons.values().next().cloned();
        faults.iter().filter_map(|(part, all)| Some((part.clone(), first(all)?))).collect()
    }

    /// Records that messages of a queue were received now.
    pub fn note_messages(&self, queue: &str) {
        let mut received_at = self.received_at.lock().unwrap_or_else(PoisonError::into_inner);
        match received_at.get_mut(queue) {
            Some(at) => *at = Instant::now(),
            None => drop(received_at.insert(queue.to_owned(), Instant::now())),
        }
    }

    /// The time since messages were received last, by queue; none before the first ones.
    pub fn message_ages(&self) -> Vec<(String, Duration)> {
        let received_at = self.received_at.lock().unwrap_or_else(PoisonError::into_inner);
        received_at.iter().map(|(queue, at)| (queue.clone(), at.elapsed())).collect()
    }

    fn set(&self, part: &str, reporter: u64, reason: String) -> bool {
        let mut faults = self.lock();
        let reasons = faults.entry(part.to_owned()).or_default();
        let worked = reasons.is_empty();
        reasons.insert(reporter, reason);
        worked
    }

    fn clear(&self, part: &str, reporter: u64) -> bool {
        let mut faults = self.lock();
        let Some(reasons) = faults.get_mut(part) else { return false };
        reasons.remove(&reporter);
        let works = reasons.is_empty();
        if works {
            faults.remove(part);
        }
        works
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, BTreeMap<u64, String>>> {
        // A panic while another task held the lock cannot leave the map half changed.
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the tasks that report on a part. The part works if none of them has a fault. A task that ends takes its
/// fault with it: nobody else could find out that it is over.
#[derive(Debug)]
pub struct Reporter {
    health: Arc<Health>,
    part: String,
    id: u64,
}

impl Reporter {
    /// Records that the part does not work, for this reason. Returns `true` if it worked before.
    pub fn set_fault(&self, reason: impl Into<String>) -> bool {
        self.health.set(&self.part, self.id, reason.into())
    }

    /// Records that this task has no fault. Returns `true` if the part did not work before, and does now.
    pub fn clear_fault(&self) -> bool {
        self.health.clear(&self.part, self.id)
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.clear_fault();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_works_when_no_task_has_a_fault() {
        let health = Arc::new(Health::default());
        let (one, other) = (health.reporter("database"), health.reporter("database"));
        assert!(one.set_fault("away") && !other.set_fault("full") && !one.set_fault("still away"));
        assert!(!other.clear_fault(), "one of them still has a fault");
        assert_eq!(health.faults()["database"], "still away");
        assert!(one.clear_fault() && !one.clear_fault() && health.faults().is_empty());
    }

    #[test]
    fn a_fault_ends_with_the_task_that_has_it() {
        let health = Arc::new(Health::default());
        let gone = health.reporter("database");
        gone.set_fault("away");
        drop(gone);
        assert!(health.faults().is_empty());
    }

    #[test]
    fn parts_are_independent() {
        let health = Health::default();
        assert!(health.set_fault("broker", "away") && health.set_fault("queue", "refused"));
        assert!(health.clear_fault("broker") && !health.clear_fault("broker"));
        assert_eq!(health.faults().into_keys().collect::<Vec<_>>(), ["queue"]);
    }
}
