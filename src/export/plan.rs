//! The changes of one transaction at the target: pure, so that both kinds of targets make the same.
//!
//! The message id is the key, and senders cannot be trusted with it: if two samples have one id, the second
//! gets a key of its own. The target's rows show which of the two has the id.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::sample::{Owner, Sample, second_key};

/// The samples of a range of the read model's positions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    /// The end of the range.
    pub to: i64,
    /// Samples that belong in the table, in order of positions.
    pub samples: Vec<Sample>,
    /// Samples that others superseded.
    pub superseded: Vec<Sample>,
}

impl Chunk {
    /// Whether nothing changes at the target.
    pub(super) fn is_empty(&self) -> bool {
        self.samples.is_empty() && self.superseded.is_empty()
    }

    /// Returns the message ids of its samples, each once.
    pub(super) fn message_ids(&self) -> BTreeSet<&str> {
        let all = self.samples.iter().chain(&self.superseded);
        all.map(|sample| sample.message_id.as_str()).collect()
    }
}

/// Keys to delete, and then rows to insert or replace, each with its key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan<'a> {
    pub delete: Vec<String>,
    pub put: Vec<(String, &'a Sample)>,
}

/// Plans the changes of a chunk. `owners` are the samples that have its message ids in the target.
pub(super) fn plan(chunk: &Chunk, owners: Vec<(String, Owner)>) -> Plan<'_> {
    let mut owners: HashMap<String, Owner> =
        owners.into_iter().map(|(key, owner)| (fold(&key), owner)).collect();
    let (mut delete, mut second_keys) = (Vec::new(), HashSet::new());
    for sample in &chunk.superseded {
        let key = fold(&sample.message_id);
        if owners.get(&key).is_some_and(|owner| owner.is(sample)) {
            owners.remove(&key);
            delete.push(sample.message_id.clone());
        }
        let second = second_key(sample);
        if second_keys.insert(second.clone()) {
            delete.push(second);
        }
    }
    let mut put = Vec::with_capacity(chunk.samples.len());
    for sample in &chunk.samples {
        let key = fold(&sample.message_id);
        let is_free = owners.get(&key).is_none_or(|owner| owner.is(sample));
        if is_free {
            owners.insert(key, Owner::of(sample));
            put.push((sample.message_id.clone(), sample));
        } else {
            put.push((second_key(sample), sample));
        }
    }
    Plan { delete, put }
}

/// Folds a key as a table that somebody else created may compare it: without case and trailing blanks.
fn fold(key: &str) -> String {
    key.trim_end().to_lowercase()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn sample(id: &str, resource: &str, second: i64) -> Sample {
        Sample {
            counter_name: "cpu".into(),
            counter_type: None,
            counter_unit: None,
            counter_volume: "1".into(),
            message_id: id.into(),
            project_id: None,
            resource_id: resource.into(),
            source: None,
            timestamp: jiff::Timestamp::from_second(1_700_000_000 + second).unwrap(),
        }
    }

    /// Executes a plan as a database does.
    fn execute(table: &mut BTreeMap<String, Sample>, chunk: &Chunk) {
        let ids = chunk.message_ids();
        let owners = table.iter().filter(|(key, _)| ids.contains(key.as_str()));
        let owners = owners.map(|(key, sample)| (key.clone(), Owner::of(sample))).collect();
        let plan = plan(chunk, owners);
        for key in plan.delete {
            table.remove(&key);
        }
        for (key, sample) in plan.put {
            table.insert(key, sample.clone());
        }
    }

    #[test]
    fn an_id_of_two_samples_makes_two_rows() {
        let (a, b) = (sample("id", "a", 0), sample("id", "b", 0));
        let chunk = Chunk { to: 1, samples: vec![a.clone(), b.clone()], superseded: vec![] };
        let mut table = BTreeMap::new();
        execute(&mut table, &chunk);
        execute(&mut table, &chunk);
        assert_eq!(table.len(), 2);
        assert_eq!(table["id"], a);
        assert_eq!(table[&second_key(&b)], b);
        // Deleting one leaves the row of the other.
        execute(&mut table, &Chunk { to: 2, samples: vec![], superseded: vec![b] });
        assert_eq!(table.into_keys().collect::<Vec<_>>(), ["id"]);
    }

    #[test]
    fn ids_that_differ_in_case_alone_are_kept_apart() {
        let (a, b) = (sample("ID", "a", 0), sample("id ", "b", 0));
        let chunk = Chunk { to: 1, samples: vec![a, b], superseded: vec![] };
        let keys: Vec<_> = plan(&chunk, vec![]).put.into_iter().map(|(key, _)| key).collect();
        assert_eq!(keys[0], "ID");
        assert!(keys[1].starts_with("id #"), "{keys:?}");
    }

    #[test]
    fn second_keys_fit_the_column() {
        assert!(second_key(&sample(&"ž".repeat(127), "a", 0)).chars().count() <= 255);
    }

    #[test]
    fn an_increase_is_found_again_in_a_column_that_rounds() {
        let increase = |volume: &str| Sample {
            counter_type: Some("delta".into()),
            counter_volume: volume.into(),
            ..sample("id", "a", 0)
        };
        let stored = Owner::of(&increase("0.13"));
        assert!(stored.is(&increase("0.125")) && stored.is(&increase("0.13")));
        assert!(!stored.is(&increase("0.12")) && !stored.is(&sample("id", "a", 0)));
    }

    proptest! {
        /// Whatever ids senders choose, whatever supersedes whatever, and wherever chunks end: the
        /// table contains each sample that counts, once.
        #[test]
        fn the_table_holds_the_read_model(
            sent in proptest::collection::vec((0..3_u8, 0..4_u8, 0..2_i64, 0..3_u8), 0..40),
            size in 1..5_usize,
        ) {
            // One sample per position; a later one of the same identity supersedes it.
            let sent: Vec<Sample> = sent
                .iter()
                .map(|(id, resource, second, increase)| Sample {
                    counter_type: (*increase > 0).then(|| "delta".to_owned()),
                    counter_volume: increase.to_string(),
                    ..sample(&id.to_string(), &resource.to_string(), second * 60)
                })
                .collect();
            let same = |a: &Sample, b: &Sample| Owner::of(a) == Owner::of(b);
            let mut table = BTreeMap::new();
            let mut from = 0;
            while from < sent.len() {
                let to = (from + size).min(sent.len());
                let is_last = |at: usize, until: usize| {
                    !sent[at + 1..until].iter().any(|later| same(later, &sent[at]))
                };
                let samples = (from..to).filter(|at| is_last(*at, sent.len()));
                let superseded = (from..to).filter_map(|at| {
                    (0..at).rev().find(|before| same(&sent[*before], &sent[at]))
                });
                let chunk = Chunk {
                    to: to as i64,
                    samples: samples.map(|at| sent[at].clone()).collect(),
                    superseded: superseded.map(|at| sent[at].clone()).collect(),
                };
                execute(&mut table, &chunk);
                // A crash before the position has moved: the same chunk again.
                execute(&mut table, &chunk);
                from = to;
            }
            let mut rows: Vec<String> = table.values().map(|row| format!("{row:?}")).collect();
            let mut expected: Vec<String> = (0..sent.len())
                .filter(|at| !sent[at + 1..].iter().any(|later| same(later, &sent[*at])))
                .map(|at| format!("{:?}", sent[at]))
                .collect();
            rows.sort();
            expected.sort();
            prop_assert_eq!(rows, expected);
        }
    }
}
