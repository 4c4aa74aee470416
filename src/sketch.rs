//! (stand-in until the projections' own is merged)

/// γ of bins whose middle is within 1 % of all they hold.
const GAMMA: f64 = 1.01 / 0.99;

/// The bin of a duration in µs.
pub fn bin(us: i64) -> i32 {
    if us <= 0 { i32::MIN } else { (us as f64).log(GAMMA).ceil() as i32 }
}

/// The duration in µs that stands for a bin.
pub fn value(bin: i32) -> f64 {
    if bin == i32::MIN { 0.0 } else { 2.0 * GAMMA.powi(bin) / (GAMMA + 1.0) }
}

/// The quantile `q` of a sketch; `None` when it is empty.
pub fn quantile(bins: &[i32], counts: &[i64], q: f64) -> Option<f64> {
    let total: i64 = counts.iter().sum();
    let rank = (q * (total - 1) as f64).round() as i64;
    let mut seen = 0;
    bins.iter().zip(counts).find_map(|(bin, count)| {
        seen += count;
        (rank < seen).then(|| value(*bin))
    })
}
