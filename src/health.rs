//! What the process knows about the services it needs, for `/readyz` and `status`.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// What is away or stands still, and why. Shared by all tasks of a process.
#[derive(Debug, Default)]
pub struct Health {
    faults: Mutex<BTreeMap<String, String>>,
}

impl Health {
    /// `part` (e.g. `broker 127.0.0.1:5672`) does not work, for this reason. `true` when that is
    /// news, so that it is logged once and not at every try.
    pub fn fault(&self, part: &str, reason: impl Into<String>) -> bool {
        let reason = reason.into();
        let mut faults = self.lock();
        faults.insert(part.to_owned(), reason).is_none()
    }

    /// `part` works. `true` when it did not before.
    pub fn works(&self, part: &str) -> bool {
        self.lock().remove(part).is_some()
    }

    /// Everything that does not work now, with its reason.
    pub fn faults(&self) -> BTreeMap<String, String> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        // A panic elsewhere while holding it leaves a whole map.
        self.faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
