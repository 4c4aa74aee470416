//! `fromimage`: the root disk of an instance that was booted from an image. One that was booted from
//! a volume pays for the volume.

use rust_decimal::Decimal;

use super::{All, Piece};
use crate::billing::reading::Reading;

pub(super) struct Keys<'t> {
    pub(super) image_keys: &'t [String],
    pub(super) none_values: &'t [String],
    pub(super) size_keys: &'t [String],
}

pub(super) fn pieces<'t>(all: &All<'t, '_>, carry_over: bool, keys: &Keys<'_>) -> Vec<Piece<'t>> {
    all.per_window(carry_over, |seen| {
        let size = is_from_image(seen, keys).then(|| largest(seen, keys.size_keys)).flatten();
        Some((all.service(), size?))
    })
}

/// Whether some sample names an image, and none says that there is none. A sample that says nothing
/// of it changes nothing: not every sender tells it.
fn is_from_image(seen: &[&Reading<'_>], keys: &Keys<'_>) -> bool {
    let mut images =
        seen.iter().filter_map(|reading| reading.metadata?.first(keys.image_keys)).peekable();
    images.peek().is_some()
        && images.all(|image| keys.none_values.iter().all(|none| *none != image))
}

fn largest(seen: &[&Reading<'_>], size_keys: &[String]) -> Option<Decimal> {
    let sizes = seen.iter().filter_map(|reading| reading.metadata).flat_map(|metadata| {
        size_keys.iter().filter_map(|key| metadata.get(key)?.trim().parse::<Decimal>().ok())
    });
    sizes.max()
}
