//! The command line: each command with its options, in a file of its own. Commands that ask a running
//! server are in `client`.

mod agent;
mod client;
mod config;
mod dead_letters;
mod demo;
mod environment;
mod export;
mod help;
mod import;
mod manual;
mod migrate;
mod output;
mod replay;
mod retain;
mod roles;
mod simulate;
mod skip;
mod status;
mod verify;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};

use self::client::{collection, sales, usage};
use self::environment::Environment;
use self::output::AnswerIsNo;
use crate::config::{Config, ConfigError};
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
    /// Do everything in one process: migrate, consume, project and serve. The usual choice
    Up,
    /// Bring the database's schema to the version of this program
    Migrate,
    /// Append messages from the brokers to the log; any number of consumers may run
    Consume,
    /// Keep the read models up to date, or stand by while another process does
    Project,
    /// Serve the HTTP API
    Serve,
    /// Rebuild read models from the log while the live tables go on serving
    Replay(replay::Options),
    /// Make a read model go without an event that it has not applied, until a replay tries it again
    Skip(skip::Options),
    /// Check the log's hash chain from the first to the last event
    Verify(verify::Options),
    /// Play a realistic cloud to a broker, and print the expected answers
    Simulate(simulate::Options),
    /// Sample this node, and publish the samples by AMQP or by HTTP
    Agent(agent::Options),
    /// Append messages from files, one JSON body per line; importing a file twice changes nothing
    Import(import::Options),
    /// Keep a table of samples in another SQL database up to date, or write samples as CSV
    Export(export::Options),
    /// List, show, redrive or discard messages that could not be decoded
    DeadLetters(dead_letters::Options),
    /// Drop data older than its retention now; processes that project do so every hour
    Retain(retain::Options),
    /// Show the log's head and horizons, queues, projections, exports and dead letters
    Status(status::Options),
    /// Check the configuration, or show what applies
    Config(config::Options),
    /// Write manual pages into a folder
    Man(manual::ManOptions),
    /// Print the completions of a shell, for its configuration
    Completions(manual::CompletionsOptions),
    /// Issue sales orders, each from the end of the tenant's last one
    SalesOrder(sales::OrderOptions),
    /// Compute what sales orders would contain, without storing anything
    SalesDraft(sales::DraftOptions),
    /// Show the sales orders that cover a day, as they were issued
    SalesHistoric(sales::HistoricOptions),
    /// Show all sales orders of a range of days, as they were issued
    SalesRange(sales::RangeOptions),
    /// Show the usage of tenants
    Usage(usage::UsageOptions),
    /// Wait until usage covers everything in the log, and show the time up to which it is complete
    CollectUsage(collection::CollectOptions),
    /// Show the time up to which usage is complete
    LastCollected(collection::LastCollectedOptions),
    /// Show the answers about a simulated cloud, and compare them with what was published
    #[command(hide = true)]
    Demo(demo::Options),
}

/// How long tasks that ignore the stop may go on after the command has ended.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Runs the command line, and returns the exit code of the process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&error.into()),
    };
    let code = match runtime.block_on(run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    };
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    code
}

async fn run(command: Command) -> anyhow::Result<()> {
    // These say how to use the program, and so work without a configuration.
    match command {
        Command::Man(options) => return manual::write_man_pages(&options),
        Command::Completions(options) => return manual::print_completions(&options),
        _ => {}
    }
    let config = Config::from_env()?;
    let _lines = telemetry::init(&config.log, config.log_format)?;
    let env = Environment { config: Arc::new(config) };
    match command {
        Command::Up => roles::run(&env, roles::Roles::ALL).await,
        Command::Consume => roles::run(&env, roles::Roles::CONSUME).await,
        Command::Project => roles::run(&env, roles::Roles::PROJECT).await,
        Command::Serve => roles::run(&env, roles::Roles::SERVE).await,
        Command::Migrate => migrate::run(&env).await,
        Command::Replay(options) => replay::run(&env, options).await,
        Command::Skip(options) => skip::run(&env, options).await,
        Command::Verify(options) => verify::run(&env, options).await,
        Command::Simulate(options) => simulate::run(&env, options, lifecycle::now()).await,
        Command::Agent(options) => agent::run(&env, options).await,
        Command::Import(options) => import::run(&env, options).await,
        Command::Export(options) => export::run(&env, options).await,
        Command::DeadLetters(options) => dead_letters::run(&env, options).await,
        Command::Retain(options) => retain::run(&env, options, lifecycle::now()).await,
        Command::Status(options) => status::run(&env, options).await,
        Command::SalesOrder(options) => sales::issue_orders(&env, options).await,
        Command::SalesDraft(options) => sales::compute_drafts(&env, options).await,
        Command::SalesHistoric(options) => sales::show_orders_of_day(&env, options).await,
        Command::SalesRange(options) => sales::show_orders_of_range(&env, options).await,
        Command::Usage(options) => usage::run(&env, options).await,
        Command::CollectUsage(options) => collection::collect(&env, options).await,
        Command::LastCollected(options) => collection::show_last(&env, options).await,
        Command::Config(options) => config::run(&env.config, &options),
        Command::Demo(options) => demo::run(&env, options).await,
        Command::Man(_) | Command::Completions(_) => Ok(()),
    }
}

/// Prints the error and its causes as one line on stderr, and returns the exit code.
fn report(error: &anyhow::Error) -> ExitCode {
    if error.is::<AnswerIsNo>() {
        return ExitCode::from(1);
    }
    let line = format!("{error:#}").replace('\n', " ");
    output::note!("stackledger: {}", output::printable(&line));
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
