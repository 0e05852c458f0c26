//! How many replications a claim would take, for those whom "undecided" does not satisfy.
//!
//! Extrapolated from the sample at hand: the mean stays where it is, and the interval shrinks like
//! t / sqrt(n). It is an estimate to plan with, no promise: near a tie the mean itself is mostly
//! noise.

use super::alpha::Alpha;
use super::mean::{mean, standard_error, t_quantile};

/// More than this is as good as never.
const MOST: usize = 1_000_000_000;

/// From here on Student's t is taken for normal: it changes by less than 0.1 % any more, and its
/// quantile is slow to compute.
const NEARLY_NORMAL: usize = 10_000;

/// Least number of replications at which the interval of `alpha` around the mean of this sample
/// would exclude 0. `None` if that is more than a thousand million, the mean is 0, or the sample
/// has no interval.
#[must_use]
pub fn replications(sample: &[f64], alpha: Alpha) -> Option<usize> {
    let (mean, spread) = (
        mean(sample).abs(),
        standard_error(sample) * (sample.len() as f64).sqrt(),
    );
    if !mean.is_finite() || !spread.is_finite() || mean == 0.0 {
        return None;
    }
    let excludes = |n: usize| {
        t_quantile(n.min(NEARLY_NORMAL), alpha)
            .is_some_and(|t| t * spread / (n as f64).sqrt() < mean)
    };
    // The half-width falls with n: a bisection finds where it passes the mean.
    let (mut low, mut high) = (1, 2);
    while !excludes(high) {
        if high >= MOST {
            return None;
        }
        (low, high) = (high, high * 2);
    }
    while high - low > 1 {
        let middle = low.midpoint(high);
        if excludes(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten numbers with this mean and a standard deviation of 1.
    fn sample(mean: f64) -> Vec<f64> {
        let unit = (9.0f64 / 10.0).sqrt();
        [-unit, unit].repeat(5).iter().map(|x| x + mean).collect()
    }

    #[test]
    fn as_the_textbooks_compute_it() {
        // n = (z / d)^2 = (1.96 / 0.1)^2 = 384.1 for a large sample; t makes it 387.
        let alpha = Alpha::FIVE_PERCENT;
        assert_eq!(replications(&sample(0.1), alpha), Some(387));
        // Sign and scale do not matter.
        assert_eq!(replications(&sample(-0.1), alpha), Some(387));
        let scaled: Vec<f64> = sample(0.1).iter().map(|x| x * 1e6).collect();
        assert_eq!(replications(&scaled, alpha), Some(387));
    }

    #[test]
    fn the_least_number_is_the_least() {
        for mean in [0.03, 0.3, 1.0, 5.0] {
            let alpha = Alpha::new(0.01).unwrap();
            let n = replications(&sample(mean), alpha).unwrap();
            let half = |n: usize| t_quantile(n, alpha).unwrap() / (n as f64).sqrt();
            assert!(half(n) < mean, "{mean}: {n}");
            assert!(n == 2 || half(n - 1) >= mean, "{mean}: {n}");
        }
    }

    #[test]
    fn where_there_is_no_answer() {
        let alpha = Alpha::FIVE_PERCENT;
        assert_eq!(replications(&sample(1e-9), alpha), None);
        assert_eq!(replications(&[0.0, 0.0], alpha), None);
        assert_eq!(replications(&[1.0], alpha), None);
        assert_eq!(replications(&[], alpha), None);
        assert_eq!(replications(&[1.0, f64::NAN], alpha), None);
        assert_eq!(replications(&[1.0, 1.0], alpha), Some(2));
    }
}
