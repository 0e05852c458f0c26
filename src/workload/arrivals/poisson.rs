//! Arrivals at random: independent exponential gaps.
//!
//! What many users who know nothing of each other produce; within a minute the public Azure trace
//! of 2023 is indistinguishable from it.

use super::precise::PreciseTime;
use super::unit_exponential;
use crate::rng::Rng;
use crate::time::Timestamp;
use crate::units::Rate;

/// A Poisson process.
#[derive(Clone, Debug)]
pub struct Poisson {
    mean_gap_nanos: f64,
    last: PreciseTime,
    rng: Rng,
}

impl Poisson {
    /// A process of the given mean rate, above 0.
    pub fn new(rate: Rate, rng: Rng) -> Self {
        Self {
            mean_gap_nanos: (1e9 / rate.as_per_second()).min(f64::MAX),
            last: PreciseTime::ZERO,
            rng,
        }
    }

    /// The next arrival.
    #[inline]
    pub fn next(&mut self) -> Timestamp {
        let gap = self.mean_gap_nanos * unit_exponential(&mut self.rng);
        self.last.advance(gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(rate: f64, seed: u64) -> Poisson {
        Poisson::new(Rate::per_second(rate).unwrap(), Rng::from_state(seed))
    }

    /// Counts in disjoint intervals: mean and variance are both rate x length, and the sample
    /// variance has variance `(m + 2 m^2) / n` (fourth central moment `m + 3 m^2`).
    #[test]
    fn counts_have_the_mean_and_variance_of_theory() {
        const INTERVALS: usize = 20_000;
        let expected = 40.0 * 0.5;
        let mut poisson = process(40.0, 11);
        let mut counts = vec![0.0; INTERVALS];
        while let Some(count) = counts.get_mut((poisson.next().as_nanos() / 500_000_000) as usize) {
            *count += 1.0;
        }
        let n = INTERVALS as f64;
        let mean = counts.iter().sum::<f64>() / n;
        let variance = counts.iter().map(|c| (c - expected).powi(2)).sum::<f64>() / n;
        assert!(
            (mean - expected).abs() < 4.5 * (expected / n).sqrt(),
            "{mean}"
        );
        let error = ((expected + 2.0 * expected * expected) / n).sqrt();
        assert!((variance - expected).abs() < 4.5 * error, "{variance}");
    }

    /// The greatest distance between the empirical and the exponential distribution of gaps;
    /// `1.95 / sqrt(n)` is exceeded once in a thousand seeds (Kolmogorov).
    #[test]
    fn gaps_are_exponential() {
        const GAPS: usize = 100_000;
        let mut poisson = process(2.0, 12);
        let mut last = Timestamp::ZERO;
        let mut gaps: Vec<f64> = (0..GAPS)
            .map(|_| {
                let at = poisson.next();
                at.since(std::mem::replace(&mut last, at)).as_secs_f64()
            })
            .collect();
        gaps.sort_by(f64::total_cmp);
        let n = GAPS as f64;
        let distances = gaps.iter().enumerate().map(|(rank, gap)| {
            let theory = -libm::expm1(-2.0 * gap);
            (theory - rank as f64 / n)
                .abs()
                .max((theory - (rank + 1) as f64 / n).abs())
        });
        let greatest = distances.fold(0.0, f64::max);
        assert!(greatest < 1.95 / n.sqrt(), "{greatest}");
    }

    /// With a mean gap of one nanosecond, rounding each gap would be 4 % off.
    #[test]
    fn fractions_of_a_nanosecond_are_not_lost() {
        const ARRIVALS: u32 = 1_000_000;
        let mut poisson = process(1e9, 13);
        let last = (0..ARRIVALS).map(|_| poisson.next()).last().unwrap();
        let off = last.as_nanos() as f64 - f64::from(ARRIVALS);
        assert!(off.abs() < 4.5 * f64::from(ARRIVALS).sqrt(), "{off}");
    }

    #[test]
    fn a_rate_next_to_nothing_has_no_arrival() {
        assert_eq!(process(1e-300, 14).next(), Timestamp::NEVER);
    }
}
