//! `stackledger config`

use anyhow::Result;

use super::output::say;
use crate::config::{self, Config, DEFAULTS};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Read the variables and the file as every command does, and say what is wrong
    Check,
    /// Print the variables and the file that apply, without passwords
    Show,
    /// Print the defaults as a file
    Defaults,
}

/// Runs the command on a configuration that could be read: what is wrong was reported before.
pub(super) fn run(config: &Config, options: &Options) -> Result<()> {
    match options.command {
        Command::Check => {
            let sources = &config.file.sources;
            let queues: usize = sources.iter().map(|source| source.queues.len()).sum();
            say!(
                "the configuration can be used: {} brokers, {} exchanges, {queues} queues",
                config.amqp_urls.len(),
                sources.len()
            );
        }
        Command::Show => say!("{}", config::show(std::env::vars().collect())?.trim_end()),
        Command::Defaults => say!("{}", DEFAULTS.trim_end()),
    }
    Ok(())
}
