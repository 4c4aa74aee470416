//! The tables in memory, and short texts of their rows.

use jiff::Timestamp;

use super::facts::{condense, second};
use crate::projection::engine::table::TableRow;
use crate::projection::timing::change::Change;
use crate::projection::timing::fact::Fact;
use crate::projection::timing::fold::fold;
use crate::projection::timing::hours;
use crate::projection::timing::instance_facts::InstanceFacts;
use crate::projection::timing::keys::Keys;
use crate::projection::timing::rows::{Hour, Instance, KeyedRow, Operation, Recipe, Rows};

/// The tables.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    rows: Rows,
    hours: Vec<Hour>,
}

impl Tables {
    /// Creates the tables from these facts, folded in at once.
    pub fn of(facts: impl IntoIterator<Item = Fact>) -> Self {
        let mut tables = Tables::default();
        tables.apply(facts.into_iter().collect());
        tables
    }

    /// Folds facts in, like the projection's `apply` in the database.
    pub fn apply(&mut self, facts: Vec<Fact>) {
        self.apply_condensed(condense(facts));
    }

    /// Folds condensed facts in.
    pub fn apply_condensed(&mut self, facts: Vec<InstanceFacts>) {
        let rows = self.load(&facts);
        let Change { removed, added } = fold(rows, facts);
        let deltas = hours::compute_deltas(&removed.operations, &added.operations);
        let changes = |row: &Hour| deltas.contains_key(&hours::hour_key(row));
        let (before_hours, mut all) = self.hours.drain(..).partition::<Vec<_>, _>(changes);
        all.extend(hours::fold(&before_hours, deltas));
        self.hours = all;
        write(&mut self.rows.instances, removed.instances, added.instances);
        write(&mut self.rows.operations, removed.operations, added.operations);
        write(&mut self.rows.failed_calls, removed.failed_calls, added.failed_calls);
        write(&mut self.rows.recipes, removed.recipes, added.recipes);
        write(&mut self.rows.calls, removed.calls, added.calls);
        write(&mut self.rows.requests, removed.requests, added.requests);
        self.hours.sort_by(|a, b| a.key().cmp(&b.key()));
    }

    /// Returns the rows that the facts can change, and no others.
    fn load(&self, facts: &[InstanceFacts]) -> Rows {
        let mut rows = self.rows.clone();
        rows.instances.retain(|row| facts.iter().any(|of| of.instance_id() == row.instance_id));
        let is_known = |facts: &&InstanceFacts| {
            rows.instances.iter().any(|row| facts.instance_id() == row.instance_id)
        };
        let keys = Keys::of(facts.iter().filter(is_known));
        rows.operations.retain(|row| {
            keys.operations.contains(&(row.instance_id.as_str(), row.operation.as_str()))
        });
        rows.failed_calls.retain(|row| keys.instances.contains(&row.instance_id.as_str()));
        rows.recipes.retain(|row| match row.is_ttm {
            true => keys.calls.contains(&row.instance_id.as_str()),
            false => keys.recipes.contains(&(row.instance_id.as_str(), row.recipe.as_str())),
        });
        rows.calls.retain(|row| keys.calls.contains(&row.instance_id.as_str()));
        rows.requests.retain(|row| {
            keys.requests.contains(&(row.request_id.as_str(), row.instance_id.as_str()))
        });
        rows
    }

    pub fn instance(&self) -> &Instance {
        &self.rows.instances[0]
    }

    pub fn hours(&self) -> &[Hour] {
        &self.hours
    }

    /// Returns all durations, in µs.
    pub fn durations(&self) -> impl Iterator<Item = i64> {
        let builds =
            self.rows.instances.iter().flat_map(|row| [row.build_duration_us, row.spawn_us]);
        let operations = self.rows.operations.iter().map(|row| row.duration_us);
        let recipes = self.rows.recipes.iter().map(|row| row.duration_us);
        builds.chain(operations).chain(recipes).flatten()
    }

    /// Returns how many effects each request has.
    pub fn effect_counts(&self) -> Vec<usize> {
        self.rows.requests.iter().map(|row| row.kind.len()).collect()
    }

    /// Returns the rows of instances, operations and recipes as text.
    pub fn show(&self) -> String {
        let rows = &self.rows;
        let recipes = lines(&rows.recipes) + &lines(&rows.calls);
        let failed_calls = lines(&rows.failed_calls);
        lines(&rows.instances) + &lines(&rows.operations) + &failed_calls + &recipes
    }

    /// Returns the rows of requests, and the hourly sums without a dimension, as text.
    pub fn show_sums(&self) -> String {
        let hours = self.hours.iter().filter(|row| row.dimension.is_empty());
        lines(&self.rows.requests) + &lines(hours)
    }

    /// Returns operations like `create a 0-10 Complete`, in time order.
    pub fn operations(&self) -> Vec<String> {
        let mut rows: Vec<&Operation> = self.rows.operations.iter().collect();
        rows.sort_by_key(|row| (row.at, row.operation_id));
        let shown = |row: &&Operation| {
            let (host, span) =
                (row.host.as_deref().unwrap_or("?"), span(row.started_at, row.ended_at));
            let skewed = if row.skewed { " skewed" } else { "" };
            format!("{} {host} {span} {:?}{skewed}", row.operation, row.status)
        };
        rows.iter().map(shown).collect()
    }

    /// Returns recipes like `recipe 0-10`, with messages and outcome if there are any, in time order.
    pub fn recipes(&self) -> Vec<String> {
        let mut rows: Vec<_> = self.rows.recipes.iter().collect();
        rows.sort_by_key(|row| (row.at, row.recipe_id));
        let shown = |row: &&Recipe| {
            let mut text = format!("{} {}", row.recipe, span(row.started_at, row.ended_at));
            for message in [&row.start_message, &row.end_message].into_iter().flatten() {
                text += &format!(" {message}");
            }
            text += &row.outcome.map(|outcome| format!(" {outcome:?}")).unwrap_or_default();
            text + if row.skewed { " skewed" } else { "" }
        };
        rows.iter().map(shown).collect()
    }

    /// Returns the build like `Complete 0-60 wait 60 spawn 49 attempts 2`, with the error if there is one.
    pub fn build(&self) -> String {
        let row = self.instance();
        let Some(status) = row.build_status else { return "none".to_owned() };
        let s = |us: Option<i64>| us.map_or("?".to_owned(), |us| (us / 1_000_000).to_string());
        let (wait, spawn) = (s(row.build_duration_us), s(row.spawn_us));
        let span = span(row.build_started_at, row.build_ended_at);
        let skewed = if row.skewed { " skewed" } else { "" };
        let error = row.build_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        let attempts = row.attempts;
        let skewed =
            if row.build_end_inferred { format!("{skewed} inferred") } else { skewed.to_owned() };
        format!("{status:?} {span} wait {wait} spawn {spawn} attempts {attempts}{skewed}{error}")
    }
}

/// Returns the rows as lines with the columns that are not empty, except stamps.
fn lines<'a, T: TableRow + 'a>(rows: impl IntoIterator<Item = &'a T>) -> String {
    let mut lines = String::new();
    for row in rows {
        let ids_of_others = ["instance_id", "project_id", "request_id", "run_id"];
        lines += T::TABLE;
        for (column, value) in T::COLUMNS.iter().zip(row.values()) {
            let shown = format!("{value:?}");
            let is_stamp = column.ends_with("_id") && !ids_of_others.contains(column)
                || *column == "state_at"
                || column.starts_with("evidence");
            if !is_stamp && !matches!(&*shown, "None" | "false" | "[]" | "[None, None]" | "\"\"") {
                let inside = shown.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')'));
                lines += &format!(" {column}={}", inside.unwrap_or(&shown));
            }
        }
        lines += "\n";
    }
    lines
}

/// Deletes and inserts rows, and keeps the table in the order of keys.
fn write<T: KeyedRow + TableRow>(table: &mut Vec<T>, removed: Vec<T>, added: Vec<T>) {
    table.retain(|row| !removed.iter().any(|removed| removed.key() == row.key()));
    table.extend(added);
    table.sort_by(|a, b| a.key().cmp(&b.key()));
    let unique = table.windows(2).all(|rows| rows[0].key() != rows[1].key());
    assert!(unique, "{} has two rows with one key", T::TABLE);
}

/// Returns a span like `0-10`, without the side that is unknown.
fn span(start: Option<Timestamp>, end: Option<Timestamp>) -> String {
    let shown = |at: Option<Timestamp>| {
        at.map(|at| at.duration_since(second(0)).as_secs().to_string()).unwrap_or_default()
    };
    format!("{}-{}", shown(start), shown(end))
}
