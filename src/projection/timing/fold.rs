//! Rows and facts in, rows out. Pure: the database only brings the rows and takes them away.

use std::collections::HashMap;

use super::fact::{Fact, Said};
use super::requests;
use super::requests::Mention;
use super::rows::{Call, Instance, Operation, Recipe, Request};
use super::stored::{Key, Stored};
use super::story::Story;
use crate::event::nova::Subject;

/// Rows of all tables but the hourly sums, which follow from how the others change.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rows {
    pub instances: Vec<Instance>,
    pub operations: Vec<Operation>,
    pub recipes: Vec<Recipe>,
    pub calls: Vec<Call>,
    pub requests: Vec<Request>,
}

/// The rows after the facts. `rows` holds all rows of [`Keys::of`](super::keys::Keys::of) these
/// facts; rows beyond those come back as they were. They come in the order of the tables' keys, in
/// which an index takes them best.
pub(super) fn fold(rows: Rows, facts: Vec<Fact>) -> Rows {
    let mut stories = HashMap::<String, Story>::new();
    let mut by_request = ByRequest::new();
    rows.sort_into(&mut stories, &mut by_request);
    for fact in facts {
        if let Some((request_id, mention)) = mention(&fact) {
            let key = (request_id, fact.instance_id().to_owned());
            by_request.entry(key).or_default().1.push(mention);
        }
        match stories.get_mut(fact.instance_id()) {
            Some(story) => story.add(fact),
            None => stories.entry(fact.instance_id().to_owned()).or_default().add(fact),
        }
    }
    let mut rows = Rows::default();
    for (instance_id, story) in sorted(stories) {
        story.finish(&instance_id, &mut rows);
    }
    for ((request_id, instance_id), (row, mentions)) in sorted(by_request) {
        rows.requests.push(requests::fold(request_id, instance_id, row, mentions));
    }
    rows
}

fn sorted<K: Ord, V>(map: HashMap<K, V>) -> Vec<(K, V)> {
    let mut entries: Vec<(K, V)> = map.into_iter().collect();
    entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    entries
}

/// The rows that are no longer there, and those that are new. One that changed is both.
pub(super) fn diff<'a, T: Stored + PartialEq>(
    before: &'a [T],
    after: &'a [T],
) -> (Vec<&'a T>, Vec<&'a T>) {
    let mut gone: HashMap<Key<'_>, &T> = before.iter().map(|row| (row.key(), row)).collect();
    let mut new = Vec::new();
    for row in after {
        match gone.get(&row.key()) {
            Some(same) if *same == row => {
                gone.remove(&row.key());
            }
            _ => new.push(row),
        }
    }
    (gone.into_values().collect(), new)
}

/// What the event is to the request that caused it. Periodic `exists` are caused by none.
fn mention(fact: &Fact) -> Option<(String, Mention)> {
    let Said::Nova(said) = &fact.said else { return None };
    if said.subject == Subject::Exists {
        return None;
    }
    let mention = Mention {
        occurred_at: fact.by.0,
        event_id: fact.by.1,
        kind: fact.kind.clone(),
        source: fact.source.clone(),
    };
    Some((said.request_id.clone()?, mention))
}

/// By request and instance: the row there was, and the events that arrived.
type ByRequest = HashMap<(String, String), (Option<Request>, Vec<Mention>)>;

impl Rows {
    fn sort_into(self, stories: &mut HashMap<String, Story>, by_request: &mut ByRequest) {
        for row in self.instances {
            let story = stories.entry(row.instance_id.clone()).or_default();
            story.instance = Some(row);
        }
        for row in self.operations {
            let story = stories.entry(row.instance_id.clone()).or_default();
            story.operations.entry(row.operation.clone()).or_default().0.push(row);
        }
        for row in self.recipes {
            stories.entry(row.instance_id.clone()).or_default().recipes.push(row);
        }
        for row in self.calls {
            stories.entry(row.instance_id.clone()).or_default().calls.push(row);
        }
        for row in self.requests {
            let key = (row.request_id.clone(), row.instance_id.clone());
            by_request.entry(key).or_default().0 = Some(row);
        }
    }
}
