//! The Weibull law of the time between incidents.
//!
//! Published incident histories of model providers are burstier than a Poisson process: the hazard
//! is highest just after an incident (shape below 1). An exponential is the case of shape 1.

use crate::rng::Rng;

/// A Weibull distribution of seconds, by its mean and shape.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Weibull {
    shape: f64,
    scale: f64,
}

impl Weibull {
    /// With this mean, above 0 and finite, and this shape, 0.2 to 20; `None` outside of that.
    #[must_use]
    pub fn new(mean: f64, shape: f64) -> Option<Self> {
        let good = mean > 0.0 && mean.is_finite() && (0.2..=20.0).contains(&shape);
        good.then(|| Self {
            shape,
            scale: mean / libm::tgamma(1.0 + 1.0 / shape),
        })
    }

    /// Expected value in seconds.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.scale * libm::tgamma(1.0 + 1.0 / self.shape)
    }

    /// The value, in seconds, that a draw is below with probability `p`, in [0, 1).
    #[must_use]
    pub fn quantile(&self, p: f64) -> f64 {
        self.scale * libm::pow(-libm::log1p(-p), 1.0 / self.shape)
    }

    /// One draw in seconds, by inversion.
    pub fn sample(&self, rng: &mut Rng) -> f64 {
        self.quantile(rng.uniform())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the published law of Anthropic's incidents: 91 h in the mean with shape 0.70. The scale
    /// is 91 h / gamma(1 + 1 / 0.7) = 91 h / 1.26582, and the median that, times ln(2) to the 1 /
    /// 0.7.
    #[test]
    fn mean_and_quantiles_are_those_of_theory() {
        let law = Weibull::new(91.0, 0.7).unwrap();
        assert!((law.mean() - 91.0).abs() < 1e-9);
        assert!(
            (law.quantile(0.5) - 42.59).abs() < 0.01,
            "{}",
            law.quantile(0.5)
        );
        let exponential = Weibull::new(10.0, 1.0).unwrap();
        for p in [0.0, 0.1, 0.5, 0.99] {
            assert!((exponential.quantile(p) + 10.0 * libm::log(1.0 - p)).abs() < 1e-9);
        }
        assert!(Weibull::new(0.0, 1.0).is_none() && Weibull::new(1.0, 0.1).is_none());
    }
}
