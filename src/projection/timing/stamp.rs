//! Stamps: the order in which facts count, which is not the order in which they arrive.

use jiff::Timestamp;
use uuid::Uuid;

/// Time and id of an event. Of two facts about one attribute the later stamp wins; ids break ties.
pub(super) type Stamp = (Timestamp, Uuid);

/// Moves a stamp forward to `to`, if `to` is later. Returns whether it moved.
pub(super) fn advance(
    at: &mut Option<Timestamp>,
    id: &mut Option<Uuid>,
    to: Option<Stamp>,
) -> bool {
    move_to(at, id, to, |to, known| to > known)
}

/// Moves a stamp back to `to`, if `to` is earlier. Returns whether it moved.
pub(super) fn move_back(
    at: &mut Option<Timestamp>,
    id: &mut Option<Uuid>,
    to: Option<Stamp>,
) -> bool {
    move_to(at, id, to, |to, known| to < known)
}

/// Returns the earlier of two times, either of which may be unknown.
pub(super) fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    [a, b].into_iter().flatten().min()
}

/// Sets an unknown stamp, or one that `is_better` lets `to` replace. Returns whether it did.
fn move_to(
    at: &mut Option<Timestamp>,
    id: &mut Option<Uuid>,
    to: Option<Stamp>,
    is_better: impl Fn(Stamp, Stamp) -> bool,
) -> bool {
    let Some(to) = to else { return false };
    let moves = at.zip(*id).is_none_or(|known| is_better(to, known));
    if moves {
        (*at, *id) = (Some(to.0), Some(to.1));
    }
    moves
}
