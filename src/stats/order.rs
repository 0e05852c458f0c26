//! Median with an order-statistic interval, and sample quantiles.
//!
//! Times to recovery are skewed and may be censored ("not within 90 s"), so neither a mean nor a
//! t interval means anything. The order-statistic interval assumes nothing but independence: the
//! number of observations below the true median is binomial(n, 1/2), whatever the distribution
//! (H. A. David, H. N. Nagaraja, *Order Statistics*, 3rd ed., section 7.1). A censored observation
//! takes part as infinity: it is later than all that were observed, by how much is not known.

use super::{Interval, LEVEL};
use statrs::distribution::{Binomial, DiscreteCDF};

/// A median and how well it is known. Values may be infinite: "later than was watched".
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Median {
    /// Sample median; infinite if half of the sample or more is censored.
    pub median: f64,
    /// Interval with a coverage of at least 95 %; `None` for fewer than 6 observations, where no
    /// two of them have that coverage.
    pub interval: Option<Interval>,
}

/// Median of a sample; infinity is a valid value. `None` if it is empty or holds NaN.
#[must_use]
pub fn median(sample: &[f64]) -> Option<Median> {
    let sorted = sorted(sample)?;
    Some(Median {
        median: at_share(&sorted, 0.5),
        interval: rank_below_median(sorted.len()).map(|rank| Interval {
            low: sorted[rank - 1],
            high: sorted[sorted.len() - rank],
        }),
    })
}

/// Sample quantile at `share` in [0, 1], linear between order statistics (type 7 of R. J. Hyndman
/// and Y. Fan, "Sample quantiles in statistical packages", 1996). `None` as for [`median`].
#[must_use]
pub fn quantile(sample: &[f64], share: f64) -> Option<f64> {
    Some(at_share(&sorted(sample)?, share.clamp(0.0, 1.0)))
}

fn sorted(sample: &[f64]) -> Option<Vec<f64>> {
    if sample.is_empty() || sample.iter().any(|x| x.is_nan()) {
        return None;
    }
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some(sorted)
}

fn at_share(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let (low, high) = (sorted[below], sorted[above]);
    // Also where both are infinite, whose difference would be NaN.
    if low == high || position == below as f64 {
        return low;
    }
    low + (high - low) * (position - below as f64)
}

/// The largest rank r for which [x_(r), x_(n + 1 - r)] covers the median with at least 95 %.
fn rank_below_median(n: usize) -> Option<usize> {
    (1..=n / 2)
        .take_while(|&rank| coverage(n, rank) >= LEVEL)
        .last()
}

/// Probability that the median lies within [x_(rank), x_(n + 1 - rank)].
fn coverage(n: usize, rank: usize) -> f64 {
    Binomial::new(0.5, n as u64).map_or(0.0, |below| 1.0 - 2.0 * below.cdf(rank as u64 - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_printed_tables() {
        // Sign-test confidence limits of the median, two-sided 95 %: n -> rank of the lower limit
        // (e.g. Conover, Practical Nonparametric Statistics, table A3).
        let table = [
            (6, 1),
            (8, 1),
            (9, 2),
            (10, 2),
            (12, 3),
            (15, 4),
            (20, 6),
            (25, 8),
        ];
        for (n, rank) in table {
            assert_eq!(rank_below_median(n), Some(rank), "{n}");
        }
        (0..6).for_each(|n| assert_eq!(rank_below_median(n), None, "{n}"));
    }

    #[test]
    fn coverage_is_exact() {
        // 1 - 2 (1 + 10) / 1024.
        assert!((coverage(10, 2) - 0.978_515_625).abs() < 1e-12);
        assert!((coverage(6, 1) - 0.968_75).abs() < 1e-12);
    }

    #[test]
    fn censored_observations_take_part() {
        let inf = f64::INFINITY;
        let ten = [3.0, 1.0, inf, 2.0, inf, 4.0, 5.0, 6.0, 7.0, 8.0];
        let result = median(&ten).unwrap();
        assert!((result.median - 5.5).abs() < 1e-12);
        let interval = Interval {
            low: 2.0,
            high: inf,
        };
        assert_eq!(result.interval, Some(interval));
        assert_eq!(median(&[1.0, inf, inf]).unwrap().median, inf);
        assert_eq!(median(&[1.0, inf]).unwrap().median, inf);
        assert_eq!(median(&[inf; 4]).unwrap().median, inf);
    }

    #[test]
    fn quantiles_are_those_of_r() {
        // R: quantile(c(1, 2, 4, 8, 16), c(0, 0.1, 0.5, 0.9, 1)).
        let sample = [8.0, 1.0, 16.0, 2.0, 4.0];
        for (share, expected) in [(0.0, 1.0), (0.1, 1.4), (0.5, 4.0), (0.9, 12.8), (1.0, 16.0)] {
            let got = quantile(&sample, share).unwrap();
            assert!((got - expected).abs() < 1e-12, "{share}: {got}");
        }
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[1.0, f64::NAN], 0.5), None);
        assert_eq!(median(&[3.0]).unwrap().interval, None);
    }
}
