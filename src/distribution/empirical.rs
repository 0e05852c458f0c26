//! Quantiles that somebody measured, without a family that they would have to fit.
//!
//! Published tables say "P50 601, P90 2371, P99 5452", and a law fitted to them misses some of
//! them. Here each stated quantile is met exactly, and a draw is the value at a uniform
//! probability. What lies between two quantiles is an assumption, and either of two:
//!
//! - *linear*: values between them are equally likely;
//! - *log*: their logarithms are. Latencies and token counts have a density that falls across a
//!   wide gap (P99 to the largest, say), and the linear assumption puts too much at its far end:
//!   the `ServeGen` quantiles above, from 1 to 32,000 tokens, have a mean of 1209 by lines and of
//!   981 by logarithms; it was 914.
//!
//! The ends, at probabilities 0 and 1, have to be stated: they are seldom published, and the mean
//! depends on them, so that they should be seen where the numbers are.

use super::{InvalidDistribution, mean_exponential, require};
use crate::rng::Rng;

/// Most quantiles.
const MOST: usize = 10_000;

/// How values between two quantiles are found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interpolation {
    /// Along a straight line.
    Linear,
    /// Along a straight line of the logarithms; values must be above 0.
    Log,
}

/// A distribution by its quantiles.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Empirical {
    /// The probability at which each stretch but the first begins.
    starts: Box<[f64]>,
    stretches: Box<[Stretch]>,
    between: Interpolation,
}

/// What lies between two quantiles.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    /// Probability at which it begins.
    start: f64,
    /// Probability that it holds, above 0.
    width: f64,
    /// Its least value.
    low: f64,
    /// Its largest.
    high: f64,
    /// `high - low`, or the logarithm of `high / low`.
    rise: f64,
}

impl Empirical {
    pub(super) fn new(
        quantiles: &[(f64, f64)],
        between: Interpolation,
    ) -> Result<Self, InvalidDistribution> {
        require(
            (2..=MOST).contains(&quantiles.len()),
            "there must be 2 to 10000 quantiles",
        )?;
        let ends = quantiles.first().zip(quantiles.last());
        require(
            ends.is_some_and(|(first, last)| first.0 == 0.0 && last.0 == 1.0),
            "the first quantile must be at probability 0 (the least value), the last at 1 (the \
             largest)",
        )?;
        let pairs = || quantiles.iter().zip(&quantiles[1..]);
        require(
            pairs().all(|(a, b)| a.0 < b.0),
            "the probabilities must rise",
        )?;
        require(
            quantiles.iter().all(|(_, x)| *x >= 0.0 && x.is_finite())
                && pairs().all(|(a, b)| a.1 <= b.1),
            "the values must be 0 or more, and must not fall",
        )?;
        require(
            between == Interpolation::Linear || quantiles[0].1 > 0.0,
            "interpolation by logarithms needs values above 0; use linear",
        )?;
        Ok(Self {
            starts: quantiles[1..quantiles.len() - 1]
                .iter()
                .map(|q| q.0)
                .collect(),
            stretches: pairs()
                .map(|(a, b)| Stretch::new(*a, *b, between))
                .collect(),
            between,
        })
    }

    pub(super) fn sample(&self, rng: &mut Rng) -> f64 {
        self.quantile(rng.uniform())
    }

    fn quantile(&self, u: f64) -> f64 {
        let stretch = &self.stretches[self.starts.partition_point(|start| *start <= u)];
        let part = (u - stretch.start) / stretch.width;
        let value = match self.between {
            Interpolation::Linear => stretch.low + part * stretch.rise,
            Interpolation::Log => stretch.low * crate::exp::exp(part * stretch.rise),
        };
        value.min(stretch.high)
    }

    pub(super) fn mean(&self) -> f64 {
        self.average(|s| match self.between {
            Interpolation::Linear => f64::midpoint(s.low, s.high),
            Interpolation::Log => s.low * mean_exponential(s.rise),
        })
    }

    /// Around the mean, so that no digits are lost.
    pub(super) fn variance(&self) -> f64 {
        let mean = self.mean();
        self.average(|s| match self.between {
            Interpolation::Linear => {
                (f64::midpoint(s.low, s.high) - mean).powi(2) + s.rise.powi(2) / 12.0
            }
            Interpolation::Log => {
                let own = s.low * mean_exponential(s.rise);
                let second = s.low.powi(2) * mean_exponential(2.0 * s.rise);
                (own - mean).powi(2) + (second - own.powi(2)).max(0.0)
            }
        })
    }

    pub(super) fn upper_bound(&self) -> f64 {
        self.stretches.last().map_or(0.0, |last| last.high)
    }

    fn average(&self, of: impl Fn(&Stretch) -> f64) -> f64 {
        self.stretches.iter().map(|s| s.width * of(s)).sum()
    }
}

impl Stretch {
    fn new(from: (f64, f64), to: (f64, f64), between: Interpolation) -> Self {
        Self {
            start: from.0,
            width: to.0 - from.0,
            low: from.1,
            high: to.1,
            rise: match between {
                Interpolation::Linear => to.1 - from.1,
                Interpolation::Log => libm::log(to.1 / from.1),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::Distribution;
    use crate::distribution::oracle::{assert_law, assert_share_below};

    /// Input tokens of the large model in the `ServeGen` data; the ends are assumed.
    const SERVEGEN: [(f64, f64); 6] = [
        (0.0, 1.0),
        (0.5, 601.0),
        (0.9, 2371.0),
        (0.95, 2404.0),
        (0.99, 5452.0),
        (1.0, 32_000.0),
    ];

    const BOTH: [Interpolation; 2] = [Interpolation::Linear, Interpolation::Log];

    #[test]
    fn stated_quantiles_are_met() {
        for between in BOTH {
            let law = Empirical::new(&SERVEGEN, between).unwrap();
            for (probability, value) in SERVEGEN {
                assert!((law.quantile(probability) / value - 1.0).abs() < 1e-12);
            }
            let law = Distribution::empirical(&SERVEGEN, between).unwrap();
            for (probability, value) in &SERVEGEN[1..5] {
                assert_share_below(&law, *value, *probability);
            }
            assert_eq!(law.upper_bound(), 32_000.0);
        }
    }

    /// Halfway between two quantiles lies their mean: the arithmetic one, or the geometric one.
    #[test]
    fn between_quantiles_values_are_interpolated() {
        let quantiles = [(0.0, 2.0), (0.6, 8.0), (1.0, 8.0)];
        let halfway = |between| Empirical::new(&quantiles, between).unwrap().quantile(0.3);
        assert_eq!(halfway(Interpolation::Linear), 5.0);
        assert!((halfway(Interpolation::Log) - 4.0).abs() < 1e-14);
    }

    #[test]
    fn the_means_of_the_module_documentation() {
        let mean = |between| Empirical::new(&SERVEGEN, between).unwrap().mean();
        assert_eq!(mean(Interpolation::Linear).round(), 1209.0);
        assert_eq!(mean(Interpolation::Log).round(), 981.0);
    }

    /// Two points are a uniform law; by logarithms a reciprocal one, which is the limit of a
    /// bounded Pareto whose shape goes to 0.
    #[test]
    fn two_quantiles_are_a_law_with_a_name() {
        let of = |between| Distribution::empirical(&[(0.0, 2.0), (1.0, 50.0)], between).unwrap();
        let (uniform, reciprocal) = (of(Interpolation::Linear), of(Interpolation::Log));
        assert_law(&uniform, |x| (x - 2.0) / 48.0);
        assert!((uniform.mean() - 26.0).abs() < 1e-12);
        assert!((uniform.variance() - 192.0).abs() < 1e-9);
        let width = 25.0f64.ln();
        assert_law(&reciprocal, |x| (x / 2.0).ln() / width);
        let (mean, second) = (48.0 / width, (2500.0 - 4.0) / (2.0 * width));
        assert!((reciprocal.mean() / mean - 1.0).abs() < 1e-12);
        let variance = second - mean * mean;
        assert!((reciprocal.variance() / variance - 1.0).abs() < 1e-12);
    }

    /// Many quantiles of a lognormal are nearly that lognormal, between the ends of the table.
    #[test]
    fn a_fine_table_approaches_the_law_that_it_was_made_from() {
        use statrs::distribution::{ContinuousCDF, LogNormal};
        let theory = LogNormal::new(6.0, 0.5).unwrap();
        let at = |step: u32| {
            let probability = f64::from(step) / 5000.0;
            (
                probability,
                theory.inverse_cdf(probability.clamp(1e-6, 1.0 - 1e-6)),
            )
        };
        let table: Vec<(f64, f64)> = (0..=5000).map(at).collect();
        let lognormal = Distribution::lognormal(6.0f64.exp(), 0.5).unwrap();
        for between in BOTH {
            let law = Distribution::empirical(&table, between).unwrap();
            assert!((law.mean() / lognormal.mean() - 1.0).abs() < 1e-3);
            assert!((law.variance() / lognormal.variance() - 1.0).abs() < 0.02);
        }
    }

    #[test]
    fn steps_and_atoms_are_allowed() {
        let law = Distribution::empirical(&[(0.0, 3.0), (1.0, 3.0)], Interpolation::Log).unwrap();
        assert_eq!((law.mean(), law.variance()), (3.0, 0.0));
        let mut rng = Rng::from_state(1);
        assert_eq!(law.sample(&mut rng), 3.0);
    }

    #[test]
    fn bad_tables_are_refused() {
        let bad: [&[(f64, f64)]; 9] = [
            &[],
            &[(0.0, 1.0)],
            &[(0.1, 1.0), (1.0, 2.0)],
            &[(0.0, 1.0), (0.9, 2.0)],
            &[(0.0, 1.0), (0.5, 2.0), (0.5, 3.0), (1.0, 4.0)],
            &[(0.0, 1.0), (0.5, 3.0), (1.0, 2.0)],
            &[(0.0, -1.0), (1.0, 2.0)],
            &[(0.0, 1.0), (1.0, f64::INFINITY)],
            &[(0.0, 1.0), (f64::NAN, 2.0), (1.0, 3.0)],
        ];
        for table in bad {
            assert!(
                Empirical::new(table, Interpolation::Linear).is_err(),
                "{table:?}"
            );
        }
        let with_zero = [(0.0, 0.0), (1.0, 1.0)];
        assert!(Empirical::new(&with_zero, Interpolation::Linear).is_ok());
        assert!(Empirical::new(&with_zero, Interpolation::Log).is_err());
    }
}
