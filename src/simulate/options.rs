//! The parameters of a simulated cloud.

use std::{collections::BTreeSet, str::FromStr, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The parameters of a simulated cloud. The same options give the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Number of instances that are built.
    pub instances: u32,
    /// Samples of Ceilometer.
    pub metering: MeteringOptions,
    /// Metrics of hosts.
    pub monitoring: MonitoringOptions,
    /// Deployments of several instances.
    pub deploying: DeploymentOptions,
    /// Number of projects. By default it grows with the number of instances and resources.
    pub projects: Option<u32>,
    /// The simulated time within which builds begin and samples are taken. What follows a build may take
    /// longer.
    pub duration: Duration,
    /// Messages per second; 0 is as fast as possible.
    pub rate: u32,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Percentage of the messages that are published a second time, later.
    pub duplicates_percent: u8,
    /// Percentage of the messages that are moved in the order of publishing, by at most
    /// [`SHUFFLE_MAX`](super::SHUFFLE_MAX) messages.
    pub shuffle_percent: u8,
    /// The instant before which everything happens.
    pub end: Timestamp,
}

impl Options {
    /// Returns the options of an hour before `end` in which nothing happens, for callers to fill.
    pub fn until(end: Timestamp) -> Options {
        Options {
            instances: 0,
            metering: MeteringOptions::default(),
            monitoring: MonitoringOptions::default(),
            deploying: DeploymentOptions::default(),
            projects: None,
            duration: Duration::from_secs(3_600),
            rate: 0,
            seed: 1,
            duplicates_percent: 0,
            shuffle_percent: 0,
            end,
        }
    }
}

/// The number of samples, and how they are published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeteringOptions {
    /// Number of distinct samples.
    pub samples: u32,
    /// The largest number of samples in one message; Ceilometer's own default is 50.
    pub samples_per_message: u32,
    /// The routes. Every sample is published by each of them; without a route there are no samples.
    pub routes: BTreeSet<Route>,
    /// Number of metered resources: instances, volumes, images, floating IPs, routers, labels and
    /// containers. By default as many as give that number of samples at an interval of five minutes.
    pub resources: Option<u32>,
    /// The secret that samples are signed with; without one they have no signature. The truth does not
    /// repeat it.
    #[serde(skip)]
    pub secret: String,
}

impl Default for MeteringOptions {
    /// Returns options without samples.
    fn default() -> MeteringOptions {
        MeteringOptions {
            samples: 0,
            samples_per_message: 50,
            routes: BTreeSet::from([Route::Polling]),
            resources: None,
            secret: String::new(),
        }
    }
}

impl MeteringOptions {
    /// Returns the number of distinct samples there will be: none without a route.
    pub(super) fn sample_count(&self) -> u32 {
        if self.routes.is_empty() { 0 } else { self.samples }
    }
}

/// The way of samples to the broker. A cloud with several routes publishes every sample several times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// From the polling agents to the notification agents: `telemetry.polling`.
    Polling,
    /// Forwarded by a `notifier://` publisher: `metering`, with message ids of its own.
    Notifier,
    /// Cast by an `rpc://` publisher to the collector of old releases, with the notifier's message ids.
    Rpc,
}

impl FromStr for Route {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Route, Self::Err> {
        match name {
            "polling" => Ok(Route::Polling),
            "notifier" => Ok(Route::Notifier),
            "rpc" => Ok(Route::Rpc),
            _ => Err("polling, notifier or rpc is expected"),
        }
    }
}

/// The hosts that publish metrics about themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitoringOptions {
    /// Number of hosts.
    pub hosts: u32,
    /// Time from one sample of a host to its next, in seconds.
    pub interval_s: u32,
}

impl Default for MonitoringOptions {
    /// Returns options without hosts. Ten seconds make 360 messages an hour for each host.
    fn default() -> MonitoringOptions {
        MonitoringOptions { hosts: 0, interval_s: 10 }
    }
}

/// The deployments that are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentOptions {
    /// Number of deployments.
    pub deployments: u32,
    /// Number of instances of each deployment, at least one.
    pub instances: u32,
    /// Number of services of each instance, at least one.
    pub services: u32,
}

impl Default for DeploymentOptions {
    /// Returns options without deployments.
    fn default() -> DeploymentOptions {
        DeploymentOptions { deployments: 0, instances: 3, services: 2 }
    }
}
