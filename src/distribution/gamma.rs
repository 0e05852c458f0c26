//! Gamma, and Erlang as the gamma of whole stages.
//!
//! By mean and coefficient of variation and not by shape and scale: a measurement has a mean and a
//! spread, and a scenario that changes one keeps the other. An Erlang time is a gamma of integer
//! shape (Erlang 1917, for telephone calls), drawn in one go (Marsaglia and Tsang 2000) where a sum
//! of exponentials would need a draw for each stage.

use super::{InvalidDistribution, positive, require};
use crate::rng::Rng;
use rand_distr::Distribution as _;

/// Most stages of an Erlang.
const MOST_STAGES: u32 = 1_000;

/// A gamma distribution.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gamma {
    shape: f64,
    scale: f64,
    sampler: rand_distr::Gamma<f64>,
}

impl Gamma {
    pub(super) fn new(mean: f64, cv: f64) -> Result<Self, InvalidDistribution> {
        require(positive(mean), "the mean must be above 0, and finite")?;
        require(
            (1e-3..=1e3).contains(&cv),
            "cv must be between 0.001 and 1000",
        )?;
        Self::of(1.0 / (cv * cv), mean * cv * cv)
    }

    pub(super) fn erlang(mean: f64, stages: u32) -> Result<Self, InvalidDistribution> {
        require(positive(mean), "the mean must be above 0, and finite")?;
        require(
            (1..=MOST_STAGES).contains(&stages),
            "stages must be between 1 and 1000",
        )?;
        Self::of(f64::from(stages), mean / f64::from(stages))
    }

    fn of(shape: f64, scale: f64) -> Result<Self, InvalidDistribution> {
        let sampler = rand_distr::Gamma::new(shape, scale)
            .map_err(|_| InvalidDistribution("mean and cv are too extreme for a gamma"))?;
        Ok(Self {
            shape,
            scale,
            sampler,
        })
    }

    pub(super) fn sample(&self, rng: &mut Rng) -> f64 {
        self.sampler.sample(rng)
    }

    pub(super) fn mean(&self) -> f64 {
        self.shape * self.scale
    }

    pub(super) fn variance(&self) -> f64 {
        self.shape * self.scale * self.scale
    }
}

#[cfg(test)]
mod tests {
    use crate::distribution::Distribution;
    use crate::distribution::oracle::{assert_law, assert_share_below};
    use statrs::distribution::{ContinuousCDF, Erlang, Gamma};

    #[test]
    fn gamma_has_the_distribution_of_theory() {
        for cv in [0.1, 0.5, 1.0, 2.0, 8.6] {
            let shape = 1.0 / (cv * cv);
            let theory = Gamma::new(shape, shape / 3.0).unwrap();
            let law = Distribution::gamma(3.0, cv).unwrap();
            assert_law(&law, |x| theory.cdf(x));
        }
    }

    #[test]
    fn erlang_has_the_distribution_of_theory() {
        for stages in [1, 2, 5, 40] {
            let theory = Erlang::new(u64::from(stages), f64::from(stages) / 3.0).unwrap();
            let law = Distribution::erlang(3.0, stages).unwrap();
            assert_law(&law, |x| theory.cdf(x));
            assert!((law.mean() - 3.0).abs() < 1e-12);
            assert!((law.variance() - 9.0 / f64::from(stages)).abs() < 1e-12);
        }
    }

    /// Twice the sum of k unit exponentials is chi-square with 2k degrees of freedom, whose
    /// quantiles every table has.
    #[test]
    fn erlang_has_the_quantiles_of_the_tables() {
        for (stages, share, chi_square) in [
            (1, 0.95, 5.991),
            (5, 0.05, 3.940),
            (5, 0.95, 18.307),
            (5, 0.99, 23.209),
            (15, 0.5, 29.336),
        ] {
            let law = Distribution::erlang(f64::from(stages), stages).unwrap();
            assert_share_below(&law, chi_square / 2.0, share);
        }
    }
}
