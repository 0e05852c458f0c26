//! Hyperexponential: more variable than an exponential, with formulas that stay simple.
//!
//! One of two exponentials, the fast one nearly always. Two moments leave one parameter open; it is
//! settled by *balanced means*: both contribute half of the mean (Whitt, "Approximating a point
//! process by a renewal process, I", 1982). It is what queueing theory means by "cv above 1", so
//! that published results can be compared; other pairs are a `mixture`.

use super::{InvalidDistribution, positive, require};
use crate::rng::Rng;
use rand_distr::{Distribution as _, Exp1};

/// A hyperexponential distribution of two exponentials with balanced means.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hyperexponential {
    /// Probability of the slow exponential, at most one half.
    slow_share: f64,
    fast_mean: f64,
    slow_mean: f64,
}

impl Hyperexponential {
    pub(super) fn new(mean: f64, cv: f64) -> Result<Self, InvalidDistribution> {
        require(positive(mean), "the mean must be above 0, and finite")?;
        require(
            (1.0..=1e3).contains(&cv),
            "cv must be between 1 and 1000; below 1 use gamma or erlang",
        )?;
        // (1 - sqrt((c - 1) / (c + 1))) / 2 for c = cv^2, in a form that keeps its digits.
        let square = cv * cv;
        let root = ((square - 1.0) / (square + 1.0)).sqrt();
        let slow_share = 1.0 / ((square + 1.0) * (1.0 + root));
        Ok(Self {
            slow_share,
            fast_mean: mean / (2.0 * (1.0 - slow_share)),
            slow_mean: mean / (2.0 * slow_share),
        })
    }

    pub(super) fn sample(&self, rng: &mut Rng) -> f64 {
        let mean = if rng.uniform() < self.slow_share {
            self.slow_mean
        } else {
            self.fast_mean
        };
        let x: f64 = Exp1.sample(rng);
        mean * x
    }

    pub(super) fn mean(&self) -> f64 {
        self.average(self.fast_mean, self.slow_mean)
    }

    pub(super) fn variance(&self) -> f64 {
        let second = self.average(self.fast_mean.powi(2), self.slow_mean.powi(2));
        2.0 * second - self.mean().powi(2)
    }

    fn average(&self, fast: f64, slow: f64) -> f64 {
        (1.0 - self.slow_share) * fast + self.slow_share * slow
    }
}

#[cfg(test)]
mod tests {
    use crate::distribution::Distribution;
    use crate::distribution::oracle::assert_law;

    #[test]
    fn it_has_the_distribution_and_moments_of_theory() {
        for cv in [1.0f64, 1.2, 2.0, 5.0, 20.0] {
            let law = Distribution::hyperexponential(3.0, cv).unwrap();
            let square = cv * cv;
            let fast = (1.0 + ((square - 1.0) / (square + 1.0)).sqrt()) / 2.0;
            let above = |share: f64, x: f64| share * (-2.0 * share * x / 3.0).exp();
            assert_law(&law, |x| 1.0 - above(fast, x) - above(1.0 - fast, x));
            assert!((law.mean() / 3.0 - 1.0).abs() < 1e-12, "{cv}");
            let variance = 9.0 * square;
            assert!((law.variance() / variance - 1.0).abs() < 1e-9, "{cv}");
        }
        for bad in [0.99, f64::NAN, 1001.0] {
            assert!(Distribution::hyperexponential(1.0, bad).is_err(), "{bad}");
        }
    }
}
