//! What a simulated cloud is made from.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{deployments::Deploying, hosts::Monitoring, meters::Metering};

/// What a simulated cloud is made from; the same options give the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// How many instances are built.
    pub instances: u32,
    /// What is metered besides.
    pub metering: Metering,
    /// Which hosts say how they are.
    pub monitoring: Monitoring,
    /// What is deployed.
    pub deploying: Deploying,
    /// How many projects there are. Where not given, as suits the number of things.
    pub projects: Option<u32>,
    /// The simulated time over which the builds begin, what follows them may take longer; and over
    /// which samples are taken.
    pub duration: Duration,
    /// Messages per second; 0 is as fast as possible.
    pub rate: u32,
    /// Names the cloud.
    pub seed: u64,
    /// How many in a hundred messages are published a second time, later.
    pub duplicates_percent: u8,
    /// How many in a hundred messages leave their place, by at most
    /// [`SHUFFLE_MAX`](super::SHUFFLE_MAX) places.
    pub shuffle_percent: u8,
    /// Everything happens before this instant.
    pub end: Timestamp,
}

impl Options {
    /// An hour before `end` in which nothing happens: to be filled.
    pub fn until(end: Timestamp) -> Options {
        Options {
            instances: 0,
            metering: Metering::default(),
            monitoring: Monitoring::default(),
            deploying: Deploying::default(),
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
