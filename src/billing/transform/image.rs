//! `fromimage`: the root disk of an instance that was booted from an image. An instance that was booted
//! from a volume pays for the volume instead.

use rust_decimal::Decimal;

use super::input::Input;
use super::piece::Piece;
use crate::billing::reading::Reading;

/// The keys of the metadata in which the image and the size of the root disk are found.
pub(super) struct Keys<'t> {
    pub(super) image_keys: &'t [String],
    pub(super) none_values: &'t [String],
    pub(super) size_keys: &'t [String],
}

/// Returns the largest size of each window in which the instance is booted from an image.
pub(super) fn pieces<'t>(
    input: &Input<'t, '_>,
    carry_over: bool,
    keys: &Keys<'_>,
) -> Vec<Piece<'t>> {
    input.per_window(carry_over, |readings| {
        let size =
            is_from_image(readings, keys).then(|| largest(readings, keys.size_keys)).flatten();
        Some((input.service(), size?))
    })
}

/// Whether some sample names an image, and none reports that there is no image. A sample without the
/// keys changes nothing, because not every sender includes them.
fn is_from_image(readings: &[&Reading<'_>], keys: &Keys<'_>) -> bool {
    let mut images =
        readings.iter().filter_map(|reading| reading.metadata?.first(keys.image_keys)).peekable();
    images.peek().is_some()
        && images.all(|image| keys.none_values.iter().all(|none| *none != image))
}

/// Returns the largest size under any of the keys.
fn largest(readings: &[&Reading<'_>], size_keys: &[String]) -> Option<Decimal> {
    let sizes = readings.iter().filter_map(|reading| reading.metadata).flat_map(|metadata| {
        size_keys.iter().filter_map(|key| metadata.get(key)?.trim().parse::<Decimal>().ok())
    });
    sizes.max()
}
