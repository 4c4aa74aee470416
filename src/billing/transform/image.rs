//! `fromimage`: the root disk of an instance that was booted from an image. An instance that was booted
//! from a volume pays for the volume instead.

use rust_decimal::Decimal;

use super::input::Input;
use super::piece::Piece;
use crate::billing::metadata::Metadata;
use crate::billing::reading::Reading;

/// The meter whose volume is the size of the root disk.
const ROOT_DISK_METER: &str = "disk.root.size";

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
        let size = is_from_image(readings, keys)
            .then(|| largest(input, readings, keys.size_keys))
            .flatten();
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

/// Returns the largest of the readings' sizes.
fn largest(
    input: &Input<'_, '_>,
    readings: &[&Reading<'_>],
    size_keys: &[String],
) -> Option<Decimal> {
    readings.iter().filter_map(|reading| size(input, reading, size_keys)).max()
}

/// Returns the number under the first of the keys that has one. Samples that Ceilometer makes of
/// notifications have none of the keys: the volume of their meter is the size of the root disk.
fn size(input: &Input<'_, '_>, reading: &Reading<'_>, size_keys: &[String]) -> Option<Decimal> {
    let number = |metadata: &Metadata, key: &String| metadata.get(key)?.trim().parse().ok();
    let size = reading
        .metadata
        .and_then(|metadata| size_keys.iter().find_map(|key| number(metadata, key)));
    size.or_else(|| (input.mapping.meter == ROOT_DISK_METER).then_some(reading.volume))
}
