//! Relative change A/B - 1 with a paired Fieller interval.
//!
//! The mean of per-replication ratios is another quantity than the ratio of the means and is biased
//! by replications with a small denominator, so the ratio of means is shown, with the interval of
//! E. C. Fieller ("Some problems in interval estimation", JRSS B 16, 1954): all ratios r for which
//! a t test does not reject mean(A - r B) = 0. With B not clearly different from zero that set is
//! not an interval at all; then this says so instead of inventing one (the delta method would).

use super::alpha::Alpha;
use super::mean::{covariance, mean, t_quantile};
use super::{Bounds, Interval, all_finite};

/// How the mean of A relates to the mean of B.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RelativeChange {
    /// mean(A) / mean(B) - 1.
    pub change: f64,
    /// What is known about it.
    pub range: Range,
}

/// The confidence set of a ratio.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Range {
    /// A single replication: nothing is known.
    Unknown,
    /// An ordinary interval.
    Bounded(Interval),
    /// The denominator is not clearly different from zero: any ratio but those strictly between
    /// these two.
    Outside(Interval),
    /// The denominator is not clearly different from zero, and any ratio at all is possible.
    Anything,
}

impl Range {
    /// The interval, if there is one.
    #[must_use]
    pub const fn interval(self) -> Option<Interval> {
        match self {
            Self::Bounded(interval) => Some(interval),
            Self::Unknown | Self::Outside(_) | Self::Anything => None,
        }
    }

    /// Whether no finite interval holds the ratio with the confidence asked for.
    #[must_use]
    pub const fn is_unbounded(self) -> bool {
        matches!(self, Self::Outside(_) | Self::Anything)
    }
}

impl RelativeChange {
    /// With the part of the interval that is possible where neither A nor B can be negative: what
    /// becomes nothing has changed by -1.
    #[must_use]
    pub fn of_not_negative(self) -> Self {
        let possible = Bounds {
            low: -1.0,
            high: f64::INFINITY,
        };
        let range = match self.range {
            Range::Bounded(interval) => Range::Bounded(interval.within(possible)),
            other => other,
        };
        Self { range, ..self }
    }
}

/// Change of A relative to B, paired by replication, with a 95 % set. `None` if the lengths differ,
/// a sample is empty or holds a number that is not finite, or mean(B) is zero.
#[must_use]
pub fn relative_change(a: &[f64], b: &[f64]) -> Option<RelativeChange> {
    relative_change_at(a, b, Alpha::FIVE_PERCENT)
}

/// [`relative_change`] with a set that misses the ratio with probability `alpha`.
#[must_use]
pub fn relative_change_at(a: &[f64], b: &[f64], alpha: Alpha) -> Option<RelativeChange> {
    if a.is_empty() || a.len() != b.len() || !all_finite(a) || !all_finite(b) || mean(b) == 0.0 {
        return None;
    }
    Some(RelativeChange {
        change: mean(a) / mean(b) - 1.0,
        range: t_quantile(a.len(), alpha).map_or(Range::Unknown, |t| fieller(a, b, t)),
    })
}

/// The ratios r with (mean(A) - r mean(B))^2 <= t^2 var(mean(A - r B)), less 1.
fn fieller(a: &[f64], b: &[f64], t: f64) -> Range {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let scale = t * t / a.len() as f64;
    Range::below_zero(
        mean_b * mean_b - scale * covariance(b, b),
        mean_a * mean_b - scale * covariance(a, b),
        mean_a * mean_a - scale * covariance(a, a),
    )
}

impl Range {
    /// The ratios r with `square` r^2 - 2 `linear` r + `constant` <= 0, less 1; where `square` is
    /// positive there must be one.
    pub(super) fn below_zero(square: f64, linear: f64, constant: f64) -> Self {
        let discriminant = linear * linear - square * constant;
        // A parabola that opens downwards and has no zeros is below zero everywhere.
        if square == 0.0 || (square < 0.0 && discriminant <= 0.0) {
            return Self::Anything;
        }
        // mean(A) / mean(B) solves the inequality, so where the parabola opens upwards the true
        // discriminant is never negative.
        let root = discriminant.max(0.0).sqrt();
        let ends = [(linear - root) / square, (linear + root) / square].map(|ratio| ratio - 1.0);
        let ends = Interval {
            low: ends[0].min(ends[1]),
            high: ends[0].max(ends[1]),
        };
        if !ends.low.is_finite() || !ends.high.is_finite() {
            Self::Anything
        } else if square > 0.0 {
            Self::Bounded(ends)
        } else {
            Self::Outside(ends)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_interval_computed_by_hand() {
        // n = 3, t = 4.302653, t^2/n = 6.170939. Means 4 and 10, variances 1 and 1, covariance 0.5:
        // 93.829061 r^2 - 2 x 36.914531 r + 9.829061 <= 0.
        let change = relative_change(&[3.0, 4.0, 5.0], &[10.0, 9.0, 11.0]).unwrap();
        let Range::Bounded(interval) = change.range else {
            panic!("{change:?}");
        };
        assert!((change.change + 0.6).abs() < 1e-12);
        assert!((interval.low + 0.830_243_7).abs() < 1e-6, "{interval:?}");
        assert!((interval.high + 0.382_909_9).abs() < 1e-6, "{interval:?}");
    }

    #[test]
    fn a_denominator_near_zero_has_no_interval() {
        let change = relative_change(&[1.0, 2.0, 3.0], &[-1.0, 0.5, 1.0]).unwrap();
        assert!(change.range.is_unbounded() && change.range.interval().is_none());
        // The numerator is not clear of zero either, and nothing ties the two together.
        let change = relative_change(&[1.0, -1.0, 0.5, 0.1], &[1.0, 1.0, -1.0, -0.9]).unwrap();
        assert_eq!(change.range, Range::Anything);
        assert_eq!(relative_change(&[1.0, 2.0], &[1.0, -1.0]), None);
        assert_eq!(relative_change(&[0.0, 0.0], &[0.0, 0.0]), None);
    }

    #[test]
    fn a_clear_numerator_over_an_unclear_denominator_excludes_what_is_near_zero() {
        // n = 4, t = 3.182446. Means 100 and 1, variances 2/3 and 8/3: the ends are where the t
        // test just does not reject, which is the definition.
        let change = relative_change(&[99.0, 101.0, 100.0, 100.0], &[-1.0, 1.0, 3.0, 1.0]);
        let change = change.unwrap();
        let Range::Outside(gap) = change.range else {
            panic!("{change:?}");
        };
        assert!(change.range.is_unbounded() && !gap.contains(change.change));
        let (a, b) = ([99.0, 101.0, 100.0, 100.0], [-1.0, 1.0, 3.0, 1.0]);
        for ratio in [gap.low + 1.0, gap.high + 1.0] {
            let z: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - ratio * b).collect();
            let t = mean(&z).abs() / (covariance(&z, &z) / 4.0).sqrt();
            assert!((t - 3.182_446).abs() < 1e-5, "{ratio}: {t}");
        }
    }

    #[test]
    fn a_smaller_alpha_gives_a_wider_set() {
        let (a, b) = ([3.0, 4.0, 5.0, 4.5], [10.0, 9.0, 11.0, 10.5]);
        let width = |alpha| {
            let change = relative_change_at(&a, &b, Alpha::new(alpha).unwrap()).unwrap();
            change.range.interval().map(|i| i.high - i.low)
        };
        assert!(width(0.05).unwrap() < width(0.01).unwrap());
        // With next to no error allowed nothing is known of the denominator.
        assert_eq!(width(1e-6), None);
    }

    #[test]
    fn extremes() {
        let one = relative_change(&[3.0], &[2.0]).unwrap();
        assert_eq!((one.change, one.range), (0.5, Range::Unknown));
        let same = relative_change(&[0.1; 5], &[0.1; 5]).unwrap();
        let zero = Interval {
            low: 0.0,
            high: 0.0,
        };
        assert_eq!(same.range, Range::Bounded(zero));
        assert_eq!(relative_change(&[], &[]), None);
        assert_eq!(relative_change(&[f64::NAN], &[1.0]), None);
    }

    proptest! {
        /// The definition of the set: its ends are where the t test is just not rejected.
        #[test]
        fn the_ends_are_where_the_t_test_turns(
            pairs in proptest::collection::vec((0.0..9.0f64, 5.0..9.0f64), 3..20),
        ) {
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let Some(Interval { low, high }) =
                relative_change(&a, &b).and_then(|change| change.range.interval())
            else {
                return Ok(());
            };
            for ratio in [low + 1.0, high + 1.0] {
                let z: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - ratio * b).collect();
                let error = (covariance(&z, &z) / z.len() as f64).sqrt();
                let t = mean(&z).abs() / error;
                let quantile = t_quantile(z.len(), Alpha::FIVE_PERCENT).unwrap();
                prop_assert!((t / quantile - 1.0).abs() < 1e-6);
            }
        }
    }
}
