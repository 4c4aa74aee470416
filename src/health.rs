//! The health of the services that a process needs, for `/readyz` and `status`.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// The parts that do not work, with the reason for each. All tasks of a process share it.
#[derive(Debug, Default)]
pub struct Health {
    faults: Mutex<BTreeMap<String, String>>,
}

impl Health {
    /// Records that `part` (e.g. `broker 127.0.0.1:5672`) does not work, for this reason. Returns `true` if it
    /// worked before, so that callers log a fault once and not at every attempt.
    pub fn set_fault(&self, part: &str, reason: impl Into<String>) -> bool {
        let reason = reason.into();
        let mut faults = self.lock();
        faults.insert(part.to_owned(), reason).is_none()
    }

    /// Records that `part` works. Returns `true` if it did not work before.
    pub fn clear_fault(&self, part: &str) -> bool {
        self.lock().remove(part).is_some()
    }

    /// The parts that do not work now, with the reason for each.
    pub fn faults(&self) -> BTreeMap<String, String> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        // A panic while another task held the lock cannot leave the map half changed.
        self.faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
