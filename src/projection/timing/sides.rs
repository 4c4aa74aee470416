//! The two sides of a row, its start and its end, which may report different values. The row shows one
//! value of each; where the sides differ it also keeps both, so that they can be separated again should
//! they turn out to belong to different rows.

/// Merges the values of a start and an end. Returns the values that the row shows (the end's, and the
/// start's where the end has none), and the values of both sides if they differ.
pub(super) fn merge<const N: usize>(
    start: Option<[Option<String>; N]>,
    end: Option<[Option<String>; N]>,
) -> ([Option<String>; N], Option<Vec<Option<String>>>) {
    match (start, end) {
        (Some(start), Some(end)) if start != end => {
            let both = start.iter().chain(&end).cloned().collect();
            let mut starts = start.into_iter();
            let shown = end.map(|end| {
                let start = starts.next().flatten();
                end.or(start)
            });
            (shown, Some(both))
        }
        (start, end) => (end.or(start).unwrap_or([const { None }; N]), None),
    }
}

/// Returns the values of the start and of the end, given what [`merge`] returned.
pub(super) fn split<const N: usize>(
    shown: [Option<String>; N],
    both: Option<Vec<Option<String>>>,
) -> ([Option<String>; N], [Option<String>; N]) {
    let Some(both) = both else { return (shown.clone(), shown) };
    let mut values = both.into_iter();
    let mut next_side = || std::array::from_fn(|_| values.next().flatten());
    (next_side(), next_side())
}
