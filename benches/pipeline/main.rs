//! The benchmark of `scripts/bench`. Machines differ and are noisy, so every rate is also printed as its
//! ratio to a baseline of the same round; figures are medians of several rounds.
//!
//! - `ingest [--messages N] [--bytes B] [--rounds R]`: from a RabbitMQ queue to the durable log;
//! - `replay [--events N] [--rounds R]`: from the log to the read model of timing;
//! - `samples [--samples N] [--rounds R]`: Ceilometer's samples, to the log and to their read model;
//! - `orders [--resources N] [--rounds R]`: a sales order of a large tenant;
//! - `rollups [--values N] [--rounds R]`: metrics of hosts, to the log and to their rollups;
//! - `reports [--deployments N] [--rounds R]`: lists of deployments and their reports, over HTTP;
//! - `memory [--messages N]`: memory of the consumer, with large messages.

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

/// The measurements.
const CASES: [&str; 7] = ["ingest", "replay", "samples", "orders", "rollups", "reports", "memory"];
/// The options for the size of a measurement, by the unit in which it is counted.
const COUNTS: [&str; 6] =
    ["--messages", "--events", "--samples", "--resources", "--values", "--deployments"];

/// The default size of a notification in bytes: usual for a cloud's log.
const BYTES: usize = 2_200;

struct Arguments {
    case: String,
    count: Option<u32>,
    /// The size beyond which a notification loses the rest of its request's context.
    bytes: usize,
    rounds: usize,
}

fn arguments() -> Result<Arguments> {
    let mut found = Arguments { case: String::new(), count: None, bytes: BYTES, rounds: 3 };
    let mut given = std::env::args().skip(1);
    while let Some(argument) = given.next() {
        let mut number = || -> Result<u32> {
            given.next().context("a number is missing")?.parse().context("a number is expected")
        };
        match argument.as_str() {
            option if COUNTS.contains(&option) => found.count = Some(number()?),
            "--bytes" => found.bytes = number()? as usize,
            "--rounds" => found.rounds = number()? as usize,
            // `cargo bench` adds it.
            "--bench" => {}
            case if CASES.contains(&case) => found.case = argument,
            other => bail!(
                "{other:?} is not known; expected is one of {}, and {} N, --bytes B or --rounds R",
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
    match arguments.case.as_str() {
        "ingest" => {
            ingest::run(&database_url, &amqp_url()?, count.unwrap_or(200_000), bytes, rounds).await
        }
        "replay" => replay::run(&database_url, count.unwrap_or(500_000), rounds).await,
        "samples" => samples::run(&database_url, count.unwrap_or(500_000), rounds).await,
        "orders" => orders::run(&database_url, count.unwrap_or(10_000), rounds).await,
        "rollups" => rollups::run(&database_url, count.unwrap_or(2_000_000), rounds).await,
        "reports" => reports::run(&database_url, count.unwrap_or(1000), rounds).await,
        "memory" => memory::run(&database_url, &amqp_url()?, count.unwrap_or(20_000)).await,
        // `cargo test --benches` and `cargo bench` without arguments only check that the program runs.
        _ => {
            println!("{}?", CASES.join(", "));
            Ok(())
        }
    }
}

/// Plans a simulated cloud with at least `count` notifications of Nova.
fn nova(count: u32) -> Plan {
    plan(&Options {
        instances: count / 15 + 1,
        duration: std::time::Duration::from_secs(24 * 3600),
        seed: 7,
        shuffle_percent: 5,
        ..Options::until("2026-11-01T00:00:00Z".parse().expect("the constant is a time"))
    })
}

fn is_nova(message: &Message) -> bool {
    message.exchange == "nova"
}

/// Creates and migrates an empty database. The next run drops it.
async fn fresh_database(url: &str, name: &str) -> Result<Database> {
    let admin = Database::new(Some(&ConnectionString::new(url)))?.connect_as_given().await?;
    admin.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
    admin.batch_execute(&format!("CREATE DATABASE {name}")).await?;
    let database = Database::new(Some(&ConnectionString::new(sibling(url, name)?)))?;
    database.migrate().await?;
    Ok(database)
}

/// Returns the URL of another database of the same server.
fn sibling(url: &str, name: &str) -> Result<String> {
    let (server, _) = url.rsplit_once('/').context("DATABASE_URL should end in /database")?;
    Ok(format!("{server}/{name}"))
}
