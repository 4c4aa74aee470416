//! `stackledger export`

use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::environment::Environment;
use super::output::say;
use crate::config::ConfigError;
use crate::export::{self, Address, Job, Selection};
use crate::lifecycle;
use crate::secret::ConnectionString;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Export the samples there are now, and end
    #[arg(long, conflicts_with = "follow")]
    once: bool,
    /// Go on with new samples until asked to stop; the default without --once
    #[arg(long)]
    follow: bool,
    /// Seconds between two checks for new samples [default: as configured, 60]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    interval: Option<u64>,
    /// The other database, as postgresql://…, mysql://… or mariadb://… [default: EXPORT_URL, or as
    /// configured]
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Write a table of the other database, or CSV, which requires --once
    #[arg(long, value_enum, default_value = "sql")]
    format: Format,
    /// File that CSV is written to; `-` is stdout
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Empty the table first, and export everything again: after a change of the selection
    #[arg(long, requires = "once")]
    from_start: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Sql,
    Csv,
}

pub(super) async fn run(env: &Environment, options: Options) -> Result<()> {
    match options.format {
        Format::Csv => export_csv(env, options).await,
        Format::Sql => export_sql(env, options).await,
    }
}

async fn export_sql(env: &Environment, options: Options) -> Result<()> {
    if options.output.is_some() {
        return Err(ConfigError::new("--output", "…", "requires --format csv").into());
    }
    let configured = &env.config.file.export;
    let address = choose_address(env, options.to)?;
    let job = Job {
        database: env.checked_database().await?,
        address,
        table: configured.table.clone(),
        batch: configured.batch,
        selection: Selection::new(configured.select.clone()),
    };
    let stop = lifecycle::stop_on_signal()?;
    let place = || format!("{} at {}", job.table, job.address);
    if !options.once {
        let interval = Duration::from_secs(options.interval.unwrap_or(configured.interval_s));
        return export::follow(&job, interval, &stop).await.with_context(place);
    }
    let exported = export::run_once(&job, options.from_start, &stop).await.with_context(place)?;
    say!(
        "{}: {} samples written, {} superseded ones taken out, everything up to position {}",
        place(),
        exported.samples,
        exported.superseded,
        exported.position
    );
    Ok(())
}

/// Returns the address of the other database from the first of option, variable and file that has one.
fn choose_address(env: &Environment, to: Option<String>) -> Result<Address, ConfigError> {
    let sources = [
        ("--to", to.map(ConnectionString::new)),
        ("EXPORT_URL", env.config.export_url.clone()),
        ("export.url", env.config.file.export.url.clone()),
    ];
    match sources.into_iter().find_map(|(name, url)| Some((name, url?))) {
        Some((name, url)) => Address::new(name, &url),
        None => Err(ConfigError::not_set(
            "EXPORT_URL",
            "name the other database by this variable, by --to, or by export.url in the \
             configuration: \
             postgresql://user:password@host:port/database, mysql://… or mariadb://…",
        )),
    }
}

async fn export_csv(env: &Environment, options: Options) -> Result<()> {
    if options.follow || options.to.is_some() || options.interval.is_some() || options.from_start {
        let accepted = "is accepted only with --once and --output";
        return Err(ConfigError::new("--format", "csv", accepted).into());
    }
    let path = options.output.filter(|path| path.as_os_str() != "-");
    let Some(path) = path else {
        let mut out = BufWriter::new(std::io::stdout());
        return match write_csv(env, &mut out).await {
            // Nobody reads stdout any more (`… | head`), which is not a failure.
            Err(error) if is_broken_pipe(&error) => Ok(()),
            result => result,
        };
    };
    // Written under another name first, so that the file is either complete or absent.
    let mut part = path.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    let result = write_file(env, &part, &path).await;
    if result.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    result.with_context(|| format!("{} could not be written", path.display()))
}

async fn write_file(env: &Environment, part: &Path, path: &Path) -> Result<()> {
    let mut out = BufWriter::new(std::fs::File::create(part)?);
    write_csv(env, &mut out).await?;
    out.get_ref().sync_all()?;
    Ok(std::fs::rename(part, path)?)
}

async fn write_csv(env: &Environment, out: &mut impl Write) -> Result<()> {
    let configured = &env.config.file.export;
    let selection = Selection::new(configured.select.clone());
    let database = env.checked_database().await?;
    let stop = lifecycle::stop_on_signal()?;
    let exported = export::write_csv(&database, selection, configured.batch, out, &stop).await?;
    tracing::info!("export: {} samples, as of position {}", exported.samples, exported.position);
    Ok(())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
