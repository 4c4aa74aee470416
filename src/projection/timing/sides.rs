//! Two sides of one row that need not say the same. The row shows one value each; where the sides
//! differ it also keeps both, so that they can be told apart again should they turn out to belong
//! to different rows.

/// What a start and an end said, as the row shows it (the end's word first), and both where they
/// differ.
pub(super) fn merge<const N: usize>(
    start: Option<[Option<String>; N]>,
    end: Option<[Option<String>; N]>,
) -> ([Option<String>; N], Option<Vec<Option<String>>>) {
    match (start, end) {
        (Some(start), Some(end)) if start != end => {
            let apart = start.iter().chain(&end).cloned().collect();
            let mut starts = start.into_iter();
            let shown = end.map(|end| {
                let start = starts.next().flatten();
                end.or(start)
            });
            (shown, Some(apart))
        }
        (start, end) => (end.or(start).unwrap_or([const { None }; N]), None),
    }
}

/// What start and end said, of what [`merge`] gave.
pub(super) fn split<const N: usize>(
    shown: [Option<String>; N],
    apart: Option<Vec<Option<String>>>,
) -> ([Option<String>; N], [Option<String>; N]) {
    let Some(apart) = apart else { return (shown.clone(), shown) };
    let mut sides = apart.into_iter();
    let mut side = || std::array::from_fn(|_| sides.next().flatten());
    (side(), side())
}
