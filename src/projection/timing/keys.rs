//! Which rows a stretch of the log can change.

use std::collections::BTreeSet;

use super::build;
use super::instance_facts::Heard;

/// The rows to be loaded beside the instances' own: those whose columns hold one of these. Each key
/// stands once, in the order of the index that it is looked up in: neighbours lie on one page.
#[derive(Debug, Default)]
pub(super) struct Keys<'a> {
    /// Instances and names of operations.
    pub operations: Vec<(&'a str, &'a str)>,
    /// Instances and names of recipes, of those that were told.
    pub recipes: Vec<(&'a str, &'a str)>,
    /// Instances whose calls of TTM's recipe route are needed, and the recipes derived from them.
    pub calls: Vec<&'a str>,
    /// Requests and instances.
    pub requests: Vec<(&'a str, &'a str)>,
}

impl<'a> Keys<'a> {
    /// Of what was heard of each instance, in the order of their ids.
    pub fn of(heard: impl IntoIterator<Item = &'a Heard>) -> Self {
        let mut keys = Keys::default();
        for heard in heard {
            let instance = heard.instance_id();
            // The build depends on its operations, whatever was said.
            let said = heard.operations.keys().map(String::as_str);
            let operations: BTreeSet<&str> = said.chain([build::CREATE]).collect();
            keys.operations.extend(operations.into_iter().map(|operation| (instance, operation)));
            let recipes: BTreeSet<&str> =
                heard.recipes.iter().map(|step| step.recipe.as_str()).collect();
            keys.recipes.extend(recipes.into_iter().map(|recipe| (instance, recipe)));
            keys.calls.extend((!heard.calls.is_empty()).then_some(instance));
            keys.requests.extend(heard.requests.keys().map(|id| (id.as_str(), instance)));
        }
        keys.requests.sort_unstable();
        keys
    }
}
