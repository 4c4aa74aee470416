//! Facts to say, tables in memory to fold them into, and short texts of what stands there then.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::event::nova::{Fault, Format, Notification, Phase, Subject};
use crate::event::recipe::RecipeEvent;
use crate::projection::engine::table::TableRow;
use crate::projection::timing::fact::{Fact, Said};
use crate::projection::timing::fold::{Change, Rows, fold};
use crate::projection::timing::hours;
use crate::projection::timing::instance_facts::{ByInstance, Heard};
use crate::projection::timing::keys::Keys;
use crate::projection::timing::rows::Keyed;
use crate::projection::timing::rows::{Hour, Instance, Operation};

/// Second 0 of all tests.
pub fn second(second: i64) -> Timestamp {
    "2026-11-19T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(second)
}

/// A notification of instance `i` by host `a` in request `r`.
pub fn nova(at: i64, subject: Subject) -> Fact {
    Fact::new(
        at,
        Said::Nova(Box::new(Notification {
            format: Format::Legacy,
            subject,
            instance_id: "i".to_owned(),
            request_id: Some("r".to_owned()),
            publisher_service: Some("compute".to_owned()),
            publisher_host: Some("a".to_owned()),
            name: None,
            project_id: None,
            host: None,
            flavor: None,
            image: None,
            state: None,
            task_state: None,
            created_at: None,
            launched_at: None,
            deleted_at: None,
            tells_deletion: false,
            fault: None,
        })),
    )
}

pub fn start(at: i64, operation: &str) -> Fact {
    nova(at, Subject::Operation { operation: operation.to_owned(), phase: Phase::Start })
}

pub fn end(at: i64, operation: &str) -> Fact {
    nova(at, Subject::Operation { operation: operation.to_owned(), phase: Phase::End })
}

pub fn error(at: i64, operation: &str, message: &str) -> Fact {
    nova(at, Subject::Operation { operation: operation.to_owned(), phase: Phase::Error })
        .with(|said| said.fault = fault(None, message))
}

pub fn no_host(at: i64) -> Fact {
    nova(at, Subject::BuildFailed)
        .with(|said| said.fault = fault(Some("NoValidHost"), "There are not enough hosts"))
}

/// The state was said to be this.
pub fn state(at: i64, state: &str) -> Fact {
    nova(at, Subject::Update).with(|said| said.state = Some(state.to_owned()))
}

/// It was said to be deleted at that time, or at none.
pub fn deleted_at(at: i64, deleted: Option<i64>) -> Fact {
    nova(at, Subject::Exists).with(|said| {
        said.deleted_at = deleted.map(second);
        said.tells_deletion = true;
    })
}

pub fn recipe_event(at: i64, said: RecipeEvent) -> Fact {
    Fact::new(at, Said::Recipe(said))
}

fn fault(class: Option<&str>, message: &str) -> Option<Fault> {
    Some(Fault { class: class.map(str::to_owned), message: Some(message.to_owned()), code: None })
}

impl Fact {
    fn new(at: i64, said: Said) -> Self {
        let mut fact = Fact {
            by: (second(at), Uuid::nil()),
            kind: "kind".to_owned(),
            source: "source".to_owned(),
            said,
        };
        fact.identify();
        fact
    }

    /// Gives the same id to what says the same.
    fn identify(&mut self) {
        let text = format!("{:?} {:?}", self.by.0, self.said);
        self.by.1 = Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes());
    }

    pub fn with(mut self, change: impl FnOnce(&mut Notification)) -> Self {
        if let Said::Nova(said) = &mut self.said {
            change(said);
        }
        self.identify();
        self
    }

    /// About another instance than `i`.
    pub fn about(mut self, instance: &str) -> Self {
        match &mut self.said {
            Said::Nova(said) => instance.clone_into(&mut said.instance_id),
            Said::Recipe(
                RecipeEvent::BuildStarted { instance_id, .. }
                | RecipeEvent::BootstrapStarted { instance_id }
                | RecipeEvent::RecipeStarted { instance_id, .. }
                | RecipeEvent::RecipeEnded { instance_id, .. }
                | RecipeEvent::BuildEnded { instance_id, .. }
                | RecipeEvent::TtmTimeNow { instance_id }
                | RecipeEvent::TtmRecipe { instance_id, .. }
                | RecipeEvent::TtmMetrics { instance_id, .. },
            ) => instance.clone_into(instance_id),
        }
        self.identify();
        self
    }

    /// Reported by this host.
    pub fn on(self, host: &str) -> Self {
        self.with(|said| said.publisher_host = Some(host.to_owned()))
    }

    /// In this request, or in none.
    pub fn by_request(self, request: Option<&str>) -> Self {
        self.with(|said| said.request_id = request.map(str::to_owned))
    }

    pub fn versioned(self) -> Self {
        self.with(|said| said.format = Format::Versioned)
    }
}

/// Facts by the instance they are of, as a stretch of the log brings them.
pub fn heard(facts: Vec<Fact>) -> Vec<Heard> {
    let mut heard = ByInstance::default();
    facts.into_iter().for_each(|fact| heard.add(fact));
    heard.finish()
}

/// The tables, in memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tables {
    rows: Rows,
    hours: Vec<Hour>,
}

impl Tables {
    /// The tables after these facts, all at once.
    pub fn of(facts: impl IntoIterator<Item = Fact>) -> Self {
        let mut tables = Tables::default();
        tables.apply(facts.into_iter().collect());
        tables
    }

    /// What `apply` does with the database.
    pub fn apply(&mut self, facts: Vec<Fact>) {
        self.hear(heard(facts));
    }

    /// The same, of facts that were read.
    pub fn hear(&mut self, heard: Vec<Heard>) {
        let rows = self.load(&heard);
        let Change { gone, new } = fold(rows, heard);
        let deltas = hours::deltas(&gone.operations, &new.operations);
        let touched = |row: &Hour| deltas.contains_key(&hours::key(row));
        let (before_hours, mut all) = self.hours.drain(..).partition::<Vec<_>, _>(touched);
        all.extend(hours::fold(&before_hours, deltas));
        self.hours = all;
        write(&mut self.rows.instances, gone.instances, new.instances);
        write(&mut self.rows.operations, gone.operations, new.operations);
        write(&mut self.rows.recipes, gone.recipes, new.recipes);
        write(&mut self.rows.calls, gone.calls, new.calls);
        write(&mut self.rows.requests, gone.requests, new.requests);
        self.hours.sort_by(|a, b| a.key().cmp(&b.key()));
    }

    /// All rows that what was heard can change, and no others.
    fn load(&self, heard: &[Heard]) -> Rows {
        let mut rows = self.rows.clone();
        rows.instances.retain(|row| heard.iter().any(|of| of.instance_id() == row.instance_id));
        let is_known = |heard: &&Heard| {
            rows.instances.iter().any(|row| heard.instance_id() == row.instance_id)
        };
        let keys = Keys::of(heard.iter().filter(is_known));
        rows.operations.retain(|row| {
            keys.operations.contains(&(row.instance_id.as_str(), row.operation.as_str()))
        });
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

    /// All durations, in µs.
    pub fn durations(&self) -> impl Iterator<Item = i64> {
        let builds =
            self.rows.instances.iter().flat_map(|row| [row.build_duration_us, row.spawn_us]);
        let operations = self.rows.operations.iter().map(|row| row.duration_us);
        let recipes = self.rows.recipes.iter().map(|row| row.duration_us);
        builds.chain(operations).chain(recipes).flatten()
    }

    /// How many events each request caused.
    pub fn request_kinds(&self) -> Vec<usize> {
        self.rows.requests.iter().map(|row| row.kind.len()).collect()
    }

    /// The rows of instances, of operations and of recipes.
    pub fn show(&self) -> String {
        let rows = &self.rows;
        let recipes = lines(&rows.recipes) + &lines(&rows.calls);
        lines(&rows.instances) + &lines(&rows.operations) + &recipes
    }

    /// The rows of requests, and the sums of hours as a whole.
    pub fn show_sums(&self) -> String {
        let hours = self.hours.iter().filter(|row| row.dimension.is_empty());
        lines(&self.rows.requests) + &lines(hours)
    }

    /// `create a 0-10 Complete`, by time.
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

    /// `recipe 0-10`, with messages and outcome where there are any, by time.
    pub fn recipes(&self) -> Vec<String> {
        let mut rows: Vec<_> = self.rows.recipes.iter().collect();
        rows.sort_by_key(|row| (row.at, row.recipe_id));
        let shown = |row: &&crate::projection::timing::rows::Recipe| {
            let mut text = format!("{} {}", row.recipe, span(row.started_at, row.ended_at));
            for message in [&row.start_message, &row.end_message].into_iter().flatten() {
                text += &format!(" {message}");
            }
            text += &row.outcome.map(|outcome| format!(" {outcome:?}")).unwrap_or_default();
            text + if row.skewed { " skewed" } else { "" }
        };
        rows.iter().map(shown).collect()
    }

    /// `Complete 0-60 wait 60 spawn 49 attempts 2`, and the error.
    pub fn build(&self) -> String {
        let row = self.instance();
        let Some(status) = row.build_status else { return "none".to_owned() };
        let s = |us: Option<i64>| us.map_or("?".to_owned(), |us| (us / 1_000_000).to_string());
        let (wait, spawn) = (s(row.build_duration_us), s(row.spawn_us));
        let span = span(row.build_started_at, row.build_ended_at);
        let skewed = if row.skewed { " skewed" } else { "" };
        let error = row.build_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
        let attempts = row.attempts;
        format!("{status:?} {span} wait {wait} spawn {spawn} attempts {attempts}{skewed}{error}")
    }
}

/// Rows, each on a line, with their columns that hold something. Stamps are left out.
fn lines<'a, T: TableRow + 'a>(rows: impl IntoIterator<Item = &'a T>) -> String {
    let mut lines = String::new();
    for row in rows {
        let ids_of_others = ["instance_id", "project_id", "request_id", "run_id"];
        lines += T::TABLE;
        for (column, value) in T::COLUMNS.iter().zip(row.values()) {
            let shown = format!("{value:?}");
            let is_stamp =
                column.ends_with("_id") && !ids_of_others.contains(column) || *column == "stamp_at";
            if !is_stamp && !matches!(&*shown, "None" | "false" | "[]" | "[None, None]" | "\"\"") {
                let inside = shown.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')'));
                lines += &format!(" {column}={}", inside.unwrap_or(&shown));
            }
        }
        lines += "\n";
    }
    lines
}

/// Takes out the rows that are gone and puts in those that are new, in the order of keys.
fn write<T: Keyed + TableRow>(table: &mut Vec<T>, gone: Vec<T>, new: Vec<T>) {
    table.retain(|row| !gone.iter().any(|gone| gone.key() == row.key()));
    table.extend(new);
    table.sort_by(|a, b| a.key().cmp(&b.key()));
    let unique = table.windows(2).all(|rows| rows[0].key() != rows[1].key());
    assert!(unique, "{} has two rows of one key", T::TABLE);
}

/// `0-10`, with nothing where one of them is not known.
fn span(start: Option<Timestamp>, end: Option<Timestamp>) -> String {
    let shown = |at: Option<Timestamp>| {
        at.map(|at| at.duration_since(second(0)).as_secs().to_string()).unwrap_or_default()
    };
    format!("{}-{}", shown(start), shown(end))
}
