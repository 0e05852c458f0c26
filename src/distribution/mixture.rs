//! One of several distributions, chosen by weight: the common case and the rare one.
//!
//! Real first-token times are lognormal but for one in a hundred that takes ten seconds or more; no
//! single family has that gap, and fitting one to both misses both.

use super::{InvalidDistribution, Law, positive, require};
use crate::rng::Rng;

/// Parts with the cumulated probability up to and including each; the last is 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mixture(Box<[(f64, Law)]>);

impl Mixture {
    pub(super) fn new(parts: Vec<(f64, Law)>) -> Result<Self, InvalidDistribution> {
        let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
        require(
            parts.iter().all(|(weight, _)| *weight >= 0.0) && positive(total),
            "weights must be 0 or more, finite, and one of them above 0",
        )?;
        let mut cumulated = 0.0;
        let mut parts: Box<[(f64, Law)]> = parts
            .into_iter()
            .filter(|(weight, _)| *weight > 0.0)
            .map(|(weight, part)| {
                cumulated += weight / total;
                (cumulated, part)
            })
            .collect();
        if let Some(last) = parts.last_mut() {
            last.0 = 1.0;
        }
        Ok(Self(parts))
    }

    pub(super) fn sample(&self, rng: &mut Rng) -> f64 {
        let u = rng.uniform();
        let chosen = self.0.iter().find(|(cumulated, _)| u < *cumulated);
        chosen.map_or(0.0, |(_, part)| part.sample(rng))
    }

    pub(super) fn mean(&self) -> f64 {
        self.weighted(Law::mean)
    }

    pub(super) fn variance(&self) -> f64 {
        let second = self.weighted(|part| part.variance() + part.mean().powi(2));
        second - self.mean().powi(2)
    }

    pub(super) fn upper_bound(&self) -> f64 {
        let bounds = self.0.iter().map(|(_, part)| part.upper_bound());
        bounds.fold(0.0, f64::max)
    }

    /// Sum of `f(part)` weighted by the probability of each part.
    fn weighted(&self, f: impl Fn(&Law) -> f64) -> f64 {
        let mut before = 0.0;
        self.0
            .iter()
            .map(|(cumulated, part)| {
                let probability = cumulated - std::mem::replace(&mut before, *cumulated);
                probability * f(part)
            })
            .sum()
    }
}
