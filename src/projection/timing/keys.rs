//! Keys: which rows a stretch of the log can change.

use std::collections::BTreeSet;

use super::build;
use super::instance_facts::InstanceFacts;

/// The keys of the rows to load beside the instances' own. Each key occurs once, in the order of the index
/// that it is looked up in, because neighbours lie on one page.
#[derive(Debug, Default)]
pub(super) struct Keys<'a> {
    /// Instances whose failed calls are needed.
    pub instances: Vec<&'a str>,
    /// Instances and names of operations.
    pub operations: Vec<(&'a str, &'a str)>,
    /// Instances and names of recipes that events report.
    pub recipes: Vec<(&'a str, &'a str)>,
    /// Instances whose calls of TTM's recipe route are needed, and the recipes derived from them.
    pub calls: Vec<&'a str>,
    /// Requests and instances.
    pub requests: Vec<(&'a str, &'a str)>,
}

impl<'a> Keys<'a> {
    /// Collects the keys of facts, which come in the order of the instances' ids.
    pub fn of(facts: impl IntoIterator<Item = &'a InstanceFacts>) -> Self {
        let mut keys = Keys::default();
        for facts in facts {
            let instance = facts.instance_id();
            keys.instances.push(instance);
            // The build depends on the operations named CREATE, whatever the facts are about.
            let names = facts.operations.keys().map(String::as_str);
            let operations: BTreeSet<&str> = names.chain([build::CREATE]).collect();
            keys.operations.extend(operations.into_iter().map(|operation| (instance, operation)));
            let recipes: BTreeSet<&str> =
                facts.recipes.iter().map(|step| step.recipe.as_str()).collect();
            keys.recipes.extend(recipes.into_iter().map(|recipe| (instance, recipe)));
            keys.calls.extend((!facts.calls.is_empty()).then_some(instance));
            keys.requests.extend(facts.requests.keys().map(|id| (id.as_str(), instance)));
        }
        keys.requests.sort_unstable();
        keys
    }
}
