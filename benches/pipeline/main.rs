//! `scripts/bench`: what comes out, next to its baselines, in one run. Machines differ and are
//! noisy, so every figure is a ratio to a baseline measured beside it; medians of several rounds.
//!
//! `ingest [--messages N] [--bytes B] [--rounds R]` from a RabbitMQ queue to the durable log;
//! `replay [--events N] [--rounds R]` from the log to the read model of timing;
//! `samples [--samples N] [--rounds R]` of Ceilometer, to the log and to their read model;
//! `orders [--resources N] [--rounds R]`: a sales order of a large tenant;
//! `rollups [--values N] [--rounds R]` of hosts, to the log and to their rollups;
//! `reports [--deployments N] [--rounds R]` lists of deployments and their reports, over HTTP;
//! `memory [--messages N]` of the consumer, with large messages.

mod ingest;
mod memory;
mod orders;
mod replay;
mod reports;
mod rollups;
mod samples;
mod table;

use anyhow::{Context, Result, bail};
use stackledger::db::Database;
use stackledger::secret::ConnectionString;
use stackledger::simulate::{Message, Options, Plan, plan};

/// What can be measured.
const CASES: [&str; 7] = ["ingest", "replay", "samples", "orders", "rollups", "reports", "memory"];
/// How much of it, by the name of what is counted.
const COUNTS: [&str; 6] =
    ["--messages", "--events", "--samples", "--resources", "--values", "--deployments"];

/// Of a notification, before it loses its request's context: what is usual in a cloud's log.
const BYTES: usize = 2_200;

struct Arguments {
    what: String,
    count: Option<u32>,
    /// Behind so many a notification loses its request's context.
    bytes: usize,
    rounds: usize,
}

fn arguments() -> Result<Arguments> {
    let mut found = Arguments { what: String::new(), count: None, bytes: BYTES, rounds: 3 };
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        let mut number = || -> Result<u32> {
            given.next().context("a number is missing")?.parse().context("a number is expected")
        };
        match argument.as_str() {
            option if COUNTS.contains(&option) => found.count = Some(number()?),
            "--bytes" => found.bytes = number()? as usize,
            "--rounds" => found.rounds = number()? as usize,
            // cargo bench adds it.
            "--bench" => {}
            case if CASES.contains(&case) => found.what = argument,
            other => bail!(
                "{other:?} is not known: one of {}, and one of {} N, --bytes B, --rounds R",
                CASES.join(", "),
                COUNTS.join(", ")
            ),
        }
    }
    Ok(found)
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = arguments()?;
    let database_url =
        std::env::var("DATABASE_URL").context("DATABASE_URL is not set: use scripts/bench")?;
    let amqp_url = || std::env::var("AMQP_URL").context("AMQP_URL is not set: use scripts/bench");
    let Arguments { count, bytes, rounds, .. } = arguments;
    match arguments.what.as_str() {
        "ingest" => {
            ingest::run(&database_url, &amqp_url()?, count.unwrap_or(200_000), bytes, rounds).await
        }
        "replay" => replay::run(&database_url, count.unwrap_or(500_000), rounds).await,
        "samples" => samples::run(&database_url, count.unwrap_or(500_000), rounds).await,
        "orders" => orders::run(&database_url, count.unwrap_or(10_000), rounds).await,
        "rollups" => rollups::run(&database_url, count.unwrap_or(2_000_000), rounds).await,
        "reports" => reports::run(&database_url, count.unwrap_or(1000), rounds).await,
        "memory" => memory::run(&database_url, &amqp_url()?, count.unwrap_or(20_000)).await,
        // `cargo test --benches` and a bare `cargo bench` only show that it runs.
        _ => {
            println!("{}?", CASES.join(", "));
            Ok(())
        }
    }
}

/// A cloud with at least `count` messages of Nova's, as `simulate` makes them.
fn nova(count: u32) -> Plan {
    plan(&Options {
        instances: count / 15 + 1,
        duration: std::time::Duration::from_secs(24 * 3600),
        seed: 7,
        shuffle_percent: 5,
        ..Options::until("2026-11-01T00:00:00Z".parse().expect("it is a time"))
    })
}

fn is_nova(message: &Message) -> bool {
    message.exchange == "nova"
}

/// An empty database of its own, dropped by the next run.
async fn fresh_database(url: &str, name: &str) -> Result<Database> {
    let admin = Database::new(Some(&ConnectionString::new(url)))?.connect_as_given().await?;
    admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
    admin.batch_execute(&format!("CREATE DATABASE {name}")).await?;
    let database = Database::new(Some(&ConnectionString::new(sibling(url, name)?)))?;
    database.migrate().await?;
    Ok(database)
}

/// The URL of another database of the same server.
fn sibling(url: &str, name: &str) -> Result<String> {
    let (server, _) = url.rsplit_once('/').context("DATABASE_URL should end in /database")?;
    Ok(format!("{server}/{name}"))
}
