//! How many positions to query at once.

/// The most positions of one query. A block range index finds them, so everything in the range is read,
/// however few rows are taken.
const WINDOW_MAX: i64 = 100_000;

/// Positions of the first query: with 50 samples per event, a chunk of the usual size.
const WINDOW_FIRST: i64 = 100;

/// The number of positions that contain about a batch of rows.
pub(super) struct Window {
    pub batch: usize,
    positions: i64,
}

impl Window {
    pub fn new(batch: usize) -> Self {
        Window { batch, positions: WINDOW_FIRST }
    }

    /// Returns the last position to query after `from`.
    pub fn end(&self, from: i64) -> i64 {
        from.saturating_add(self.positions)
    }

    /// Adapts to a query of `(from, until]`, of which the part up to `to` was taken, with so many rows.
    pub fn adapt(&mut self, from: i64, until: i64, to: i64, rows: usize) {
        if to < until {
            self.positions = to - from;
        } else if rows < self.batch / 2 {
            self.positions = (self.positions * 2).min(WINDOW_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_follows_the_density_of_samples() {
        let mut window = Window::new(5000);
        assert_eq!(window.end(7), 107);
        // No rows for long: wider and wider, up to the maximum.
        for _ in 0..20 {
            window.adapt(0, 100, 100, 0);
        }
        assert_eq!(window.end(0), WINDOW_MAX);
        // More than a batch: no more positions than were taken.
        window.adapt(0, WINDOW_MAX, 80, 4990);
        assert_eq!(window.end(0), 80);
        window.adapt(80, 160, 160, 4000);
        assert_eq!(window.end(0), 80);
        window.adapt(160, 240, 240, 100);
        assert_eq!(window.end(0), 160);
    }
}
