//! A difference of two means, paired or not, at any confidence level.
//!
//! Paired where replications of both sides are pairs (equal seeds: the same arrivals); the test of
//! B. L. Welch ("The generalization of Student's problem when several different population
//! variances are involved", Biometrika 34, 1947) where they are not. Not Student's test with a
//! pooled variance: two versions of a program differ in their variance as well as in their mean
//! (one has a fat tail, the other has none), and pooling then states too small an error.

use super::mean::{covariance, mean};
use super::ratio::{Range, RelativeChange};
use super::{Interval, LEVEL, all_finite};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A difference of means, with what its interval is made of.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Difference {
    /// Mean of the one minus mean of the other.
    pub mean: f64,
    /// Standard error of it.
    pub error: f64,
    /// Degrees of freedom; 0 if nothing is known about the error.
    pub freedom: f64,
}

impl Difference {
    /// Mean of `a - b`, replication by replication. `None` if the lengths differ, a sample is empty
    /// or holds a number that is not finite.
    #[must_use]
    pub fn paired(a: &[f64], b: &[f64]) -> Option<Self> {
        if a.len() != b.len() || !usable(a) || !usable(b) {
            return None;
        }
        let each: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        Some(Self {
            mean: mean(&each),
            error: spread(&each).sqrt(),
            freedom: each.len() as f64 - 1.0,
        })
    }

    /// Mean of `a` minus mean of `b`, two independent samples. `None` if one is empty or holds a
    /// number that is not finite.
    #[must_use]
    pub fn welch(a: &[f64], b: &[f64]) -> Option<Self> {
        if !usable(a) || !usable(b) {
            return None;
        }
        let (of_a, of_b) = (spread(a), spread(b));
        Some(Self {
            mean: mean(a) - mean(b),
            error: (of_a + of_b).sqrt(),
            freedom: satterthwaite((of_a, a.len()), (of_b, b.len())),
        })
    }

    /// The interval that holds the true difference with this confidence; `None` if a sample has a
    /// single number.
    #[must_use]
    pub fn interval(&self, level: f64) -> Option<Interval> {
        let half = self.quantile(level)? * self.error;
        Some(Interval {
            low: self.mean - half,
            high: self.mean + half,
        })
    }

    /// The two-sided quantile of Student's t; `None` if a sample has a single number.
    #[must_use]
    pub fn quantile(&self, level: f64) -> Option<f64> {
        let known = self.freedom > 0.0;
        let t = StudentsT::new(0.0, 1.0, known.then_some(self.freedom)?).ok()?;
        Some(t.inverse_cdf(f64::midpoint(1.0, level)))
    }
}

/// Mean of `a` over mean of `b`, less 1, two independent samples, with the 95 % confidence set of
/// E. C. Fieller as in [`super::ratio`]: here the samples have no covariance, and Welch's degrees
/// of freedom are those at the ratio found. `None` as for [`super::ratio::relative_change`].
#[must_use]
pub fn relative_change(a: &[f64], b: &[f64]) -> Option<RelativeChange> {
    if !usable(a) || !usable(b) || mean(b) == 0.0 {
        return None;
    }
    let ratio = mean(a) / mean(b);
    let scaled: Vec<f64> = b.iter().map(|b| b * ratio).collect();
    let t = Difference::welch(a, &scaled)?.quantile(LEVEL);
    Some(RelativeChange {
        change: ratio - 1.0,
        range: t.map_or(Range::Unknown, |t| fieller(a, b, t)),
    })
}

/// The ratios r with (mean(A) - r mean(B))^2 <= t^2 var(mean(A) - r mean(B)), less 1.
fn fieller(a: &[f64], b: &[f64], t: f64) -> Range {
    let (mean_a, mean_b) = (mean(a), mean(b));
    Range::below_zero(
        mean_b * mean_b - t * t * spread(b),
        mean_a * mean_b,
        mean_a * mean_a - t * t * spread(a),
    )
}

/// Degrees of freedom of a sum of two variances of means (F. E. Satterthwaite, "An approximate
/// distribution of estimates of variance components", Biometrics Bulletin 2, 1946).
fn satterthwaite((of_a, a): (f64, usize), (of_b, b): (f64, usize)) -> f64 {
    if a < 2 || b < 2 {
        return 0.0;
    }
    let part = |spread: f64, n: usize| spread * spread / (n as f64 - 1.0);
    let below = part(of_a, a) + part(of_b, b);
    if below == 0.0 {
        // Two constants: every interval has no width.
        return (a + b - 2) as f64;
    }
    (of_a + of_b) * (of_a + of_b) / below
}

/// Variance of the mean; of a single number, for want of any, 0.
fn spread(sample: &[f64]) -> f64 {
    if sample.len() < 2 {
        return 0.0;
    }
    covariance(sample, sample) / sample.len() as f64
}

fn usable(sample: &[f64]) -> bool {
    !sample.is_empty() && all_finite(sample)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::mean::difference;
    use proptest::prelude::*;

    /// Extra hours of sleep under two drugs: Student (1908), R's data set `sleep`.
    const FIRST: [f64; 10] = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
    const SECOND: [f64; 10] = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];

    fn close(a: f64, b: f64, tolerance: f64) -> bool {
        (a - b).abs() <= tolerance
    }

    #[test]
    fn student_s_sleep_data_as_r_judges_them() {
        // R's manual, t.test(extra ~ group, data = sleep): t = -1.8608, df = 17.776, 95 percent
        // confidence interval -3.3654832 0.2054832.
        let welch = Difference::welch(&FIRST, &SECOND).unwrap();
        assert!(close(welch.mean / welch.error, -1.8608, 5e-5), "{welch:?}");
        assert!(close(welch.freedom, 17.776, 5e-4), "{welch:?}");
        let Interval { low, high } = welch.interval(0.95).unwrap();
        assert!(close(low, -3.365_483_2, 1e-6), "{low}");
        assert!(close(high, 0.205_483_2, 1e-6), "{high}");
        // The same, paired = TRUE: t = -4.0621, df = 9, interval -2.4598858 -0.7001142.
        let paired = Difference::paired(&FIRST, &SECOND).unwrap();
        assert!(close(paired.mean / paired.error, -4.0621, 5e-5));
        assert_eq!(paired.freedom, 9.0);
        let Interval { low, high } = paired.interval(0.95).unwrap();
        assert!(close(low, -2.459_885_8, 1e-6) && close(high, -0.700_114_2, 1e-6));
    }

    #[test]
    fn extremes() {
        assert_eq!(Difference::welch(&[], &[1.0]), None);
        assert_eq!(Difference::welch(&[1.0, f64::NAN], &[1.0, 2.0]), None);
        assert_eq!(Difference::paired(&[1.0], &[1.0, 2.0]), None);
        for one in [
            Difference::welch(&[1.0], &[2.0, 3.0]).unwrap(),
            Difference::paired(&[1.0], &[2.0]).unwrap(),
        ] {
            assert_eq!(one.interval(0.95), None);
        }
        let constants = Difference::welch(&[0.1; 3], &[0.3; 4]).unwrap();
        let interval = constants.interval(0.999).unwrap();
        assert!(close(interval.low, -0.2, 1e-12) && close(interval.high, -0.2, 1e-12));
        assert_eq!(relative_change(&[1.0, 2.0], &[1.0, -1.0]), None);
        let one = relative_change(&[3.0], &[2.0, 2.0]).unwrap();
        assert_eq!(one.range, Range::Unknown);
        let vague = relative_change(&[1.0, 2.0, 3.0], &[-1.0, 0.5, 1.0]).unwrap();
        assert!(vague.range.is_unbounded());
    }

    proptest! {
        #[test]
        fn paired_is_what_the_tables_show(
            pairs in proptest::collection::vec((-9.0..9.0f64, -9.0..9.0f64), 2..20),
        ) {
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let mine = Difference::paired(&a, &b).unwrap();
            let shown = difference(&a, &b).unwrap();
            prop_assert!(close(mine.mean, shown.mean, 1e-9));
            let (mine, shown) = (mine.interval(LEVEL).unwrap(), shown.interval.unwrap());
            prop_assert!(close(mine.low, shown.low, 1e-6) && close(mine.high, shown.high, 1e-6));
        }

        /// The definition of the set: its ends are where the test is just not rejected.
        #[test]
        fn the_ends_of_a_ratio_are_where_the_test_turns(
            a in proptest::collection::vec(1.0..9.0f64, 3..20),
            b in proptest::collection::vec(5.0..9.0f64, 3..20),
        ) {
            let Some(RelativeChange { change, range: Range::Bounded(ends) }) =
                relative_change(&a, &b)
            else {
                return Ok(());
            };
            prop_assert!(ends.contains(change));
            let against = |ratio: f64| {
                let scaled: Vec<f64> = b.iter().map(|b| b * ratio).collect();
                Difference::welch(&a, &scaled).unwrap()
            };
            let t = against(change + 1.0).quantile(LEVEL).unwrap();
            for ratio in [ends.low + 1.0, ends.high + 1.0] {
                let at = against(ratio);
                prop_assert!(close(at.mean.abs() / at.error / t, 1.0, 1e-6), "{ratio}");
            }
        }
    }
}
