//! Every query on the live tables.

mod buckets;
mod hosts;

pub(super) use self::buckets::{BucketRow, read_buckets};
pub use self::buckets::{BucketSums, read_sums};
pub use self::hosts::list_metrics;
pub(super) use self::hosts::{HostRow, list_hosts, list_rejections};
