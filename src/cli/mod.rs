//! The command line: commands with their options and what they do with them, each in a file of its
//! own but for those that are much alike.

mod agent;
mod client;
mod dead_letters;
mod demo;
mod export;
mod help;
mod import;
mod migrate;
mod output;
mod replay;
mod retain;
mod roles;
mod sales;
mod simulate;
mod status;
mod tenants;
mod usage;
mod verify;
mod when;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError};
use crate::db::Database;
use crate::{lifecycle, telemetry};

/// An immutable log of what a cloud reports through RabbitMQ, in PostgreSQL; every answer is a
/// projection of it.
#[derive(Debug, Parser)]
#[command(name = "stackledger", version, after_help = help::after_help(), max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything in one process: migrate, consume, project, serve. The main job
    Up,
    /// Bring the database's schema to this version
    Migrate,
    /// Take messages from the brokers into the log, as one of any number of consumers
    Consume,
    /// Keep the read models up to date, or stand by for who does
    Project,
    /// Answer HTTP
    Serve,
    /// Rebuild read models from the log, live tables serving meanwhile
    Replay(replay::Options),
    /// Check the log's hash chain from the first to the last event
    Verify(verify::Options),
    /// Play a realistic cloud to a broker, and print what it should come to
    Simulate(simulate::Options),
    /// Sample this node and publish what it says, by AMQP or by HTTP
    Agent(agent::Options),
    /// Load messages from files, one JSON body a line; twice changes nothing
    Import(import::Options),
    /// Keep a table of samples in another SQL database up to date, or write them as CSV
    Export(export::Options),
    /// List, show, redrive or discard what could not be decoded
    DeadLetters(dead_letters::Options),
    /// Drop what is older than the configuration keeps, as processes that project do every hour
    Retain(retain::Options),
    /// Show the log's head and horizons, queues, projections, exports and dead letters
    Status(status::Options),
    /// Ask a server to issue sales orders, each from the end of the tenant's last one on
    SalesOrder(sales::OrderOptions),
    /// Ask what sales orders would come to; nothing is stored
    SalesDraft(sales::DraftOptions),
    /// Show the sales orders that a day was billed by, as they were issued
    SalesHistoric(sales::HistoricOptions),
    /// Show all sales orders for a range of days, as they were issued
    SalesRange(sales::RangeOptions),
    /// Show what tenants used
    Usage(usage::UsageOptions),
    /// Make sure that usage covers all that the log holds, and say up to when it does
    CollectUsage(usage::CollectOptions),
    /// Show up to when usage is known
    LastCollected(usage::LastCollectedOptions),
    /// Show answers about a simulated cloud, and check them against what was published
    #[command(hide = true)]
    Demo(demo::Options),
}

/// What every command starts from.
pub(crate) struct Env {
    pub config: Arc<Config>,
}

impl Env {
    pub fn database(&self) -> anyhow::Result<Database> {
        Ok(Database::new(self.config.database_url.as_ref())?)
    }

    /// A database whose schema is this program's.
    pub async fn checked_database(&self) -> anyhow::Result<Database> {
        let database = self.database()?;
        let client =
            database.connect(None).await.map_err(|error| unreachable(&database, &error))?;
        database.check_schema(&client).await?;
        Ok(database)
    }
}

fn unreachable(database: &Database, error: &tokio_postgres::Error) -> anyhow::Error {
    anyhow::anyhow!(
        "no PostgreSQL answers at {database} ({}): run scripts/up, or set DATABASE_URL",
        crate::db::explain(error)
    )
}

/// The question was answered, and the answer is no: exit code 1 without a further line.
#[derive(Debug, thiserror::Error)]
#[error("")]
struct No;

/// Runs the command line; returns the process's exit code.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let code = match runtime.block_on(run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    };
    // Whoever does not listen to the stop by now is not waited for.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    code
}

async fn run(command: Command) -> anyhow::Result<()> {
    let config = Config::from_env()?;
    telemetry::init(&config.log, config.log_format)?;
    let env = Env { config: Arc::new(config) };
    match command {
        Command::Up => roles::run(&env, roles::Roles::ALL).await,
        Command::Consume => roles::run(&env, roles::Roles::CONSUME).await,
        Command::Project => roles::run(&env, roles::Roles::PROJECT).await,
        Command::Serve => roles::run(&env, roles::Roles::SERVE).await,
        Command::Migrate => migrate::run(&env).await,
        Command::Replay(options) => replay::run(&env, options).await,
        Command::Verify(options) => verify::run(&env, options).await,
        Command::Simulate(options) => simulate::run(&env, options, lifecycle::now()).await,
        Command::Agent(options) => agent::run(&env, options).await,
        Command::Import(options) => import::run(&env, options).await,
        Command::Export(options) => export::run(&env, options).await,
        Command::DeadLetters(options) => dead_letters::run(&env, options).await,
        Command::Retain(options) => retain::run(&env, options, lifecycle::now()).await,
        Command::Status(options) => status::run(&env, options).await,
        Command::SalesOrder(options) => sales::order(&env, options).await,
        Command::SalesDraft(options) => sales::draft(&env, options).await,
        Command::SalesHistoric(options) => sales::historic(&env, options).await,
        Command::SalesRange(options) => sales::range(&env, options).await,
        Command::Usage(options) => usage::usage(&env, options).await,
        Command::CollectUsage(options) => usage::collect(&env, options).await,
        Command::LastCollected(options) => usage::last_collected(&env, options).await,
        Command::Demo(options) => demo::run(&env, options).await,
    }
}

/// One line on stderr, with the cause chain.
fn fail(error: &anyhow::Error) -> ExitCode {
    if error.is::<No>() {
        return ExitCode::from(1);
    }
    let line = format!("{error:#}").replace('\n', " ");
    eprintln!("stackledger: {}", output::printable(&line));
    let is_usage = error.chain().any(|cause| cause.is::<ConfigError>());
    ExitCode::from(if is_usage { 2 } else { 1 })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
