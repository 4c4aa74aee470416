//! `stackledger status`

mod queue_depth;
mod report;

use anyhow::Result;

use self::queue_depth::QueueDepth;
use self::report::{DatabaseReport, Report, SizeReport};
use super::environment::Environment;
use super::output::{AnswerIsNo, print_table, say};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// End with exit code 1 if anything is wrong
    #[arg(long)]
    check: bool,
    /// Show the size of each table, too: of each day, where it has days
    #[arg(long)]
    tables: bool,
}

pub(super) async fn run(env: &Environment, options: Options) -> Result<()> {
    // A wrong URL is refused at once, as by every command.
    env.database()?;
    let report = Report::read(env, options.tables).await;
    let faults = report.faults();
    if options.json {
        say!("{:#}", report.to_json());
    } else {
        if let Ok(database) = &report.database {
            print_database(database);
        }
        print_table(
            &["queue", "messages", "consumers", "bindings", "broker"],
            &report.queues.iter().map(QueueDepth::to_row).collect::<Vec<_>>(),
        );
        for fault in &faults {
            say!("fault: {fault}");
        }
    }
    // Without the database, most of what was asked for is missing.
    match report.database {
        Err(error) => Err(error),
        Ok(_) if options.check && !faults.is_empty() => Err(AnswerIsNo.into()),
        Ok(_) => Ok(()),
    }
}

fn print_database(database: &DatabaseReport) {
    say!("log head {}:{}", database.position, database.hash);
    say!("dead letters {}", database.dead_letters);
    let horizons = database.horizons;
    for (family, horizon) in [("perf", horizons.perf), ("meter", horizons.meter)] {
        if let Some(horizon) = horizon {
            say!("horizon of {family} {horizon}");
        }
    }
    print_table(
        &[
            "projection",
            "state",
            "checkpoint",
            "lag_events",
            "lag_s",
            "skipped",
            "process",
            "error",
        ],
        &database
            .projections
            .iter()
            .map(|p| {
                vec![
                    p.name.clone(),
                    p.state.to_owned(),
                    p.checkpoint.to_string(),
                    p.lag_events.to_string(),
                    format!("{:.1}", p.lag_s),
                    p.skipped.to_string(),
                    p.process.clone().unwrap_or_else(|| "-".to_owned()),
                    p.error.clone().unwrap_or_default(),
                ]
            })
            .collect::<Vec<_>>(),
    );
    if !database.exports.is_empty() {
        print_table(
            &["export", "table", "position", "lag_events", "moved_at", "error"],
            &database
                .exports
                .iter()
                .map(|e| {
                    vec![
                        e.target.clone(),
                        e.table.clone(),
                        e.position.to_string(),
                        e.lag_events.to_string(),
                        e.moved_at.map_or_else(|| "-".to_owned(), |at| at.to_string()),
                        e.error.clone().unwrap_or_default(),
                    ]
                })
                .collect::<Vec<_>>(),
        );
    }
    print_table(
        &["family", "last_event"],
        &database
            .last_times
            .iter()
            .map(|(family, at)| vec![family.to_string(), at.to_string()])
            .collect::<Vec<_>>(),
    );
    print_sizes(&database.size);
}

fn print_sizes(size: &SizeReport) {
    let growth = |name: &String| {
        size.growth.get(name).map_or_else(|| "-".to_owned(), |bytes| format!("{bytes:.0}"))
    };
    let sizes = size.sizes.by_name();
    print_table(
        &["size of", "bytes", "bytes_per_day"],
        &sizes
            .iter()
            .map(|(of, bytes)| vec![of.clone(), bytes.to_string(), growth(of)])
            .collect::<Vec<_>>(),
    );
    if let Some(days) = size.days_until_full {
        say!("days until DATABASE_CAPACITY is full {days:.1}");
    }
    if let Some(tables) = &size.tables {
        print_table(
            &["table", "bytes"],
            &tables
                .iter()
                .map(|(table, bytes)| vec![table.clone(), bytes.to_string()])
                .collect::<Vec<_>>(),
        );
    }
}
