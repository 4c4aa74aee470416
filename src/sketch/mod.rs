//! Quantile sketches.
//!
//! A sketch of durations counts how many fell into each bin. The bins are so narrow that a quantile computed from
//! them is within 1 % of the true one. [`numbers`] does the same for numbers of either sign.
//!
//! There are 64 bins per power of two, found with integer arithmetic only. Crates with sketches (DDSketch,
//! t-digest) do not fit here: they cannot remove a value again, which is necessary when a later message turns out
//! to belong to an operation that was already counted; and their state (float sums, centroids, bounds by `ln`)
//! depends on the order of arrival or on the machine. These counts depend on neither, and can be added,
//! subtracted and compared.

pub mod numbers;

/// Binary logarithm of the number of bins per power of two. The width of a bin is at most 1/64 of its values, so
/// its middle is off by at most 1/128.
const SUB_BITS: u32 = 6;
/// Number of bins per power of two.
const SUB: u64 = 1 << SUB_BITS;

/// The bin of a duration in µs. Up to 127 µs each duration has a bin of its own, so nothing is lost near zero.
pub const fn bin(us: u64) -> i32 {
    let shift = (u64::BITS - us.leading_zeros()).saturating_sub(SUB_BITS + 1);
    // At most 57 * 64 + 127, so the cast truncates nothing.
    (shift as u64 * SUB + (us >> shift)) as i32
}

/// The duration, in µs, that represents a bin: its middle.
pub fn value(bin: i32) -> f64 {
    let bin = u64::from(bin.unsigned_abs());
    if bin < 2 * SUB {
        return bin as f64;
    }
    let shift = (bin / SUB - 1).min(57);
    let low = ((bin - shift * SUB) as f64) * (1_u64 << shift) as f64;
    low + ((1_u64 << shift) - 1) as f64 / 2.0
}

/// The duration, in µs, that a share `q` (0 to 1) of the counted durations does not exceed: within 1 % of the
/// value at rank ⌈q·n⌉. `bins` are in ascending order, `counts` run parallel to them. `None` if nothing was
/// counted.
pub fn quantile(bins: &[i32], counts: &[i64], q: f64) -> Option<f64> {
    let total: i64 = counts.iter().sum();
    let rank = ((q * total as f64).ceil() as i64).clamp(1, total.max(1));
    let mut passed = 0;
    bins.iter().zip(counts).find_map(|(bin, count)| {
        passed += count;
        (passed >= rank).then(|| value(*bin))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_durations_are_exact() {
        for us in 0..128 {
            assert_eq!(value(bin(us)), us as f64);
        }
        assert_eq!([bin(127), bin(128), bin(129), bin(130)], [127, 128, 128, 129]);
        assert_eq!(bin(u64::MAX), 57 * 64 + 127);
    }

    #[test]
    fn nothing_counted_has_no_quantile() {
        assert_eq!(quantile(&[], &[], 0.5), None);
    }

    #[test]
    fn quantiles_are_those_of_the_ranks() {
        let (bins, counts) = ([bin(1), bin(10), bin(100)], [1, 8, 1]);
        let at = |q| quantile(&bins, &counts, q);
        assert_eq!([at(0.0), at(0.1)], [Some(1.0); 2]);
        assert_eq!([at(0.11), at(0.9)], [Some(10.0); 2]);
        assert_eq!([at(0.91), at(1.0)], [Some(100.0); 2]);
    }

    /// Durations of every magnitude.
    fn us() -> impl Strategy<Value = u64> {
        (0..64_u32, any::<u64>()).prop_map(|(shift, us)| us >> shift)
    }

    proptest! {
        #[test]
        fn a_bin_is_within_one_percent(us in us()) {
            let error = (value(bin(us)) - us as f64).abs();
            prop_assert!(error <= us as f64 * 0.01, "{us} became {}", value(bin(us)));
        }

        #[test]
        fn longer_durations_have_no_lower_bins(a in us(), b in us()) {
            prop_assert!(bin(a.min(b)) <= bin(a.max(b)));
        }

        #[test]
        fn a_quantile_is_within_one_percent(
            mut all in prop::collection::vec(us(), 1..200),
            q in 0.0..=1.0_f64,
        ) {
            let mut sketch = std::collections::BTreeMap::new();
            for us in &all {
                *sketch.entry(bin(*us)).or_insert(0_i64) += 1;
            }
            let (bins, counts): (Vec<i32>, Vec<i64>) = sketch.into_iter().unzip();
            all.sort_unstable();
            let rank = ((q * all.len() as f64).ceil() as usize).clamp(1, all.len());
            let exact = all[rank - 1] as f64;
            let found = quantile(&bins, &counts, q).unwrap();
            prop_assert!((found - exact).abs() <= exact * 0.01, "{exact} became {found}");
        }
    }
}
