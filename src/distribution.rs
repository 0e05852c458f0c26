//! Distributions of times and token counts.
//!
//! They stand in the vocabulary because both sides need them: the workload (tokens) and the
//! upstream (latency). Each is validated once, when it is made; sampling then cannot fail. Normal,
//! exponential and gamma variates come from `rand_distr` (ziggurat and Marsaglia-Tsang); `exp` and
//! `ln` of our own do not depend on the platform's C library: samples use one made for speed, all
//! else goes through `libm`.
//!
//! Families with something to say for themselves stand in a file each; the three that nearly every
//! draw is from stand here, beside the place where they are inlined.

mod empirical;
mod gamma;
mod hyperexponential;
mod mixture;
#[cfg(test)]
mod oracle;
mod pareto;
#[cfg(test)]
mod tests;
mod weibull;

pub use weibull::Weibull;

pub use empirical::Interpolation;

use crate::rng::Rng;
use crate::time::Duration;
use empirical::Empirical;
use gamma::Gamma;
use hyperexponential::Hyperexponential;
use mixture::Mixture;
use pareto::Pareto;
use rand_distr::{Distribution as _, Exp1, StandardNormal};

/// A distribution on the non-negative numbers. The unit (seconds or tokens) is that of its
/// parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution(Law);

#[derive(Clone, Debug, PartialEq)]
enum Law {
    Constant(f64),
    Exponential {
        mean: f64,
    },
    /// `exp(mu + sigma z)`.
    Lognormal {
        mu: f64,
        sigma: f64,
    },
    Gamma(Gamma),
    Uniform {
        low: f64,
        width: f64,
    },
    Mixture(Mixture),
    Weibull(Weibull),
    Pareto(Pareto),
    Hyperexponential(Hyperexponential),
    Empirical(Empirical),
}

/// Why a distribution cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidDistribution(
    /// What is wrong, and what is allowed.
    pub &'static str,
);

impl std::fmt::Display for InvalidDistribution {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidDistribution {}

fn require(condition: bool, message: &'static str) -> Result<(), InvalidDistribution> {
    if condition {
        Ok(())
    } else {
        Err(InvalidDistribution(message))
    }
}

fn positive(x: f64) -> bool {
    x > 0.0 && x.is_finite()
}

impl Distribution {
    /// Always `value`.
    ///
    /// # Errors
    /// If `value` is negative or not finite.
    pub fn constant(value: f64) -> Result<Self, InvalidDistribution> {
        require(
            value >= 0.0 && value.is_finite(),
            "the value must be 0 or more, and finite",
        )?;
        Ok(Self(Law::Constant(value)))
    }

    /// Exponential with the given mean.
    ///
    /// # Errors
    /// If `mean` is not positive and finite.
    pub fn exponential(mean: f64) -> Result<Self, InvalidDistribution> {
        require(positive(mean), "the mean must be above 0, and finite")?;
        Ok(Self(Law::Exponential { mean }))
    }

    /// Lognormal by its median and the standard deviation of its logarithm.
    ///
    /// # Errors
    /// If `median` is not positive, or `sigma` negative, or one is not finite.
    pub fn lognormal(median: f64, sigma: f64) -> Result<Self, InvalidDistribution> {
        require(positive(median), "the median must be above 0, and finite")?;
        require(
            (0.0..=10.0).contains(&sigma),
            "sigma must be between 0 and 10",
        )?;
        Ok(Self(Law::Lognormal {
            mu: libm::log(median),
            sigma,
        }))
    }

    /// Lognormal by its mean and coefficient of variation (standard deviation / mean).
    ///
    /// # Errors
    /// If `mean` is not positive, or `cv` negative, or one is not finite.
    pub fn lognormal_from_mean(mean: f64, cv: f64) -> Result<Self, InvalidDistribution> {
        require(positive(mean), "the mean must be above 0, and finite")?;
        require((0.0..=1e6).contains(&cv), "cv must be between 0 and 1e6")?;
        let variance = libm::log1p(cv * cv);
        Ok(Self(Law::Lognormal {
            mu: libm::log(mean) - variance / 2.0,
            sigma: variance.sqrt(),
        }))
    }

    /// Gamma by its mean and coefficient of variation: shape `1 / cv^2`.
    ///
    /// # Errors
    /// If `mean` is not positive and finite, or `cv` is not between 0.001 and 1000.
    pub fn gamma(mean: f64, cv: f64) -> Result<Self, InvalidDistribution> {
        Gamma::new(mean, cv).map(|law| Self(Law::Gamma(law)))
    }

    /// Erlang by its mean and number of stages: the sum of so many equal exponential times.
    ///
    /// # Errors
    /// If `mean` is not positive and finite, or `stages` is not between 1 and 1000.
    pub fn erlang(mean: f64, stages: u32) -> Result<Self, InvalidDistribution> {
        Gamma::erlang(mean, stages).map(|law| Self(Law::Gamma(law)))
    }

    /// Uniform between `low` and `high`.
    ///
    /// # Errors
    /// If `low` is negative, or above `high`, or one is not finite.
    pub fn uniform(low: f64, high: f64) -> Result<Self, InvalidDistribution> {
        require(
            low >= 0.0 && high.is_finite(),
            "low must be 0 or more, high finite",
        )?;
        require(low <= high, "low must not be above high")?;
        Ok(Self(Law::Uniform {
            low,
            width: high - low,
        }))
    }

    /// One of `parts`, chosen by weight. Weights need not add up to 1.
    ///
    /// # Errors
    /// If there is no part, a weight is negative or not finite, or all are 0.
    pub fn mixture(parts: Vec<(f64, Self)>) -> Result<Self, InvalidDistribution> {
        let laws = parts.into_iter().map(|(weight, part)| (weight, part.0));
        Mixture::new(laws.collect()).map(|law| Self(Law::Mixture(law)))
    }

    /// Weibull by its scale (the 63rd percentile) and shape: below 1 for many small values and few
    /// large ones, 1 for an exponential, above 1 for values around the scale.
    ///
    /// # Errors
    /// If `scale` is not positive and finite, or `shape` is not between 0.1 and 100.
    pub fn weibull(scale: f64, shape: f64) -> Result<Self, InvalidDistribution> {
        Weibull::new(scale, shape).map(|law| Self(Law::Weibull(law)))
    }

    /// Weibull by its mean and shape.
    ///
    /// # Errors
    /// If `mean` is not positive and finite, or `shape` is not between 0.1 and 100.
    pub fn weibull_from_mean(mean: f64, shape: f64) -> Result<Self, InvalidDistribution> {
        Weibull::from_mean(mean, shape).map(|law| Self(Law::Weibull(law)))
    }

    /// Pareto between two bounds: the share above `x` falls like `x^-shape`, from 1 at `low` to 0
    /// at `high`.
    ///
    /// # Errors
    /// If `low` is not positive, or `high` not above it and finite, or `shape` is not between 0.01
    /// and 100.
    pub fn pareto(low: f64, high: f64, shape: f64) -> Result<Self, InvalidDistribution> {
        Pareto::new(low, high, shape).map(|law| Self(Law::Pareto(law)))
    }

    /// Hyperexponential by its mean and coefficient of variation: one of two exponentials, each of
    /// which contributes half of the mean.
    ///
    /// # Errors
    /// If `mean` is not positive and finite, or `cv` is not between 1 and 1000.
    pub fn hyperexponential(mean: f64, cv: f64) -> Result<Self, InvalidDistribution> {
        Hyperexponential::new(mean, cv).map(|law| Self(Law::Hyperexponential(law)))
    }

    /// Quantiles that somebody measured: pairs of (probability, value), and between them a value
    /// interpolated.
    ///
    /// # Errors
    /// If there are not 2 to 10,000 pairs, if the first probability is not 0 or the last not 1, if
    /// probabilities do not rise or values fall, if a value is negative or not finite, or if one is
    /// 0 and the interpolation goes by logarithms.
    pub fn empirical(
        quantiles: &[(f64, f64)],
        between: Interpolation,
    ) -> Result<Self, InvalidDistribution> {
        Empirical::new(quantiles, between).map(|law| Self(Law::Empirical(law)))
    }

    /// One draw.
    #[inline(always)]
    pub fn sample(&self, rng: &mut Rng) -> f64 {
        self.0.sample(rng)
    }

    /// One draw in seconds, as a length of time.
    #[inline(always)]
    pub fn sample_duration(&self, rng: &mut Rng) -> Duration {
        Duration::from_secs_f64(self.sample(rng))
    }

    /// One draw as a count: rounded to the nearest integer, kept within `0..=u32::MAX`.
    #[inline(always)]
    pub fn sample_count(&self, rng: &mut Rng) -> u32 {
        (self.sample(rng) + 0.5) as u32
    }

    /// Expected value.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.0.mean()
    }

    /// Variance.
    #[must_use]
    pub fn variance(&self) -> f64 {
        self.0.variance()
    }

    /// Largest value that a draw can take; infinite where there is none.
    #[must_use]
    pub fn upper_bound(&self) -> f64 {
        self.0.upper_bound()
    }
}

impl Law {
    /// The laws that nearly every draw is from are inlined where they are drawn.
    #[inline(always)]
    fn sample(&self, rng: &mut Rng) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Exponential { mean } => {
                let x: f64 = Exp1.sample(rng);
                mean * x
            }
            Self::Lognormal { mu, sigma } => {
                let z: f64 = StandardNormal.sample(rng);
                crate::exp::exp(mu + sigma * z)
            }
            _ => self.sample_rarer(rng),
        }
    }

    #[inline(never)]
    fn sample_rarer(&self, rng: &mut Rng) -> f64 {
        match self {
            Self::Gamma(law) => law.sample(rng),
            Self::Uniform { low, width } => low + width * rng.uniform(),
            Self::Mixture(law) => law.sample(rng),
            Self::Weibull(law) => law.sample(rng),
            Self::Pareto(law) => law.sample(rng),
            Self::Hyperexponential(law) => law.sample(rng),
            Self::Empirical(law) => law.sample(rng),
            Self::Constant(_) | Self::Exponential { .. } | Self::Lognormal { .. } => {
                self.sample(rng)
            }
        }
    }

    fn mean(&self) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Exponential { mean } => *mean,
            Self::Lognormal { mu, sigma } => libm::exp(mu + sigma * sigma / 2.0),
            Self::Gamma(law) => law.mean(),
            Self::Uniform { low, width } => low + width / 2.0,
            Self::Mixture(law) => law.mean(),
            Self::Weibull(law) => law.mean(),
            Self::Pareto(law) => law.mean(),
            Self::Hyperexponential(law) => law.mean(),
            Self::Empirical(law) => law.mean(),
        }
    }

    fn variance(&self) -> f64 {
        match self {
            Self::Constant(_) => 0.0,
            Self::Exponential { mean } => mean * mean,
            Self::Lognormal { sigma, .. } => libm::expm1(sigma * sigma) * self.mean().powi(2),
            Self::Gamma(law) => law.variance(),
            Self::Uniform { width, .. } => width * width / 12.0,
            Self::Mixture(law) => law.variance(),
            Self::Weibull(law) => law.variance(),
            Self::Pareto(law) => law.variance(),
            Self::Hyperexponential(law) => law.variance(),
            Self::Empirical(law) => law.variance(),
        }
    }

    fn upper_bound(&self) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Uniform { low, width } => low + width,
            Self::Mixture(law) => law.upper_bound(),
            Self::Pareto(law) => law.upper_bound(),
            Self::Empirical(law) => law.upper_bound(),
            Self::Exponential { .. }
            | Self::Lognormal { .. }
            | Self::Gamma(_)
            | Self::Weibull(_)
            | Self::Hyperexponential(_) => f64::INFINITY,
        }
    }
}

/// `(e^x - 1) / x`, the mean of `e^t` over `t` from 0 to `x`; 1 at 0.
pub(crate) fn mean_exponential(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { libm::expm1(x) / x }
}
