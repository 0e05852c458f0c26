//! Histograms with the few buckets that a dashboard wants.

use crate::histogram::Histogram;
use crate::routing::statistics::Times;
use crate::time::Duration;

/// Bounds in seconds: from what a cache takes to what a long answer takes.
pub(super) const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
];

/// A distribution by these bounds. A length is counted below a bound if its whole bucket of the
/// finer histogram is: at a bound, counts are up to a bucket's width (0.1 % or 1.6 %) too low.
pub(super) struct Steps {
    /// How many are below each of [`BOUNDS`], all smaller ones among them.
    pub below: [u64; BOUNDS.len()],
    /// How many there are.
    pub count: u64,
    /// What they add up to.
    pub sum_seconds: f64,
}

impl Steps {
    /// With the exact sum.
    pub(super) fn exact(times: &Times) -> Self {
        let mut steps = Self::rounded(&times.histogram);
        steps.sum_seconds = times.sum_nanos as f64 * 1e-9;
        steps
    }

    /// With the sum of the buckets' highest values: up to 1.6 % too high.
    pub(super) fn rounded(histogram: &Histogram) -> Self {
        let mut below = [0; BOUNDS.len()];
        let mut nanos: u128 = 0;
        for (highest, count) in histogram.buckets() {
            nanos += u128::from(highest.as_nanos()) * u128::from(count);
            let first = BOUNDS.partition_point(|bound| seconds(*bound) < highest);
            for below in &mut below[first..] {
                *below += count;
            }
        }
        Self {
            below,
            count: histogram.count(),
            sum_seconds: nanos as f64 * 1e-9,
        }
    }
}

fn seconds(bound: f64) -> Duration {
    Duration::from_nanos((bound * 1e9).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_is_below_the_bounds_above_it() {
        let mut histogram = Histogram::coarse();
        for millis in [1, 7, 7, 300, 90_000, 500_000] {
            histogram.record(Duration::from_millis(millis));
        }
        let steps = Steps::rounded(&histogram);
        assert_eq!(
            steps.below,
            [1, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 5],
            "by bound"
        );
        assert_eq!(steps.count, 6);
        assert!((steps.sum_seconds / 590.315 - 1.0).abs() < 0.016);
    }
}
