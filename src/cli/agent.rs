//! `stackledger agent`

use std::time::Duration;

use anyhow::Result;

use super::client::check_url;
use super::environment::Environment;
use crate::agent::{self, CAPACITY_MIN, Route, Selection};
use crate::config::STACKLEDGER_TOKEN;
use crate::lifecycle;
use crate::secret::Secret;

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The name of this node in its events; no other node may have it
    #[arg(long, value_name = "NAME", value_parser = parse_host)]
    host: String,
    /// Seconds between samples, which are taken on whole intervals of the clock
    #[arg(long, value_name = "SECONDS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    interval: u32,
    /// Post to the server at this URL instead of publishing to the first broker of AMQP_URL
    #[arg(long)]
    url: Option<String>,
    /// Bearer token that the server at --url requires
    #[arg(long, env = STACKLEDGER_TOKEN.name, hide_env_values = STACKLEDGER_TOKEN.is_secret)]
    token: Option<String>,
    /// Events kept while the broker or server is away; beyond them the oldest are dropped
    #[arg(long, value_name = "EVENTS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(CAPACITY_MIN as i64..=1_000_000))]
    buffer: u32,
    /// Sample only the disks mounted here, separated by commas [default: all local disks]
    #[arg(long, value_name = "MOUNTS", value_delimiter = ',')]
    disk: Vec<String>,
    /// Sample only these network interfaces, separated by commas [default: all except lo and veth*]
    #[arg(long, value_name = "INTERFACES", value_delimiter = ',')]
    net: Vec<String>,
}

/// Longest accepted name, in bytes: the log does not shorten names up to this length.
const HOST_BYTES_MAX: usize = 255;

fn parse_host(given: &str) -> Result<String, String> {
    let is_name = !given.trim().is_empty() && !given.contains(char::is_control);
    if is_name && given.len() <= HOST_BYTES_MAX {
        Ok(given.to_owned())
    } else {
        Err(format!("a name of 1 to {HOST_BYTES_MAX} bytes is expected"))
    }
}

pub(super) async fn run(env: &Environment, options: Options) -> Result<()> {
    let route = match options.url.as_deref().filter(|url| !url.is_empty()) {
        Some(url) => Route::Http {
            url: check_url("--url", url)?,
            token: options.token.filter(|token| !token.is_empty()).map(Secret::new),
        },
        None => Route::Amqp { cluster: env.config.amqp_urls[0].clone() },
    };
    let stop = lifecycle::stop_on_signal()?;
    lifecycle::ignore_hangup()?;
    let options = agent::Options {
        host: options.host,
        interval: Duration::from_secs(options.interval.into()),
        selection: Selection { disks: options.disk, interfaces: options.net },
        capacity: options.buffer as usize,
        route,
    };
    let summary = agent::run(options, &stop).await?;
    tracing::info!("{} events delivered, {} dropped", summary.delivered, summary.dropped);
    if let Some((first, last)) = summary.left_span {
        tracing::warn!(
            "{} events could not be delivered and are lost, from {first} to {last}",
            summary.left
        );
    }
    Ok(())
}
