//! The truth of instances, from their facts.

use jiff::Timestamp;

use super::{
    InstanceTruth, RecipeTruth, TimingTruth,
    build::fold_build,
    operations::{OperationTotals, fold_operations},
};
use crate::simulate::{
    cloud::Cloud,
    scenario::{Fact, FactKind, Instance, NotificationFormat, Report},
    time::{instant, seconds},
};

/// Returns the truth of every instance, and the timings over all of them.
pub(crate) fn fold_instances(
    cloud: &Cloud,
    base: Timestamp,
    instances: &[Instance],
) -> (Vec<InstanceTruth>, Vec<TimingTruth>) {
    let mut totals = OperationTotals::new();
    let truths = instances
        .iter()
        .map(|instance| fold_instance(cloud, base, instance, &mut totals))
        .collect();
    (truths, totals.into_iter().map(|(name, total)| total.into_truth(name)).collect())
}

fn fold_instance(
    cloud: &Cloud,
    base: Timestamp,
    instance: &Instance,
    totals: &mut OperationTotals,
) -> InstanceTruth {
    let is_novas = |fact: &&Fact| !matches!(fact.kind, FactKind::Report(_));
    let newest = instance.facts.iter().rfind(is_novas);
    let row = &newest.expect("every build has a notification of Nova's").row;
    InstanceTruth {
        instance_id: instance.id.to_string(),
        name: instance.name.clone(),
        project_id: cloud.projects[instance.project].id.clone(),
        format: match instance.format {
            NotificationFormat::Legacy => "unversioned",
            NotificationFormat::Versioned => "versioned",
            NotificationFormat::Both => "both",
        }
        .to_owned(),
        host: row.host.map(|host| cloud.hosts[host].clone()),
        flavor: cloud.flavors[row.flavor].name.to_owned(),
        image: cloud.images[instance.image].id.to_string(),
        state: row.state.to_owned(),
        deleted_at: row.deleted_at.map(|at| {
            Timestamp::from_second(instant(base, at).as_second())
                .expect("whole seconds of an instant are an instant")
        }),
        build: fold_build(base, instance),
        operations: fold_operations(&instance.facts, totals),
        recipes: fold_recipes(base, &instance.facts),
    }
}

fn fold_recipes(base: Timestamp, facts: &[Fact]) -> Vec<RecipeTruth> {
    let mut recipes: Vec<RecipeTruth> = Vec::new();
    for fact in facts {
        match &fact.kind {
            FactKind::Report(Report::RecipeStarted { recipe, run_id }) => {
                recipes.push(RecipeTruth {
                    recipe: (*recipe).to_owned(),
                    run_id: run_id.clone(),
                    started_at: instant(base, fact.at),
                    ended_at: None,
                    duration_s: None,
                    outcome: None,
                });
            }
            FactKind::Report(Report::RecipeEnded { recipe, run_id, outcome }) => {
                let same = |run: &&mut RecipeTruth| {
                    run.recipe == *recipe && run.run_id == *run_id && run.ended_at.is_none()
                };
                let run = recipes.iter_mut().rfind(same).expect("a recipe starts before it ends");
                let ended_at = instant(base, fact.at);
                let duration = ended_at.as_microsecond() - run.started_at.as_microsecond();
                run.ended_at = Some(ended_at);
                run.duration_s = Some(seconds(duration));
                run.outcome = outcome.map(|outcome| outcome.as_str().to_owned());
            }
            _ => {}
        }
    }
    recipes
}
