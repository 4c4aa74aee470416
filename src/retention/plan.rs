//! The plan: the steps that are due, as a function of time, configuration and state.

use jiff::civil::Date;
use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan};

use crate::config::{Retention, RetentionPeriod};
use crate::event::Family;

/// The family of events whose retention can be configured.
pub const FAMILY: Family = Family::Perf;

/// The read model that is computed from its events.
pub(super) const READ_MODEL: &str = "rollup";

/// The data that could be dropped, and the horizon.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionState {
    /// The day at whose beginning the horizon lies; `None` if there is none yet.
    pub horizon: Option<Date>,
    /// The days that have a leaf in the log.
    pub leaves: Vec<Date>,
    /// The days that have a partition of rollups by minute.
    pub minutes: Vec<Date>,
    /// The first days of the months that have a partition of rollups by hour.
    pub hours: Vec<Date>,
    /// The day of the earliest rollup by day; `None` if these are kept for ever or there are none.
    pub first_day: Option<Date>,
}

/// A step of a plan, taken in a transaction of its own.
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
        /// The first day (UTC) of the month.
        month: Date,
    },
    /// Delete rollups by day.
    DeleteDays {
        /// The first day (UTC) that is kept.
        before: Date,
    },
}

impl Step {
    /// The action, as a verb.
    pub fn name(&self) -> &'static str {
        match self {
            Step::MoveHorizon { .. } => "move",
            Step::DropLeaf { .. } | Step::DropMinutes { .. } | Step::DropHours { .. } => "drop",
            Step::DeleteDays { .. } => "delete",
        }
    }

    /// The day before which all data of the step lies; `None` if the step removes nothing.
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
    /// Writes the object of the step.
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

/// Returns the steps that are due, in the order in which they must be taken. The horizon moves only if there
/// is a leaf for it to pass.
pub fn plan(now: Timestamp, retention: &Retention, state: &RetentionState) -> Vec<Step> {
    let kept = &retention.perf;
    let mut steps = Vec::new();
    let mut horizon = state.horizon;
    if let Some(to) = first_kept_day(now, kept.raw)
        && Some(to) > horizon
        && state.leaves.iter().any(|day| *day < to)
    {
        steps.push(Step::MoveHorizon { to });
        horizon = Some(to);
    }
    // Data that is not before the horizon can still change.
    let Some(horizon) = horizon else { return steps };
    let before = |keep: RetentionPeriod| first_kept_day(now, keep).map(|day| day.min(horizon));
    let is_past = |step: &Step, before: Option<Date>| before >= step.end() && before.is_some();
    let steps_of = |days: &[Date], make: fn(Date) -> Step, before: Option<Date>| {
        let mut days = days.to_vec();
        days.sort_unstable();
        let steps = days.into_iter().map(make).filter(|step| is_past(step, before));
        steps.collect::<Vec<_>>()
    };
    steps.extend(steps_of(&state.leaves, |day| Step::DropLeaf { day }, Some(horizon)));
    steps.extend(steps_of(&state.minutes, |day| Step::DropMinutes { day }, before(kept.minutes)));
    steps.extend(steps_of(&state.hours, |month| Step::DropHours { month }, before(kept.hours)));
    if let (Some(before), Some(first)) = (before(kept.days), state.first_day)
        && first < before
    {
        steps.push(Step::DeleteDays { before });
    }
    steps
}

/// Returns the first day (UTC) that is still kept; `None` if all days are.
fn first_kept_day(now: Timestamp, keep: RetentionPeriod) -> Option<Date> {
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

    fn plan_text(retention: &Retention, state: &RetentionState) -> Vec<String> {
        let now = "2026-11-20T11:30:00Z".parse().unwrap();
        plan(now, retention, state).iter().map(ToString::to_string).collect()
    }

    fn november(days: &[i8]) -> Vec<Date> {
        days.iter().map(|day| date(2026, 11, *day)).collect()
    }

    #[test]
    fn raw_samples_go_after_two_whole_days_the_horizon_first() {
        let mut state =
            RetentionState { leaves: november(&[18, 20, 16, 17, 19]), ..RetentionState::default() };
        let steps =
            ["horizon of perf to 2026-11-18", "log.event_perf_20261116", "log.event_perf_20261117"];
        assert_eq!(plan_text(&Retention::default(), &state), steps);
        // A run was interrupted after the first step, or after the second.
        state.horizon = Some(date(2026, 11, 18));
        assert_eq!(plan_text(&Retention::default(), &state), steps[1..]);
        state.leaves = november(&[17, 18, 19]);
        assert_eq!(plan_text(&Retention::default(), &state), steps[2..]);
        state.leaves = november(&[18, 19]);
        assert!(plan_text(&Retention::default(), &state).is_empty());
    }

    #[test]
    fn without_samples_no_horizon_moves() {
        assert!(plan_text(&Retention::default(), &RetentionState::default()).is_empty());
        let young = RetentionState { leaves: november(&[18, 19]), ..RetentionState::default() };
        assert!(plan_text(&Retention::default(), &young).is_empty());
    }

    #[test]
    fn rollups_are_dropped_by_whole_partitions() {
        let state = RetentionState {
            horizon: Some(date(2026, 11, 18)),
            leaves: Vec::new(),
            minutes: vec![date(2026, 10, 21), date(2026, 10, 20), date(2026, 11, 19)],
            hours: vec![date(2024, 10, 1), date(2024, 11, 1), date(2024, 12, 1)],
            first_day: Some(date(2000, 1, 1)),
        };
        assert_eq!(
            plan_text(&Retention::default(), &state),
            ["rollup.minute_20261020", "rollup.hour_202410"]
        );
        let perf = PerfRetention {
            minutes: RetentionPeriod::Forever,
            hours: RetentionPeriod::Forever,
            days: RetentionPeriod::Days(900),
            ..PerfRetention::default()
        };
        assert_eq!(plan_text(&Retention { perf }, &state), ["rollup.day before 2024-06-03"]);
    }

    /// Rows that a late sample may still change are not frozen, and are kept.
    #[test]
    fn only_data_before_the_horizon_is_dropped() {
        let mut state = RetentionState {
            horizon: None,
            minutes: vec![date(2026, 1, 1)],
            hours: vec![date(2020, 1, 1)],
            ..RetentionState::default()
        };
        assert!(plan_text(&Retention::default(), &state).is_empty());
        state.horizon = Some(date(2020, 1, 31));
        assert!(plan_text(&Retention::default(), &state).is_empty());
        state.horizon = Some(date(2020, 2, 1));
        assert_eq!(plan_text(&Retention::default(), &state), ["rollup.hour_202001"]);
    }

    /// A longer retention of raw samples does not bring back dropped days, and their leaves still go.
    #[test]
    fn a_horizon_stays_when_more_is_kept() {
        let perf = PerfRetention { raw: RetentionPeriod::Days(10), ..PerfRetention::default() };
        let state = RetentionState {
            horizon: Some(date(2026, 11, 18)),
            leaves: november(&[8, 17, 18]),
            ..RetentionState::default()
        };
        assert_eq!(
            plan_text(&Retention { perf }, &state),
            ["log.event_perf_20261108", "log.event_perf_20261117"]
        );
    }
}
