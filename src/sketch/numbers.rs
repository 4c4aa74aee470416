//! A sketch of numbers of either sign and any size, small enough to be stored with every bucket.
//!
//! The bin of a number consists of the upper bits of the nearest `f64`: sign, exponent and six bits of the
//! mantissa, so there are 64 bins per power of two here as well. Finding it takes only a shift, and bins have the
//! same order as their numbers.

/// Number of lower bits of an `f64` that do not belong to its bin.
const DROPPED_BITS: u32 = 46;

/// The bin of a number; the bin of zero is 0. Meaningless for NaN.
pub const fn bin(number: f64) -> i32 {
    // 17 bits remain, so the cast truncates nothing.
    let magnitude = (number.abs().to_bits() >> DROPPED_BITS) as i32;
    if number.is_sign_negative() { -magnitude } else { magnitude }
}

/// The number that represents a bin: its middle.
pub fn value(bin: i32) -> f64 {
    if bin == 0 {
        return 0.0;
    }
    let low = u64::from(bin.unsigned_abs()) << DROPPED_BITS;
    f64::from_bits(low | 1 << (DROPPED_BITS - 1)).copysign(f64::from(bin))
}

/// The count of numbers in each bin. Equal sketches have equal bytes, and the sum of two sketches equals the
/// sketch of all their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Bins in ascending order with their counts, which are never 0.
    counts: Vec<(i32, u64)>,
}

/// The error that bytes do not encode a sketch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes do not encode a sketch")]
pub struct MalformedSketch;

impl Sketch {
    /// Creates the sketch of numbers with these bins, in any order.
    pub fn of(mut bins: Vec<i32>) -> Sketch {
        bins.sort_unstable();
        let runs = bins.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u64));
        Sketch { counts: runs.collect() }
    }

    /// Adds the numbers of another sketch.
    pub fn add(&mut self, other: &Sketch) {
        if self.counts.is_empty() {
            self.counts.clone_from(&other.counts);
            return;
        }
        let mut sums = Vec::with_capacity(self.counts.len() + other.counts.len());
        let mut mine = self.counts.iter().copied().peekable();
        for &(bin, count) in &other.counts {
            while let Some(below) = mine.next_if(|(own, _)| *own < bin) {
                sums.push(below);
            }
            let own = mine.next_if(|(own, _)| *own == bin).map_or(0, |(_, count)| count);
            sums.push((bin, own + count));
        }
        sums.extend(mine);
        self.counts = sums;
    }

    /// The number that a share `q` (0 to 1) of the counted numbers does not exceed: within 1 % of the number at
    /// rank ⌈q·n⌉. `None` if nothing was counted.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let total: u64 = self.counts.iter().map(|(_, count)| count).sum();
        let rank = ((q * total as f64).ceil() as u64).clamp(1, total.max(1));
        let mut passed = 0;
        self.counts.iter().find_map(|(bin, count)| {
            passed += count;
            (passed >= rank).then(|| value(*bin))
        })
    }

    /// Encodes the sketch: for each bin its distance from the previous one, in zigzag encoding, so that small
    /// negative distances are short, too, and its count. Both are varints: seven bits per byte, lowest first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.counts.len() * 2 + 4);
        let mut before = 0;
        for &(bin, count) in &self.counts {
            let distance = i64::from(bin) - i64::from(before);
            put(&mut bytes, (distance << 1 ^ distance >> 63).cast_unsigned());
            put(&mut bytes, count);
            before = bin;
        }
        bytes
    }

    /// Decodes the bytes of [`Sketch::to_bytes`].
    ///
    /// # Errors
    ///
    /// When `to_bytes` cannot have returned these bytes.
    pub fn from_bytes(mut bytes: &[u8]) -> Result<Sketch, MalformedSketch> {
        // A pair takes at least two bytes.
        let mut counts = Vec::with_capacity(bytes.len() / 2);
        let mut before = 0_i64;
        while !bytes.is_empty() {
            let zigzag = take(&mut bytes)?;
            let distance = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
            let bin = before.checked_add(distance).ok_or(MalformedSketch)?;
            let count = take(&mut bytes)?;
            if count == 0 || (!counts.is_empty() && distance <= 0) {
                return Err(MalformedSketch);
            }
            counts.push((i32::try_from(bin).map_err(|_| MalformedSketch)?, count));
            before = bin;
        }
        Ok(Sketch { counts })
    }
}

/// Appends a varint.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Removes a varint from the front.
fn take(bytes: &mut &[u8]) -> Result<u64, MalformedSketch> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or(MalformedSketch)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(MalformedSketch)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers of either sign and of every size that samples have.
    fn number() -> impl Strategy<Value = f64> {
        let whole = (any::<i64>(), 0..64_u32).prop_map(|(number, shift)| (number >> shift) as f64);
        prop_oneof![whole, (-1e28..1e28_f64), (-28..28_i32).prop_map(|e| 10_f64.powi(e)), Just(0.0)]
    }

    fn sketch(numbers: &[f64]) -> Sketch {
        Sketch::of(numbers.iter().copied().map(bin).collect())
    }

    #[test]
    fn zero_has_a_bin_of_its_own() {
        assert_eq!((bin(0.0), bin(-0.0), value(0)), (0, 0, 0.0));
        assert!(bin(1e-28) > 0 && bin(-1e-28) < 0);
        assert_eq!(bin(-1.0), -bin(1.0));
    }

    #[test]
    fn nothing_counted_has_no_quantile() {
        assert_eq!(Sketch::default().quantile(0.5), None);
        assert!(Sketch::default().to_bytes().is_empty());
    }

    #[test]
    fn a_sketch_is_small() {
        let percents: Vec<f64> = (0..86_400).map(|n| f64::from(n % 10_001) / 100.0).collect();
        let bytes = sketch(&percents).to_bytes();
        assert!(bytes.len() < 1900, "{} bytes do not stay in their row", bytes.len());
    }

    #[test]
    fn other_bytes_are_refused() {
        for bytes in [&[1][..], &[2, 0], &[0x80], &[2, 1, 0, 1], &[2, 1, 1, 1], &[0x80; 20]] {
            assert_eq!(Sketch::from_bytes(bytes), Err(MalformedSketch), "{bytes:?}");
        }
        assert!(Sketch::from_bytes(&[0xfe, 0xff, 0xff, 0xff, 0xff, 1, 1]).is_err());
    }

    proptest! {
        #[test]
        fn a_bin_is_within_one_percent(number in number()) {
            let error = (value(bin(number)) - number).abs();
            prop_assert!(error <= number.abs() * 0.01, "{number} became {}", value(bin(number)));
        }

        #[test]
        fn larger_numbers_have_no_lower_bins(a in number(), b in number()) {
            prop_assert!(bin(a.min(b)) <= bin(a.max(b)));
        }

        #[test]
        fn parts_in_any_order_add_up_to_the_sketch_of_all(
            (numbers, parts) in prop::collection::vec(number(), 0..200)
                .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
            size in 1..50_usize,
        ) {
            let mut sum = Sketch::default();
            parts.chunks(size).for_each(|part| sum.add(&sketch(part)));
            prop_assert_eq!(sum.to_bytes(), sketch(&numbers).to_bytes());
        }

        #[test]
        fn bytes_come_back(numbers in prop::collection::vec(number(), 0..200)) {
            let sketch = sketch(&numbers);
            prop_assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), Ok(sketch));
        }

        #[test]
        fn any_bytes_are_harmless(bytes: Vec<u8>) {
            if let Ok(sketch) = Sketch::from_bytes(&bytes) {
                let _ = sketch.quantile(0.5);
            }
        }

        #[test]
        fn a_quantile_is_within_one_percent(
            mut numbers in prop::collection::vec(number(), 1..200),
            q in 0.0..=1.0_f64,
        ) {
            let found = sketch(&numbers).quantile(q).unwrap();
            numbers.sort_unstable_by(f64::total_cmp);
            let rank = ((q * numbers.len() as f64).ceil() as usize).clamp(1, numbers.len());
            let exact = numbers[rank - 1];
            prop_assert!((found - exact).abs() <= exact.abs() * 0.01, "{exact} became {found}");
        }
    }
}
