//! Mean and paired difference of means, with Student's t interval over replications.
//!
//! Paired, because both strategies of a replication see the same arrivals, requests and faults:
//! what they have in common cancels in the difference, and the interval of the difference is never
//! wider for it in expectation. Comparing two separate intervals by eye would throw that away.

use super::{Interval, LEVEL, all_finite};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean and how well it is known.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// Mean over replications.
    pub mean: f64,
    /// 95 % interval; `None` for a single replication.
    pub interval: Option<Interval>,
}

impl Estimate {
    /// Mean and interval through a rising linear function, such as a change of unit.
    #[must_use]
    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self {
            mean: f(self.mean),
            interval: self.interval.map(|interval| interval.map(&f)),
        }
    }

    /// Half the width of the interval.
    #[must_use]
    pub fn half_width(self) -> Option<f64> {
        self.interval.map(|i| (i.high - i.low) / 2.0)
    }
}

/// Mean of a sample, one number per replication. `None` if it is empty or holds a number that is
/// not finite.
#[must_use]
pub fn estimate(sample: &[f64]) -> Option<Estimate> {
    if sample.is_empty() || !all_finite(sample) {
        return None;
    }
    let mean = mean(sample);
    let interval = t_quantile(sample.len()).map(|t| {
        let half = t * (covariance(sample, sample) / sample.len() as f64).sqrt();
        Interval {
            low: mean - half,
            high: mean + half,
        }
    });
    Some(Estimate { mean, interval })
}

/// Mean of `a - b`, paired by replication. `None` if the lengths differ, or as for [`estimate`].
#[must_use]
pub fn difference(a: &[f64], b: &[f64]) -> Option<Estimate> {
    if a.len() != b.len() {
        return None;
    }
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    estimate(&differences)
}

/// Two-sided 95 % quantile of Student's t for a sample of `n`; `None` below 2.
pub(super) fn t_quantile(n: usize) -> Option<f64> {
    let freedom = n.checked_sub(1).filter(|&freedom| freedom > 0)?;
    let t = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    Some(t.inverse_cdf(f64::midpoint(1.0, LEVEL)))
}

/// Arithmetic mean, exact for a sample of equal numbers.
pub(super) fn mean(sample: &[f64]) -> f64 {
    let first = sample.first().copied().unwrap_or(f64::NAN);
    // Summing deviations keeps equal numbers equal: the mean of ten times 0.1 is 0.1, and its
    // variance is 0.
    first + sample.iter().map(|x| x - first).sum::<f64>() / sample.len() as f64
}

/// Sample covariance with n - 1; of a sample with itself, the variance.
pub(super) fn covariance(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let sum: f64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| (a - mean_a) * (b - mean_b))
        .sum();
    sum / (a.len() as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64, tolerance: f64) -> bool {
        (a - b).abs() <= tolerance
    }

    #[test]
    fn t_quantiles_are_those_of_the_printed_tables() {
        // Two-sided 95 %, NIST/SEMATECH e-Handbook, table 1.3.6.7.2, by degrees of freedom.
        let table = [
            (1, 12.706),
            (2, 4.303),
            (3, 3.182),
            (4, 2.776),
            (5, 2.571),
            (9, 2.262),
            (10, 2.228),
            (19, 2.093),
            (30, 2.042),
            (60, 2.000),
            (100, 1.984),
        ];
        for (freedom, expected) in table {
            let t = t_quantile(freedom + 1).unwrap();
            assert!(close(t, expected, 6e-4), "{freedom}: {t}");
        }
        assert_eq!(t_quantile(1), None);
        assert_eq!(t_quantile(0), None);
    }

    #[test]
    fn an_interval_computed_by_hand() {
        // Mean 3, variance 2.5, standard error sqrt(0.5), t with 4 degrees of freedom 2.776445.
        let estimate = estimate(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert!(close(estimate.mean, 3.0, 1e-12));
        assert!(close(estimate.half_width().unwrap(), 1.963_243, 1e-6));
        assert!(estimate.interval.unwrap().contains(3.0));
    }

    #[test]
    fn pairing_removes_what_both_have_in_common() {
        let b = [10.0, 900.0, 35.0, 4.0];
        let a = b.map(|x| x + 2.0);
        let difference = difference(&a, &b).unwrap();
        assert!(close(difference.mean, 2.0, 1e-12));
        assert!(close(difference.half_width().unwrap(), 0.0, 1e-9));
    }

    #[test]
    fn one_replication_has_no_interval() {
        let estimate = estimate(&[7.0]).unwrap();
        assert_eq!((estimate.mean, estimate.interval), (7.0, None));
    }

    #[test]
    fn equal_numbers_have_an_interval_of_no_width() {
        let estimate = estimate(&[0.1; 10]).unwrap();
        let interval = estimate.interval.unwrap();
        assert_eq!((interval.low, interval.high), (0.1, 0.1));
    }

    #[test]
    fn what_does_not_apply_once_is_left_out_as_a_whole() {
        assert_eq!(estimate(&[1.0, f64::NAN, 2.0]), None);
        assert_eq!(estimate(&[1.0, f64::INFINITY]), None);
        assert_eq!(estimate(&[]), None);
        assert_eq!(difference(&[1.0, 2.0], &[f64::NAN, 1.0]), None);
        assert_eq!(difference(&[1.0], &[1.0, 2.0]), None);
    }
}
