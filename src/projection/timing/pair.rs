//! Which end belongs to which start. Pure, and a function of the set of steps: what was paired so
//! far is taken apart and paired anew with every step that arrives, however late.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::rows::Stamp;

/// How far a clock may have been set back between a start and its end for them to be still taken
/// for one operation. More is more likely two operations that each lost their other half.
const STEP_BACK_MAX: SignedDuration = SignedDuration::from_secs(300);

/// What pairing looks at in a step.
pub(super) struct Mark<'a> {
    pub by: Stamp,
    /// Sorts steps of the same instant: a start before an end.
    pub rank: u8,
    pub is_start: bool,
    /// Steps are never paired across lanes: two hosts never share an operation.
    pub lane: Option<&'a str>,
    /// Steps of one operation have the same token; one that has none fits all.
    pub token: Option<&'a str>,
    /// Whether this end may stand before its start.
    pub may_precede: bool,
}

/// A start with its end, or one of them alone.
pub(super) struct Pair<T> {
    pub start: Option<T>,
    pub end: Option<T>,
}

/// What the times of a pair come to.
pub(super) struct Times {
    /// Stamp of the start, else of the end: what the pair is known by.
    pub by: Stamp,
    pub started_at: Option<Timestamp>,
    pub start_id: Option<Uuid>,
    pub ended_at: Option<Timestamp>,
    pub end_id: Option<Uuid>,
    pub duration_us: Option<i64>,
    pub skewed: bool,
}

impl<T> Pair<T> {
    pub fn times(&self, by: impl Fn(&T) -> Stamp) -> Times {
        let (start, end) = (self.start.as_ref().map(&by), self.end.as_ref().map(&by));
        let duration = start.zip(end).map(|(start, end)| duration(start.0, end.0));
        Times {
            by: start.or(end).unwrap_or_default(),
            started_at: start.map(|by| by.0),
            start_id: start.map(|by| by.1),
            ended_at: end.map(|by| by.0),
            end_id: end.map(|by| by.1),
            duration_us: duration.map(|(us, _)| us),
            skewed: duration.is_some_and(|(_, skewed)| skewed),
        }
    }
}

/// From start to end in µs, and whether clocks disagree: what would be negative is 0.
pub(super) fn duration(start: Timestamp, end: Timestamp) -> (i64, bool) {
    let us = end.as_microsecond() - start.as_microsecond();
    (us.max(0), us < 0)
}

/// Pairs steps, which may hold duplicates and come in any order.
///
/// In order of time, an end takes the latest start before it that is still free and has the same
/// token, or, where one of them has none, the latest free one: so the start of an operation whose
/// end was lost stays open, and does not take the end of the next. What then is left over may be
/// the work of a clock that was set back: an end takes the first start after it that is still free
/// and has the same token.
pub(super) fn pair<T>(mut steps: Vec<T>, mark: impl Fn(&T) -> Mark<'_>) -> Vec<Pair<T>> {
    let order = |step: &T| {
        let mark = mark(step);
        (mark.by.0, mark.rank, mark.by.1)
    };
    steps.sort_by_cached_key(order);
    steps.dedup_by_key(|step| mark(step).by);
    let marks: Vec<Mark<'_>> = steps.iter().map(&mark).collect();
    let start_of = start_of_each(&marks);
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

/// For each step that is an end, which step is its start.
fn start_of_each(marks: &[Mark<'_>]) -> Vec<Option<usize>> {
    let mut start_of = vec![None; marks.len()];
    let mut free = Free {
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
        // Had any of these stood before the end, the end would have taken it above.
        let Some(starts) = late.get_mut(&(mark.lane, mark.token)) else { continue };
        let is_near = |start: &usize| mark.by.0.duration_until(marks[*start].by.0) <= STEP_BACK_MAX;
        if starts.front().is_some_and(is_near) {
            start_of[index] = starts.pop_front();
        }
    }
    start_of
}

/// The starts that no end has taken yet. Taken ones are cleared from the stacks only when they come
/// to the top, so that every step costs the same however many lie open.
struct Free<'a> {
    marks: &'a [Mark<'a>],
    lanes: HashMap<Option<&'a str>, Vec<usize>>,
    tokens: HashMap<(Option<&'a str>, Option<&'a str>), Vec<usize>>,
    taken: Vec<bool>,
}

impl<'a> Free<'a> {
    fn add(&mut self, index: usize) {
        let mark = &self.marks[index];
        self.lanes.entry(mark.lane).or_default().push(index);
        self.tokens.entry((mark.lane, mark.token)).or_default().push(index);
    }

    /// The start that this end takes.
    fn take(&mut self, end: &Mark<'a>) -> Option<usize> {
        let start = match end.token {
            None => top(self.lanes.get_mut(&end.lane), &self.taken),
            token => top(self.tokens.get_mut(&(end.lane, token)), &self.taken)
                .or_else(|| top(self.tokens.get_mut(&(end.lane, None)), &self.taken)),
        }?;
        self.taken[start] = true;
        Some(start)
    }
}

/// The latest of these that is not taken.
fn top(stack: Option<&mut Vec<usize>>, taken: &[bool]) -> Option<usize> {
    let stack = stack?;
    while let Some(&start) = stack.last() {
        if !taken[start] {
            return Some(start);
        }
        stack.pop();
    }
    None
}
