//! Bursty arrivals: independent gaps with a gamma distribution.
//!
//! One number more than a Poisson process, the coefficient of variation of the gaps: 1 is Poisson,
//! above it requests come in clumps, below it they keep a distance. Single clients of real services
//! have 1 to 10 (`ServeGen`, arXiv 2505.09999, whose gaps are gamma or Weibull; the public
//! benchmark clients of serving engines state burstiness in the same way).
//!
//! It starts in equilibrium, as if it had run for ever: the first arrival lies at a uniform place
//! of a gap that is long in proportion to its length (Cox, "Renewal Theory", 1962, section 5.4).
//! With an ordinary gap first, a burst would always begin at the start of a run, and the mean count
//! would be `(cv^2 - 1) / 2` requests off.

use super::precise::PreciseTime;
use crate::distribution::{Distribution, InvalidDistribution};
use crate::rng::Rng;
use crate::time::Timestamp;
use crate::units::Rate;

/// Gaps with mean 1, and the gap that covers a given point in time.
#[derive(Clone, Debug)]
pub struct GammaGaps {
    gap: Distribution,
    covering: Distribution,
}

impl GammaGaps {
    /// Gaps with this coefficient of variation (standard deviation / mean).
    ///
    /// # Errors
    /// If `cv` is not between 0.01 and 100.
    pub fn new(cv: f64) -> Result<Self, InvalidDistribution> {
        if !(0.01..=100.0).contains(&cv) {
            return Err(InvalidDistribution("cv must be between 0.01 and 100"));
        }
        // In proportion to its length, a gamma has one more in its shape, and the same scale.
        let longer = 1.0 + cv * cv;
        Ok(Self {
            gap: Distribution::gamma(1.0, cv)?,
            covering: Distribution::gamma(longer, cv / longer.sqrt())?,
        })
    }
}

/// A renewal process with gamma gaps.
#[derive(Clone, Debug)]
pub struct Gamma {
    gap: Distribution,
    mean_gap_nanos: f64,
    /// The first gap, until it is taken.
    first: Option<f64>,
    last: PreciseTime,
    rng: Rng,
}

impl Gamma {
    /// A process of the given mean rate, above 0.
    pub fn new(rate: Rate, gaps: &GammaGaps, mut rng: Rng) -> Self {
        let place = rng.uniform();
        Self {
            first: Some(place * gaps.covering.sample(&mut rng)),
            gap: gaps.gap.clone(),
            mean_gap_nanos: (1e9 / rate.as_per_second()).min(f64::MAX),
            last: PreciseTime::ZERO,
            rng,
        }
    }

    /// The next arrival.
    #[inline]
    pub fn next(&mut self) -> Timestamp {
        let first = self.first.take();
        let gap = first.unwrap_or_else(|| self.gap.sample(&mut self.rng));
        self.last.advance(self.mean_gap_nanos * gap)
    }
}

#[cfg(test)]
mod tests {
    use super::super::oracle::{assert_counts, assert_moments};
    use super::*;

    fn process(rate: f64, cv: f64, seed: u64) -> Gamma {
        let rate = Rate::per_second(rate).unwrap();
        Gamma::new(rate, &GammaGaps::new(cv).unwrap(), Rng::from_state(seed))
    }

    #[test]
    fn gaps_have_the_mean_and_the_variation_stated() {
        for cv in [0.05, 0.5, 1.0, 3.0] {
            let mut gamma = process(20.0, cv, 21);
            let mut last = gamma.next();
            let gaps: Vec<f64> = (0..200_000)
                .map(|_| {
                    let at = gamma.next();
                    at.since(std::mem::replace(&mut last, at)).as_secs_f64()
                })
                .collect();
            assert_moments(&format!("gaps, cv {cv}"), &gaps, 0.05, (0.05 * cv).powi(2));
        }
    }

    /// Counts in equilibrium: the mean is rate x length for every length, and the variance is
    /// `cv^2 rate t + (1 - cv^4) / 6` once t is long (Cox, section 4.5: the constant is
    /// `1/6 + cv^4 / 2 - skewness cv^3 / 3`, and the skewness of a gamma is 2 cv). Divided by the
    /// mean it goes to `cv^2`, the index of dispersion.
    #[test]
    fn counts_have_the_mean_and_variance_of_theory() {
        for (cv, mean) in [(0.3f64, 20.0), (1.0, 3.0), (2.0, 200.0), (4.0, 2_000.0)] {
            let variance = cv * cv * mean + (1.0 - cv.powi(4)) / 6.0;
            assert_counts(&format!("cv {cv}"), 6_000, mean, variance, |seed| {
                let mut gamma = process(mean, cv, seed);
                std::iter::from_fn(move || Some(gamma.next()))
            });
        }
    }

    /// However bursty, no request more or less is to be expected in the first moments of a run.
    #[test]
    fn it_starts_in_equilibrium() {
        const RUNS: u32 = 100_000;
        for cv in [0.2, 2.0, 8.0] {
            let counts: Vec<f64> = (0..RUNS)
                .map(|seed| {
                    let mut gamma = process(0.1, cv, u64::from(seed) << 20);
                    let second = Timestamp::from_nanos(1_000_000_000);
                    std::iter::from_fn(|| Some(gamma.next()).filter(|at| *at < second)).count()
                })
                .map(|count| count as f64)
                .collect();
            let n = f64::from(RUNS);
            let mean = counts.iter().sum::<f64>() / n;
            let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / n;
            let error = (variance / n).sqrt();
            assert!((mean - 0.1).abs() < 4.5 * error, "cv {cv}: {mean}");
        }
    }

    #[test]
    fn extremes() {
        for bad in [0.0, 0.009, 100.1, f64::NAN] {
            assert!(GammaGaps::new(bad).is_err(), "{bad}");
        }
        assert_eq!(process(1e-300, 3.0, 1).next(), Timestamp::NEVER);
        let mut clumps = process(1e6, 100.0, 2);
        let all: Vec<Timestamp> = (0..100_000).map(|_| clumps.next()).collect();
        assert!(all.is_sorted());
    }
}
