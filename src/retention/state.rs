//! The state that a plan starts from, read from the database.

use anyhow::Result;
use jiff::Timestamp;
use jiff::tz::Offset;
use tokio_postgres::Client;

use super::plan::{FAMILY, RetentionState};
use crate::config::{Retention, RetentionPeriod};
use crate::log;
use crate::projection::rollup::{self, Resolution};

/// Reads the present state.
pub(super) async fn read_state(client: &Client, retention: &Retention) -> Result<RetentionState> {
    let date = |at: Timestamp| Offset::UTC.to_datetime(at).date();
    let first_day = match retention.perf.days {
        RetentionPeriod::Forever => None,
        RetentionPeriod::Days(_) => rollup::read_first_day(client).await?,
    };
    Ok(RetentionState {
        horizon: log::read_horizon(client, FAMILY).await?.map(date),
        leaves: log::list_days(client, FAMILY).await?,
        minutes: rollup::list_partitions(client, Resolution::Minute).await?,
        hours: rollup::list_partitions(client, Resolution::Hour).await?,
        first_day: first_day.map(date),
    })
}
