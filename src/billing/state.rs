//! States of instances: one vocabulary for the words that Nova, its API, Ceilometer and libvirt use.

/// The words, each with the `vm_state` that it stands for.
///
/// `vm_state`: nova 34.0.0, `nova/compute/vm_states.py`. The API's words: `_STATE_MAP` in
/// `nova/api/openstack/common.py` of the same release; a server that reboots, migrates or is resized is
/// active in all but the cases of [`IS_COARSE`]. `running` to `crashed`: ceilometer 27.0.0,
/// `LIBVIRT_POWER_STATE` in `ceilometer/compute/virt/libvirt/utils.py`.
const WORDS: [(&str, &str); 28] = [
    ("active", "active"),
    ("building", "building"),
    ("paused", "paused"),
    ("suspended", "suspended"),
    ("stopped", "stopped"),
    ("rescued", "rescued"),
    ("resized", "resized"),
    ("soft_delete", "soft_deleted"),
    ("soft_deleted", "soft_deleted"),
    ("deleted", "deleted"),
    ("error", "error"),
    ("shelved", "shelved"),
    ("shelved_offloaded", "shelved_offloaded"),
    ("build", "building"),
    ("reboot", "active"),
    ("hard_reboot", "active"),
    ("password", "active"),
    ("rebuild", "active"),
    ("migrating", "active"),
    ("resize", "active"),
    ("verify_resize", "resized"),
    ("revert_resize", "resized"),
    ("rescue", "rescued"),
    ("shutoff", "stopped"),
    ("running", "active"),
    ("pending", "building"),
    ("shutdown", "stopped"),
    ("crashed", "error"),
];

/// Words of the API that stand for several states: a stopped server is resized and rebuilt as well, and a
/// paused one migrates. The `vm_state` beside such a word decides, where there is one.
const IS_COARSE: [&str; 3] = ["resize", "rebuild", "migrating"];

/// The states by their codes, from 1: the volume of the meter `state`.
const CODES: [&str; 12] = [
    "active",
    "building",
    "paused",
    "suspended",
    "stopped",
    "rescued",
    "resized",
    "soft_deleted",
    "deleted",
    "error",
    "shelved",
    "shelved_offloaded",
];

/// The `vm_state` of an instance that runs.
pub(super) const ACTIVE: &str = "active";

/// The `vm_state` of an instance that does not exist any more.
const DELETED: &str = "deleted";

/// A word for a state, as a sample contains it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// The `vm_state` that it stands for; the word itself, normalized, if nobody is known to use it.
    pub(super) canonical: String,
    /// Whether it is a word that somebody is known to use.
    pub(super) is_known: bool,
    /// Whether it stands for several states, so that a `vm_state` beside it decides.
    pub(super) is_coarse: bool,
}

impl Word {
    /// Reads a word.
    pub(super) fn read(word: &str) -> Self {
        let normal = normalize(word);
        let is_coarse = IS_COARSE.contains(&normal.as_str());
        match vm_state(&normal) {
            Some(vm_state) => Word { canonical: vm_state.to_owned(), is_known: true, is_coarse },
            None => Word { canonical: normal, is_known: false, is_coarse },
        }
    }

    /// Whether the resource does not exist any more.
    pub(super) fn is_deleted(&self) -> bool {
        self.is_known && self.canonical == DELETED
    }
}

/// Returns the spelling in which words are compared: `Soft-Deleted` is `soft_deleted`.
fn normalize(word: &str) -> String {
    word.trim().to_lowercase().replace(['-', ' '], "_")
}

/// Returns the `vm_state` that a word stands for; `None` if nobody is known to use the word.
fn vm_state(word: &str) -> Option<&'static str> {
    let word = normalize(word);
    WORDS.iter().find(|(known, _)| *known == word).map(|(_, vm_state)| *vm_state)
}

/// Returns the `vm_state` for a word of the configuration, which may be of either vocabulary. A word that
/// is in neither stands for itself.
pub(super) fn canonical(word: &str) -> String {
    vm_state(word).map_or_else(|| normalize(word), str::to_owned)
}

/// Returns the `vm_state` of a code of the meter `state`.
pub(super) fn vm_state_of_code(code: usize) -> Option<&'static str> {
    CODES.get(code.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_vocabularies_lead_to_one() {
        for (word, expected) in [
            ("VERIFY_RESIZE", Some("resized")),
            (" Rescue ", Some("rescued")),
            ("hard_reboot", Some("active")),
            ("SHUTOFF", Some("stopped")),
            ("soft-delete", Some("soft_deleted")),
            ("SHELVED_OFFLOADED", Some("shelved_offloaded")),
            ("running", Some("active")),
            ("UNKNOWN", None),
            ("", None),
        ] {
            assert_eq!(vm_state(word), expected, "{word}");
        }
        assert_eq!(canonical("Verify_Resize"), "resized");
        assert_eq!(canonical("My-State"), "my_state");
    }

    #[test]
    fn every_state_is_a_word_for_itself() {
        for state in CODES {
            assert_eq!(vm_state(state), Some(state));
        }
        assert!(IS_COARSE.iter().all(|word| vm_state(word).is_some()));
        assert_eq!(vm_state_of_code(0), None);
        assert_eq!(vm_state_of_code(13), None);
    }
}
