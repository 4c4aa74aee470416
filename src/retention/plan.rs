//! What is due: a function of the time, the configuration and what stands.

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};

use crate::config::{Retention, RetentionPeriod};
use crate::event::Family;

/// The family whose retention can be configured.
pub const FAMILY: Family = Family::Perf;

/// The read model that holds what its events came to.
pub(super) const READ_MODEL: &str = "rollup";

/// What stands that could go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The day the horizon is the beginning of; `None`: there is none yet.
    pub horizon: Option<Date>,
    /// Days that have a leaf in the log.
    pub leaves: Vec<Date>,
    /// Days that have a partition of rollups by minute.
    pub minutes: Vec<Date>,
    /// First days of months that have a partition of rollups by hour.
    pub hours: Vec<Date>,
    /// The earliest rollup by day, if some go at all.
    pub first_day: Option<Date>,
}

/// One thing to do, in a transaction of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Move the horizon of perf to the beginning of this day.
    MoveHorizon {
        /// The day (UTC).
        to: Date,
    },
    /// Drop a day of the log's raw samples.
    DropLeaf {
        /// The day (UTC).
        day: Date,
    },
    /// Drop a day of rollups by minute.
    DropMinutes {
        /// The day (UTC).
        day: Date,
    },
    /// Drop a month of rollups by hour.
    DropHours {
        /// Its first day (UTC).
        month: Date,
    },
    /// Delete rollups by day.
    DeleteDays {
        /// The first day (UTC) that stays.
        before: Date,
    },
}

impl Step {
    /// What is done, in one word or two.
    pub fn name(&self) -> &'static str {
        match self {
            Step::MoveHorizon { .. } => "move",
            Step::DropLeaf { .. } | Step::DropMinutes { .. } | Step::DropHours { .. } => "drop",
            Step::DeleteDays { .. } => "delete",
        }
    }

    /// What it takes away lies before this day; `None`: it takes nothing away.
    pub(super) fn end(&self) -> Option<Date> {
        match self {
            Step::MoveHorizon { .. } => None,
            Step::DropLeaf { day } | Step::DropMinutes { day } => Some(next_day(*day)),
            Step::DropHours { month } => Some(next_month(*month)),
            Step::DeleteDays { before } => Some(*before),
        }
    }
}

impl std::fmt::Display for Step {
    /// What it acts on.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Step::MoveHorizon { to } => write!(f, "horizon of {FAMILY} to {to}"),
            Step::DropLeaf { day } => write!(f, "log.event_{FAMILY}_{}", day.strftime("%Y%m%d")),
            Step::DropMinutes { day } => {
                write!(f, "{READ_MODEL}.minute_{}", day.strftime("%Y%m%d"))
            }
            Step::DropHours { month } => write!(f, "{READ_MODEL}.hour_{}", month.strftime("%Y%m")),
            Step::DeleteDays { before } => write!(f, "{READ_MODEL}.day before {before}"),
        }
    }
}

/// The steps, in the order in which they have to be taken. The horizon moves only where something
/// stands that it is to pass.
pub fn plan(now: Timestamp, retention: &Retention, standing: &Standing) -> Vec<Step> {
    let kept = &retention.perf;
    let mut steps = Vec::new();
    let mut horizon = standing.horizon;
    if let Some(to) = until(now, kept.raw)
        && Some(to) > horizon
        && standing.leaves.iter().any(|day| *day < to)
    {
        steps.push(Step::MoveHorizon { to });
        horizon = Some(to);
    }
    // What is not before the horizon can still change.
    let Some(horizon) = horizon else { return steps };
    let before = |keep: RetentionPeriod| until(now, keep).map(|day| day.min(horizon));
    let is_past = |step: &Step, before: Option<Date>| before >= step.end() && before.is_some();
    let steps_of = |days: &[Date], make: fn(Date) -> Step, before: Option<Date>| {
        let mut days = days.to_vec();
        days.sort_unstable();
        let made = days.into_iter().map(make).filter(|step| is_past(step, before));
        made.collect::<Vec<_>>()
    };
    steps.extend(steps_of(&standing.leaves, |day| Step::DropLeaf { day }, Some(horizon)));
    steps.extend(steps_of(
        &standing.minutes,
        |day| Step::DropMinutes { day },
        before(kept.minutes),
    ));
    steps.extend(steps_of(&standing.hours, |month| Step::DropHours { month }, before(kept.hours)));
    if let (Some(before), Some(first)) = (before(kept.days), standing.first_day)
        && first < before
    {
        steps.push(Step::DeleteDays { before });
    }
    steps
}

/// The first day (UTC) that is still kept; `None`: all of them are.
fn until(now: Timestamp, keep: RetentionPeriod) -> Option<Date> {
    match keep {
        RetentionPeriod::Days(days) => {
            let today = Offset::UTC.to_datetime(now).date();
            today.checked_sub(i64::from(days).days()).ok()
        }
        RetentionPeriod::Forever => None,
    }
}

fn next_day(day: Date) -> Date {
    day.saturating_add(1.day())
}

fn next_month(month: Date) -> Date {
    month.saturating_add(1.month())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::config::PerfRetention;

    fn planned(retention: &Retention, standing: &Standing) -> Vec<String> {
        let now = "2026-11-20T11:30:00Z".parse().unwrap();
        plan(now, retention, standing).iter().map(ToString::to_string).collect()
    }

    fn november(days: &[i8]) -> Vec<Date> {
        days.iter().map(|day| date(2026, 11, *day)).collect()
    }

    #[test]
    fn raw_samples_go_after_two_whole_days_the_horizon_first() {
        let mut standing =
            Standing { leaves: november(&[18, 20, 16, 17, 19]), ..Standing::default() };
        let steps =
            ["horizon of perf to 2026-11-18", "log.event_perf_20261116", "log.event_perf_20261117"];
        assert_eq!(planned(&Retention::default(), &standing), steps);
        // Ended after the first step, and after the second.
        standing.horizon = Some(date(2026, 11, 18));
        assert_eq!(planned(&Retention::default(), &standing), steps[1..]);
        standing.leaves = november(&[17, 18, 19]);
        assert_eq!(planned(&Retention::default(), &standing), steps[2..]);
        standing.leaves = november(&[18, 19]);
        assert!(planned(&Retention::default(), &standing).is_empty());
    }

    #[test]
    fn without_samples_no_horizon_moves() {
        assert!(planned(&Retention::default(), &Standing::default()).is_empty());
        let young = Standing { leaves: november(&[18, 19]), ..Standing::default() };
        assert!(planned(&Retention::default(), &young).is_empty());
    }

    #[test]
    fn rollups_go_by_whole_partitions() {
        let standing = Standing {
            horizon: Some(date(2026, 11, 18)),
            leaves: Vec::new(),
            minutes: vec![date(2026, 10, 21), date(2026, 10, 20), date(2026, 11, 19)],
            hours: vec![date(2024, 10, 1), date(2024, 11, 1), date(2024, 12, 1)],
            first_day: Some(date(2000, 1, 1)),
        };
        assert_eq!(
            planned(&Retention::default(), &standing),
            ["rollup.minute_20261020", "rollup.hour_202410"]
        );
        let perf = PerfRetention {
            minutes: RetentionPeriod::Forever,
            hours: RetentionPeriod::Forever,
            days: RetentionPeriod::Days(900),
            ..PerfRetention::default()
        };
        assert_eq!(planned(&Retention { perf }, &standing), ["rollup.day before 2024-06-03"]);
    }

    /// What a late sample may still change is not frozen, and stays.
    #[test]
    fn nothing_goes_that_does_not_lie_before_the_horizon() {
        let mut standing = Standing {
            horizon: None,
            minutes: vec![date(2026, 1, 1)],
            hours: vec![date(2020, 1, 1)],
            ..Standing::default()
        };
        assert!(planned(&Retention::default(), &standing).is_empty());
        standing.horizon = Some(date(2020, 1, 31));
        assert!(planned(&Retention::default(), &standing).is_empty());
        standing.horizon = Some(date(2020, 2, 1));
        assert_eq!(planned(&Retention::default(), &standing), ["rollup.hour_202001"]);
    }

    /// Whoever keeps raw samples longer from now on does not get back what was let go.
    #[test]
    fn a_horizon_stands_when_more_is_kept() {
        let perf = PerfRetention { raw: RetentionPeriod::Days(10), ..PerfRetention::default() };
        let standing = Standing {
            horizon: Some(date(2026, 11, 18)),
            leaves: november(&[8, 17, 18]),
            ..Standing::default()
        };
        assert_eq!(
            planned(&Retention { perf }, &standing),
            ["log.event_perf_20261108", "log.event_perf_20261117"]
        );
    }
}
