//! Mean and paired difference of means, with Student's t interval over replications.
//!
//! Paired, because both strategies of a replication see the same arrivals, requests and faults:
//! what they have in common cancels in the difference, and the interval of the difference is never
//! wider for it in expectation. Comparing two separate intervals by eye would throw that away.

use super::alpha::Alpha;
use super::{Bounds, Interval, all_finite};
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::cmp::Ordering;

/// A mean and how well it is known.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Estimate {
    /// Mean over replications.
    pub mean: f64,
    /// Interval, of 95 % unless its maker was given another alpha; `None` for a single replication.
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

    /// With the part of the interval that is possible.
    #[must_use]
    pub fn within(self, bounds: Bounds) -> Self {
        Self {
            interval: self.interval.map(|interval| interval.within(bounds)),
            ..self
        }
    }

    /// How far the interval reaches to either side of the mean; `None` also where that is not the
    /// same, because part of it was impossible.
    #[must_use]
    pub fn half_width(self) -> Option<f64> {
        let Interval { low, high } = self.interval?;
        let half = (high - low) / 2.0;
        let middle = f64::midpoint(low, high);
        ((middle - self.mean).abs() <= 1e-6 * half).then_some(half)
    }
}

/// Mean of a sample, one number per replication. `None` if it is empty or holds a number that is
/// not finite.
#[must_use]
pub fn estimate(sample: &[f64]) -> Option<Estimate> {
    estimate_at(sample, Alpha::FIVE_PERCENT)
}

/// [`estimate`] with an interval that misses the mean with probability `alpha`.
#[must_use]
pub fn estimate_at(sample: &[f64], alpha: Alpha) -> Option<Estimate> {
    if sample.is_empty() || !all_finite(sample) {
        return None;
    }
    let mean = mean(sample);
    let interval = t_quantile(sample.len(), alpha).map(|t| {
        let half = t * standard_error(sample);
        Interval {
            low: mean - half,
            high: mean + half,
        }
    });
    Some(Estimate { mean, interval })
}

/// Interval that misses the mean with probability `alpha`. `None` as for [`estimate`], or for a
/// single replication.
#[must_use]
pub fn interval(sample: &[f64], alpha: Alpha) -> Option<Interval> {
    estimate_at(sample, alpha)?.interval
}

/// Mean of `a - b`, paired by replication. `None` if the lengths differ, or as for [`estimate`].
#[must_use]
pub fn difference(a: &[f64], b: &[f64]) -> Option<Estimate> {
    difference_at(a, b, Alpha::FIVE_PERCENT)
}

/// [`difference`] with an interval that misses the mean with probability `alpha`.
#[must_use]
pub fn difference_at(a: &[f64], b: &[f64], alpha: Alpha) -> Option<Estimate> {
    if a.len() != b.len() {
        return None;
    }
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    estimate_at(&differences, alpha)
}

/// Probability of a sample mean as far above 0 as this one, or farther, if the true mean is 0: the
/// one-sided t test. Where all numbers are equal there is no doubt: 0 above 0, 1 below, and one
/// half at 0, as for any sample with that mean. `None` as for [`estimate`], or for a single
/// replication.
#[must_use]
pub fn p_above_zero(sample: &[f64]) -> Option<f64> {
    if sample.len() < 2 || !all_finite(sample) {
        return None;
    }
    let (mean, error) = (mean(sample), standard_error(sample));
    if error == 0.0 {
        let side = mean.partial_cmp(&0.0)?;
        return Some(match side {
            Ordering::Greater => 0.0,
            Ordering::Equal => 0.5,
            Ordering::Less => 1.0,
        });
    }
    let t = StudentsT::new(0.0, 1.0, sample.len() as f64 - 1.0).ok()?;
    Some(t.cdf(-mean / error))
}

/// Probability that the mean of a sample of `n` is at least so many of its standard errors away
/// from the true mean, to either side: the two tails of Student's t. `None` below 2.
#[must_use]
pub fn two_sided_p(n: usize, errors: f64) -> Option<f64> {
    let freedom = n.checked_sub(1).filter(|&freedom| freedom > 0)?;
    let t = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    Some(2.0 * t.cdf(-errors.abs()))
}

/// Quantile of Student's t for a sample of `n` that is exceeded in size with probability `alpha`;
/// `None` below 2.
pub(super) fn t_quantile(n: usize, alpha: Alpha) -> Option<f64> {
    let freedom = n.checked_sub(1).filter(|&freedom| freedom > 0)?;
    let t = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    Some(t.inverse_cdf(1.0 - alpha.value() / 2.0))
}

/// Standard error of the mean of a sample.
pub(super) fn standard_error(sample: &[f64]) -> f64 {
    (covariance(sample, sample) / sample.len() as f64).sqrt()
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

    /// Two-sided 5 %, 1 % and 0.2 %, by degrees of freedom. The first two columns are printed in
    /// NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.2 (columns 0.975 and 0.995).
    /// Its column 0.999 is off in the last digit at 1, 9 and 10 degrees (318.313, 4.296, 4.143);
    /// the third column is therefore that of E. T. Federighi, "Extended tables of the percentage
    /// points of Student's t-distribution", JASA 54, 1959. All are computed again below.
    const T: [(usize, [f64; 3]); 11] = [
        (1, [12.706, 63.657, 318.309]),
        (2, [4.303, 9.925, 22.327]),
        (3, [3.182, 5.841, 10.215]),
        (4, [2.776, 4.604, 7.173]),
        (5, [2.571, 4.032, 5.893]),
        (9, [2.262, 3.250, 4.297]),
        (10, [2.228, 3.169, 4.144]),
        (19, [2.093, 2.861, 3.579]),
        (30, [2.042, 2.750, 3.385]),
        (60, [2.000, 2.660, 3.232]),
        (100, [1.984, 2.626, 3.174]),
    ];

    #[test]
    fn t_quantiles_are_those_of_the_printed_tables() {
        for (freedom, row) in T {
            for (alpha, expected) in [0.05, 0.01, 0.002].into_iter().zip(row) {
                let alpha = Alpha::new(alpha).unwrap();
                let t = t_quantile(freedom + 1, alpha).unwrap();
                assert!(close(t, expected, 6e-4), "{freedom} {alpha:?}: {t}");
            }
        }
        assert_eq!(t_quantile(1, Alpha::FIVE_PERCENT), None);
        assert_eq!(t_quantile(0, Alpha::FIVE_PERCENT), None);
    }

    /// Probability that t lies within so far of 0, for a whole number of degrees of freedom: the
    /// finite sums of Abramowitz and Stegun, *Handbook of Mathematical Functions*, 26.7.3 and
    /// 26.7.4, which have nothing in common with the incomplete beta function of the library.
    fn within(t: f64, freedom: usize) -> f64 {
        let theta = (t / (freedom as f64).sqrt()).atan();
        let (sine, cosine) = theta.sin_cos();
        let odd = freedom % 2 == 1;
        let (mut term, mut sum) = if odd { (cosine, 0.0) } else { (1.0, 0.0) };
        let mut power = if odd { 1 } else { 0 };
        while power + 2 <= freedom {
            sum += term;
            let over = power as f64 + 1.0;
            term *= cosine * cosine * over / (over + 1.0);
            power += 2;
        }
        if odd {
            std::f64::consts::FRAC_2_PI * (theta + sine * sum)
        } else {
            sine * sum
        }
    }

    /// The tables and the library against the finite sums: every printed number is right to its
    /// last digit.
    #[test]
    fn tables_and_quantiles_are_computed_again() {
        for (freedom, row) in T {
            for (alpha, printed) in [0.05, 0.01, 0.002].into_iter().zip(row) {
                let (inner, outer) = (printed - 5.01e-4, printed + 5.01e-4);
                let covered = within(inner, freedom)..within(outer, freedom);
                assert!(covered.contains(&(1.0 - alpha)), "{freedom} {printed}");
                let t = t_quantile(freedom + 1, Alpha::new(alpha).unwrap()).unwrap();
                let error = within(t, freedom) - (1.0 - alpha);
                assert!(error.abs() < 1e-9, "{freedom} {alpha}: {error}");
            }
        }
        assert!(close(
            two_sided_p(40, 4.0).unwrap(),
            1.0 - within(4.0, 39),
            1e-9
        ));
        assert_eq!(two_sided_p(1, 4.0), None);
    }

    #[test]
    fn squares_of_t_are_those_of_the_f_tables() {
        // Upper 5 % and 1 % of F with 1 and so many degrees of freedom: NIST/SEMATECH e-Handbook,
        // table 1.3.6.7.3. F(1, n) is the square of t(n), of which the sums above know the law.
        let table = [
            (2, 18.513, 98.503),
            (5, 6.608, 16.258),
            (9, 5.117, 10.561),
            (10, 4.965, 10.044),
            (20, 4.351, 8.096),
            (60, 4.001, 7.077),
        ];
        for (freedom, five, one) in table {
            for (alpha, expected) in [(0.05, five), (0.01, one)] {
                let t = t_quantile(freedom + 1, Alpha::new(alpha).unwrap()).unwrap();
                assert!(close(t * t, expected, 6e-4), "{freedom} {alpha}: {}", t * t);
                let bounds =
                    [-5.01e-4, 5.01e-4].map(|off| within((expected + off).sqrt(), freedom));
                let covered = bounds[0]..bounds[1];
                assert!(covered.contains(&(1.0 - alpha)), "{freedom} {expected}");
            }
        }
    }

    #[test]
    fn quantiles_hold_far_out() {
        // Alphas of many claims at once; the quantile and the distribution are computed by
        // different algorithms.
        for alpha in [1e-2, 1e-3, 1e-4, 1e-5, 1e-6] {
            for n in [2, 10, 160, 10_000, 100_000] {
                let quantile = t_quantile(n, Alpha::new(alpha).unwrap()).unwrap();
                let t = StudentsT::new(0.0, 1.0, n as f64 - 1.0).unwrap();
                let tails = 2.0 * t.cdf(-quantile);
                assert!((tails / alpha - 1.0).abs() < 1e-6, "{n} {alpha}: {tails}");
            }
        }
    }

    #[test]
    fn the_one_sided_test_turns_where_the_tables_say() {
        // Mean 0, standard error 1; shifted by t it has the p value of half the two-sided alpha.
        let base = [-1.0, 1.0]
            .repeat(5)
            .iter()
            .map(|x| 3.0 * x)
            .collect::<Vec<f64>>();
        assert!(close(standard_error(&base), 1.0, 1e-12));
        for (shift, p) in [(2.262, 0.025), (3.250, 0.005), (-2.262, 0.975), (0.0, 0.5)] {
            let shifted: Vec<f64> = base.iter().map(|x| x + shift).collect();
            assert!(close(p_above_zero(&shifted).unwrap(), p, 2e-5), "{shift}");
        }
        assert_eq!(p_above_zero(&[2.0, 2.0]), Some(0.0));
        assert_eq!(p_above_zero(&[0.0, -0.0]), Some(0.5));
        assert_eq!(p_above_zero(&[-2.0, -2.0]), Some(1.0));
        assert_eq!(p_above_zero(&[2.0]), None);
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
    fn what_is_impossible_is_cut_off() {
        let all = estimate(&[0.9, 1.0]).unwrap();
        let possible = all.within(Bounds::SHARE);
        let (Some(whole), Some(part)) = (all.interval, possible.interval) else {
            panic!("no interval");
        };
        assert!(whole.low < 0.4 && whole.high > 1.5, "{whole:?}");
        assert_eq!((part.low, part.high), (whole.low, 1.0));
        assert_eq!(
            (all.half_width().is_some(), possible.half_width()),
            (true, None)
        );
        let rates = Bounds::SHARE.of_difference();
        assert_eq!((rates.low, rates.high), (-1.0, 1.0));
        let times = Bounds::NOT_NEGATIVE.of_difference();
        assert_eq!((times.low, times.high), (f64::NEG_INFINITY, f64::INFINITY));
        let change = difference(&[0.0, 0.9], &[1.0, 1.0]).unwrap();
        let part = change.within(rates).interval.unwrap();
        assert_eq!((part.low, part.high > 1.0), (-1.0, false));
        let equal = estimate(&[1.0; 3]).unwrap().within(Bounds::SHARE);
        assert_eq!(equal.half_width(), Some(0.0));
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
