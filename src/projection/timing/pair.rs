//! Pairing: which end belongs to which start. Pure, and a function of the set of steps: existing pairs are
//! taken apart and paired again with every step that arrives, however late.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::stamp::Stamp;

/// How far a clock may be set back between a start and its end for the two to count as one operation. A
/// longer step back is more likely two operations, each of which lost its other half.
const STEP_BACK_MAX: SignedDuration = SignedDuration::from_secs(300);

/// The properties of a step that pairing depends on.
pub(super) struct Mark<'a> {
    pub stamp: Stamp,
    /// Sorts steps of the same instant: a start before an end.
    pub rank: u8,
    pub is_start: bool,
    /// Steps are never paired across lanes: two hosts never share an operation.
    pub lane: Option<&'a str>,
    /// Steps of one operation have the same token; a step without a token fits all.
    pub token: Option<&'a str>,
    /// Whether this end may be earlier than its start.
    pub may_precede: bool,
}

/// A start with its end, or one of the two alone.
pub(super) struct Pair<T> {
    pub start: Option<T>,
    pub end: Option<T>,
}

/// The times of a pair, as columns of its row.
pub(super) struct Times {
    /// Stamp of the start, else of the end; part of the row's key.
    pub stamp: Stamp,
    pub started_at: Option<Timestamp>,
    pub start_id: Option<Uuid>,
    pub ended_at: Option<Timestamp>,
    pub end_id: Option<Uuid>,
    pub duration_us: Option<i64>,
    pub skewed: bool,
}

impl<T> Pair<T> {
    /// Returns the times of the pair; `stamp` returns a step's.
    pub fn times(&self, stamp: impl Fn(&T) -> Stamp) -> Times {
        let (start, end) = (self.start.as_ref().map(&stamp), self.end.as_ref().map(&stamp));
        let duration = start.zip(end).map(|(start, end)| measure_duration(start.0, end.0));
        Times {
            stamp: start.or(end).unwrap_or_default(),
            started_at: start.map(|stamp| stamp.0),
            start_id: start.map(|stamp| stamp.1),
            ended_at: end.map(|stamp| stamp.0),
            end_id: end.map(|stamp| stamp.1),
            duration_us: duration.map(|(us, _)| us),
            skewed: duration.is_some_and(|(_, skewed)| skewed),
        }
    }
}

/// Returns the time from start to end in µs, and whether clocks disagree: the duration is then 0 instead of
/// negative.
pub(super) fn measure_duration(start: Timestamp, end: Timestamp) -> (i64, bool) {
    let us = end.as_microsecond() - start.as_microsecond();
    (us.max(0), us < 0)
}

/// Pairs steps, which may contain duplicates and come in any order.
///
/// In order of time, an end takes the latest earlier start that is still free and has the same token, or,
/// if one of the two has no token, the latest free one. So the start of an operation whose end was lost
/// stays open, and does not take the end of the next. Ends that are left over may be due to a clock that
/// was set back: such an end takes the first later start that is still free and has the same token.
pub(super) fn pair<T>(mut steps: Vec<T>, mark: impl Fn(&T) -> Mark<'_>) -> Vec<Pair<T>> {
    let order = |step: &T| {
        let mark = mark(step);
        (mark.stamp.0, mark.rank, mark.stamp.1)
    };
    steps.sort_by_cached_key(order);
    steps.dedup_by_key(|step| mark(step).stamp);
    let marks: Vec<Mark<'_>> = steps.iter().map(&mark).collect();
    let start_of = match_starts(&marks);
    drop(marks);

    let is_start: Vec<bool> = steps.iter().map(|step| mark(step).is_start).collect();
    let mut steps: Vec<Option<T>> = steps.into_iter().map(Some).collect();
    let mut pairs = Vec::with_capacity(steps.len());
    for (end, start) in start_of.iter().enumerate() {
        if !is_start[end] {
            let start = start.and_then(|start| steps[start].take());
            pairs.push(Pair { start, end: steps[end].take() });
        }
    }
    pairs.extend(steps.into_iter().flatten().map(|start| Pair { start: Some(start), end: None }));
    pairs
}

/// Returns for each step that is an end the index of its start.
fn match_starts(marks: &[Mark<'_>]) -> Vec<Option<usize>> {
    let mut start_of = vec![None; marks.len()];
    let mut free = FreeStarts {
        marks,
        lanes: HashMap::new(),
        tokens: HashMap::new(),
        taken: vec![false; marks.len()],
    };
    for (index, mark) in marks.iter().enumerate() {
        if mark.is_start {
            free.add(index);
        } else {
            start_of[index] = free.take(mark);
        }
    }
    let mut late = HashMap::<_, VecDeque<usize>>::new();
    for (index, mark) in marks.iter().enumerate() {
        if mark.is_start && mark.token.is_some() && !free.taken[index] {
            late.entry((mark.lane, mark.token)).or_default().push_back(index);
        }
    }
    for (index, mark) in marks.iter().enumerate() {
        if mark.is_start || start_of[index].is_some() || !mark.may_precede {
            continue;
        }
        // If any of these were before the end, the end would have taken it above.
        let Some(starts) = late.get_mut(&(mark.lane, mark.token)) else { continue };
        let is_near =
            |start: &usize| mark.stamp.0.duration_until(marks[*start].stamp.0) <= STEP_BACK_MAX;
        if starts.front().is_some_and(is_near) {
            start_of[index] = starts.pop_front();
        }
    }
    start_of
}

/// The starts that no end has taken yet. Taken starts are removed from the stacks only when they reach the
/// top, so that every step costs the same however many starts are open.
struct FreeStarts<'a> {
    marks: &'a [Mark<'a>],
    lanes: HashMap<Option<&'a str>, Vec<usize>>,
    tokens: HashMap<(Option<&'a str>, Option<&'a str>), Vec<usize>>,
    taken: Vec<bool>,
}

impl<'a> FreeStarts<'a> {
    fn add(&mut self, index: usize) {
        let mark = &self.marks[index];
        self.lanes.entry(mark.lane).or_default().push(index);
        self.tokens.entry((mark.lane, mark.token)).or_default().push(index);
    }

    /// Takes the start of this end, if a free one fits. Returns its index.
    fn take(&mut self, end: &Mark<'a>) -> Option<usize> {
        let start = match end.token {
            None => latest_free(self.lanes.get_mut(&end.lane), &self.taken),
            token => latest_free(self.tokens.get_mut(&(end.lane, token)), &self.taken)
                .or_else(|| latest_free(self.tokens.get_mut(&(end.lane, None)), &self.taken)),
        }?;
        self.taken[start] = true;
        Some(start)
    }
}

/// Returns the latest start of a stack that is not taken.
fn latest_free(stack: Option<&mut Vec<usize>>, taken: &[bool]) -> Option<usize> {
    let stack = stack?;
    while let Some(&start) = stack.last() {
        if !taken[start] {
            return Some(start);
        }
        stack.pop();
    }
    None
}
