//! Weibull: times that depend on how long one has waited already.
//!
//! The shape says how: below 1 the longer a thing has lasted, the longer it will still last
//! (incidents of real providers have 0.70, gaps between the requests of one client 0.3 to 0.6 in
//! the `ServeGen` traces), above 1 things wear out. A gamma of the same mean and variance is close
//! to it in the middle, but not in the tail. Sampled by inversion of an exponential (Weibull, "A
//! statistical distribution function of wide applicability", 1951).

use super::{InvalidDistribution, positive, require};
use crate::rng::Rng;
use rand_distr::{Distribution as _, Exp1};

/// A Weibull distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weibull {
    scale: f64,
    shape: f64,
}

impl Weibull {
    pub(super) fn new(scale: f64, shape: f64) -> Result<Self, InvalidDistribution> {
        require(positive(scale), "the scale must be above 0, and finite")?;
        require(
            (0.1..=100.0).contains(&shape),
            "the shape must be between 0.1 and 100",
        )?;
        Ok(Self { scale, shape })
    }

    /// By its mean, above 0 and finite, and its shape, 0.1 to 100.
    ///
    /// # Errors
    /// If one is out of range.
    pub fn from_mean(mean: f64, shape: f64) -> Result<Self, InvalidDistribution> {
        require(positive(mean), "the mean must be above 0, and finite")?;
        let unit = Self::new(1.0, shape)?;
        Self::new(mean / unit.mean(), shape)
    }

    pub(super) fn sample(&self, rng: &mut Rng) -> f64 {
        let x: f64 = Exp1.sample(rng);
        self.scale * crate::exp::exp(libm::log(x) / self.shape)
    }

    /// The value that a draw is below with probability `p`, in [0, 1).
    #[must_use]
    pub fn quantile(&self, p: f64) -> f64 {
        self.scale * libm::pow(-libm::log1p(-p), 1.0 / self.shape)
    }

    /// Expected value.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.moment(1.0)
    }

    pub(super) fn variance(&self) -> f64 {
        self.moment(2.0) - self.mean().powi(2)
    }

    fn moment(&self, order: f64) -> f64 {
        libm::pow(self.scale, order) * libm::tgamma(1.0 + order / self.shape)
    }
}

#[cfg(test)]
mod tests {
    use crate::distribution::Distribution;
    use crate::distribution::oracle::{assert_law, assert_share_below};
    use statrs::distribution::{ContinuousCDF, Weibull};
    use statrs::statistics::Distribution as _;

    #[test]
    fn it_has_the_distribution_of_theory() {
        for shape in [0.3, 0.7, 1.0, 2.0, 10.0] {
            let theory = Weibull::new(shape, 2.0).unwrap();
            let law = Distribution::weibull(2.0, shape).unwrap();
            assert_law(&law, |x| theory.cdf(x));
            let mean = theory.mean().unwrap();
            let variance = theory.variance().unwrap();
            assert!((law.mean() / mean - 1.0).abs() < 1e-10, "{shape}");
            assert!((law.variance() / variance - 1.0).abs() < 1e-9, "{shape}");
        }
    }

    /// Shape 1 is exponential, shape 2 is Rayleigh; and the scale is the 63.2 % quantile of all.
    #[test]
    fn it_has_the_known_quantiles() {
        let law = |shape| Distribution::weibull(1.0, shape).unwrap();
        for shape in [0.5, 1.0, 3.0] {
            assert_share_below(&law(shape), 1.0, 0.632_120_558_8);
        }
        assert_share_below(&law(1.0), 4.605_170_186, 0.99);
        // The median of a Rayleigh with sigma 1, which is a Weibull with scale sqrt(2).
        assert_share_below(&law(2.0), 1.177_410_023 / std::f64::consts::SQRT_2, 0.5);
    }

    /// Of the published law of Anthropic's incidents: 91 h in the mean with shape 0.70. The scale
    /// is 91 h / gamma(1 + 1 / 0.7) = 91 h / 1.26582, and the median that, times ln(2) to the 1 /
    /// 0.7.
    #[test]
    fn quantiles_are_those_of_theory() {
        let law = super::Weibull::from_mean(91.0, 0.7).unwrap();
        assert!((law.mean() - 91.0).abs() < 1e-9);
        let median = law.quantile(0.5);
        assert!((median - 42.59).abs() < 0.01, "{median}");
        let exponential = super::Weibull::from_mean(10.0, 1.0).unwrap();
        for p in [0.0, 0.1, 0.5, 0.99] {
            assert!((exponential.quantile(p) + 10.0 * libm::log(1.0 - p)).abs() < 1e-9);
        }
    }

    #[test]
    fn a_mean_may_be_stated_in_place_of_a_scale() {
        for shape in [0.1, 0.7, 1.0, 100.0] {
            let law = Distribution::weibull_from_mean(91.0, shape).unwrap();
            assert!((law.mean() / 91.0 - 1.0).abs() < 1e-12, "{shape}");
            assert!(law.variance() > 0.0);
        }
        assert!(Distribution::weibull_from_mean(1.0, 0.09).is_err());
        assert!(Distribution::weibull_from_mean(0.0, 1.0).is_err());
        assert!(Distribution::weibull(f64::INFINITY, 1.0).is_err());
    }
}
