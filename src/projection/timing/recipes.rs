//! Recipes: runs that `recipe.started` and `recipe.ended` report, and runs that calls of TTM's route
//! report.

use std::collections::{BTreeMap, HashMap};

use super::pair::{Mark, Pair, pair};
use super::rows::{Call, Recipe};
use super::sides::{merge, split};
use super::stamp::Stamp;
use crate::event::recipe::Outcome;

/// The start or the end of a recipe's run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub stamp: Stamp,
    pub is_start: bool,
    pub recipe: String,
    pub run_id: Option<String>,
    pub message: Option<String>,
    pub outcome: Option<Outcome>,
}

/// Creates the runs of an instance's recipes from all their steps.
pub(super) fn fold(instance_id: &str, steps: Vec<Step>) -> Vec<Recipe> {
    pair(steps, mark).into_iter().map(|pair| make_row(instance_id, pair, false)).collect()
}

/// Creates the runs that calls of TTM's route report. Of each recipe the first call is the start, and the
/// last of any others is the end. A call without a name ends the only recipe that is open, and nothing if
/// none or several are open.
pub(super) fn fold_calls(instance_id: &str, calls: &[Call]) -> Vec<Recipe> {
    let mut calls: Vec<&Call> = calls.iter().collect();
    calls.sort_by_key(|call| (call.called_at, call.event_id));
    let mut pairs = BTreeMap::<&str, Pair<&Call>>::new();
    for call in calls {
        let name = match &call.recipe {
            Some(recipe) => Some(recipe.as_str()),
            None => {
                let mut open = pairs.iter().filter(|(_, pair)| pair.end.is_none());
                let first = open.next().map(|(recipe, _)| *recipe);
                first.filter(|_| open.next().is_none())
            }
        };
        let Some(recipe) = name else { continue };
        match pairs.get_mut(recipe) {
            Some(pair) => pair.end = Some(call),
            None => {
                pairs.insert(recipe, Pair { start: Some(call), end: None });
            }
        }
    }
    let step = |call: &Call, is_start, recipe: &str| Step {
        stamp: (call.called_at, call.event_id),
        is_start,
        recipe: recipe.to_owned(),
        run_id: None,
        message: call.message.clone(),
        outcome: None,
    };
    let step_pair = |(recipe, pair): (&str, Pair<&Call>)| Pair {
        start: pair.start.map(|call| step(call, true, recipe)),
        end: pair.end.map(|call| step(call, false, recipe)),
    };
    pairs.into_iter().map(step_pair).map(|pair| make_row(instance_id, pair, true)).collect()
}

/// Returns the union of two sets of calls.
pub(super) fn add_calls(mut calls: Vec<Call>, more: Vec<Call>) -> Vec<Call> {
    calls.extend(more);
    let each = calls.into_iter().map(|call| ((call.called_at, call.event_id), call));
    each.collect::<HashMap<_, _>>().into_values().collect()
}

/// Returns the steps that made a row.
pub(super) fn unfold(row: Recipe) -> impl Iterator<Item = Step> {
    let ([start_run], [end_run]) = split([row.run_id], row.apart);
    let start = row.started_at.zip(row.start_id).map(|stamp| Step {
        stamp,
        is_start: true,
        recipe: row.recipe.clone(),
        run_id: start_run,
        message: row.start_message,
        outcome: None,
    });
    let end = row.ended_at.zip(row.end_id).map(|stamp| Step {
        stamp,
        is_start: false,
        recipe: row.recipe,
        run_id: end_run,
        message: row.end_message,
        outcome: row.outcome,
    });
    start.into_iter().chain(end)
}

fn mark(step: &Step) -> Mark<'_> {
    Mark {
        stamp: step.stamp,
        rank: u8::from(!step.is_start),
        is_start: step.is_start,
        lane: Some(&step.recipe),
        token: step.run_id.as_deref(),
        may_precede: true,
    }
}

fn make_row(instance_id: &str, pair: Pair<Step>, is_ttm: bool) -> Recipe {
    let times = pair.times(|step| step.stamp);
    let Pair { start, end } = pair;
    let recipe = start.as_ref().or(end.as_ref()).map(|step| step.recipe.clone());
    let outcome = end.as_ref().and_then(|step| step.outcome);
    let (start_run, start_message) = start.map(|step| ([step.run_id], step.message)).unzip();
    let (end_run, end_message) = end.map(|step| ([step.run_id], step.message)).unzip();
    let ([run_id], apart) = merge(start_run, end_run);
    Recipe {
        instance_id: instance_id.to_owned(),
        at: times.stamp.0,
        recipe_id: times.stamp.1,
        recipe: recipe.unwrap_or_default(),
        run_id,
        apart,
        started_at: times.started_at,
        start_id: times.start_id,
        start_message: start_message.flatten(),
        ended_at: times.ended_at,
        end_id: times.end_id,
        end_message: end_message.flatten(),
        outcome,
        duration_us: times.duration_us,
        skewed: times.skewed,
        is_ttm,
    }
}
