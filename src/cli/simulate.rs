//! `stackledger simulate`

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use jiff::Timestamp;

use super::environment::Environment;
use crate::broker;
use crate::config::METERING_SECRET;
use crate::simulate::{
    self, DeploymentOptions, MeteringOptions, MonitoringOptions, Route, plan, plan_from,
};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Number of instances that are built
    #[arg(long, default_value_t = 100)]
    instances: u32,
    /// Number of Ceilometer samples, taken of resources that exist all the time
    #[arg(long, default_value_t = 0)]
    samples: u32,
    /// Maximum number of samples in one message
    #[arg(long, value_name = "SAMPLES", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    samples_per_message: u32,
    /// How samples are published: polling, notifier or rpc; every sample is published by each route
    /// that is listed
    #[arg(long, value_delimiter = ',', default_value = "polling")]
    routes: Vec<Route>,
    /// Number of metered resources [default: as many as an interval of 5 minutes needs]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    resources: Option<u32>,
    /// Key that samples are signed with; without it they have no signature
    #[arg(
        long,
        value_name = "SECRET",
        env = METERING_SECRET.name,
        hide_env_values = METERING_SECRET.is_secret,
        default_value = "",
        hide_default_value = true
    )]
    metering_secret: String,
    /// Number of hosts that send samples: ten metrics in one event, as `agent` does
    #[arg(long, default_value_t = 0)]
    hosts: u32,
    /// Seconds between the events of a host
    #[arg(long, value_name = "SECONDS", default_value_t = MonitoringOptions::default().interval_s, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    perf_interval: u32,
    /// Number of deployments, each of several instances
    #[arg(long, default_value_t = 0)]
    deployments: u32,
    /// Number of instances per deployment
    #[arg(long, value_name = "N", default_value_t = DeploymentOptions::default().instances, value_parser = clap::value_parser!(u32).range(1..=1000))]
    deployment_instances: u32,
    /// Number of services per instance of a deployment
    #[arg(long, value_name = "N", default_value_t = DeploymentOptions::default().services, value_parser = clap::value_parser!(u32).range(1..=1000))]
    services: u32,
    /// Number of projects that own all of these [default: half the number of instances or resources,
    /// 2 to 50]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    projects: Option<u32>,
    /// Simulated time over which builds begin and samples are taken, in seconds; it lies in the past,
    /// unless --real-time is given
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    duration: u32,
    /// Messages per second; 0: as fast as possible
    #[arg(long, default_value_t = 0)]
    rate: u32,
    /// Begin now, and publish each message when its time comes
    #[arg(long, conflicts_with_all = ["rate", "end", "output"])]
    real_time: bool,
    /// Seed of the random numbers; the same seed and end give the same messages
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Percentage of messages that are published twice
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    duplicates: u8,
    /// Percentage of messages that are published out of order
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    shuffle: u8,
    /// Time before which everything happens (RFC 3339) [default: now]
    #[arg(long, value_name = "TIME")]
    end: Option<Timestamp>,
    /// Write the bodies to this file, one per line as `import` reads them, and publish nothing
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Publish even to a broker that looks like a real cloud's
    #[arg(long)]
    force: bool,
}

pub(super) async fn run(env: &Environment, options: Options, now: Timestamp) -> Result<()> {
    let settings = simulate::Options {
        instances: options.instances,
        metering: MeteringOptions {
            samples: options.samples,
            samples_per_message: options.samples_per_message,
            routes: options.routes.into_iter().collect(),
            resources: options.resources,
            secret: options.metering_secret,
        },
        monitoring: MonitoringOptions { hosts: options.hosts, interval_s: options.perf_interval },
        deploying: DeploymentOptions {
            deployments: options.deployments,
            instances: options.deployment_instances,
            services: options.services,
        },
        projects: options.projects,
        duration: Duration::from_secs(options.duration.into()),
        rate: options.rate,
        seed: options.seed,
        duplicates_percent: options.duplicates,
        shuffle_percent: options.shuffle,
        end: options.end.unwrap_or(now),
    };
    let plan = match options.real_time {
        true => plan_from(&settings, now),
        false => plan(&settings),
    };
    match &options.output {
        Some(path) => {
            let file = std::fs::File::create(path)
                .with_context(|| format!("writing {}", path.display()))?;
            let mut file = std::io::BufWriter::new(file);
            plan.write_to(&mut file)?;
            file.flush().with_context(|| format!("writing {}", path.display()))?;
        }
        None => {
            // The first of several brokers: a simulated cloud is one cell.
            let cluster = &env.config.amqp_urls[0];
            let (node, connection) = broker::connect_any(cluster, 0, "stackledger simulate")
                .await
                .with_context(|| format!("no broker answers at {cluster}"))?;
            broker::disconnect(&connection).await;
            let url = &cluster.nodes()[node];
            let (broker, force) = (url.expose(), options.force);
            let published = match options.real_time {
                true => simulate::publish_in_real_time(broker, &plan, force, now).await?,
                false => simulate::publish(broker, &plan, force).await?,
            };
            tracing::info!(
                "published {} messages ({} bytes) to {url} in {:.1} s",
                published.messages,
                published.bytes,
                published.elapsed_s
            );
        }
    }
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, plan.truth())?;
    writeln!(out)?;
    Ok(())
}
