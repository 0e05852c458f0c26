//! Popularity by rank: the k-th most popular of n things is asked for in proportion to `k^-s`.
//!
//! Zipf's law, which requests for web pages (Breslau et al., "Web caching and Zipf-like
//! distributions", INFOCOM 1999: s from 0.64 to 0.83) and repeated prompts follow. Sampled by
//! rejection-inversion (Hormann and Derflinger, "Rejection-inversion to generate variates from
//! monotone discrete distributions", 1996): no table, so a billion keys take no memory, and
//! nearly every try is taken. Its own, and not that of `rand_distr`, because that calls the
//! platform's powers and logarithms at every draw.

use crate::distribution::{InvalidDistribution, mean_exponential};
use crate::rng::Rng;

/// Most things to choose from.
const MOST: u32 = 1_000_000_000;

/// A Zipf distribution on `1..=n`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Zipf {
    n: f64,
    exponent: f64,
    /// The integral of the hat at its lower end.
    low: f64,
    /// The integral of the hat at its upper end.
    high: f64,
    /// A rank that lies no further than this above its point is taken without a look.
    close: f64,
}

impl Zipf {
    /// Ranks `1..=n`; the exponent is 0 for ranks that are equally popular.
    ///
    /// # Errors
    /// If `n` is not between 1 and a billion, or `exponent` not between 0 and 10.
    pub fn new(n: u32, exponent: f64) -> Result<Self, InvalidDistribution> {
        if !(1..=MOST).contains(&n) {
            return Err(InvalidDistribution("there must be 1 to 1000000000 keys"));
        }
        if !(0.0..=10.0).contains(&exponent) {
            return Err(InvalidDistribution("the exponent must be between 0 and 10"));
        }
        let mut zipf = Self {
            n: f64::from(n),
            exponent,
            low: 0.0,
            high: 0.0,
            close: 0.0,
        };
        zipf.low = zipf.integral(1.5) - 1.0;
        zipf.high = zipf.integral(zipf.n + 0.5);
        zipf.close = 2.0 - zipf.inverse(zipf.integral(2.5) - zipf.density(2.0));
        Ok(zipf)
    }

    /// One draw.
    pub fn sample(&self, rng: &mut Rng) -> u32 {
        loop {
            let area = self.high + rng.uniform() * (self.low - self.high);
            let x = self.inverse(area);
            let rank = (x + 0.5).floor().clamp(1.0, self.n);
            if rank - x <= self.close || area >= self.integral(rank + 0.5) - self.density(rank) {
                return rank as u32;
            }
        }
    }

    fn density(&self, x: f64) -> f64 {
        libm::exp(-self.exponent * libm::log(x))
    }

    /// The integral of the density from 1 to `x`, without a case of its own for exponent 1.
    fn integral(&self, x: f64) -> f64 {
        let log = libm::log(x);
        log * mean_exponential((1.0 - self.exponent) * log)
    }

    /// Where the integral is `area`.
    fn inverse(&self, area: f64) -> f64 {
        let t = (area * (1.0 - self.exponent)).max(-1.0);
        let log = if t == 0.0 {
            area
        } else {
            area * libm::log1p(t) / t
        };
        libm::exp(log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{ChiSquared, ContinuousCDF};

    /// Chi-square against the exact probabilities; its 99.9 % point is exceeded once in a thousand
    /// seeds. Ranks expected less than 10 times are counted together.
    #[test]
    fn ranks_have_the_probabilities_of_theory() {
        const DRAWS: u32 = 200_000;
        for (n, exponent) in [
            (1, 1.0),
            (2, 0.3),
            (50, 0.0),
            (50, 0.7),
            (50, 1.0),
            (50, 1.000_001),
            (1_000, 1.2),
            (1_000, 3.0),
            (20, 10.0),
        ] {
            let zipf = Zipf::new(n, exponent).unwrap();
            let mut rng = Rng::from_state(31);
            let mut counts = vec![0u32; n as usize];
            for _ in 0..DRAWS {
                counts[zipf.sample(&mut rng) as usize - 1] += 1;
            }
            let weights: Vec<f64> = (1..=n).map(|k| f64::from(k).powf(-exponent)).collect();
            let total: f64 = weights.iter().sum();
            let (mut chi, mut cells, mut rest) = (0.0, 0, (0.0, 0.0));
            for (weight, count) in weights.iter().zip(&counts) {
                let expected = weight / total * f64::from(DRAWS);
                if expected < 10.0 {
                    rest = (rest.0 + expected, rest.1 + f64::from(*count));
                    continue;
                }
                chi += (f64::from(*count) - expected).powi(2) / expected;
                cells += 1;
            }
            if rest.0 > 5.0 {
                chi += (rest.1 - rest.0).powi(2) / rest.0;
                cells += 1;
            }
            let allowed = match cells {
                1 => 1e-9,
                _ => ChiSquared::new(f64::from(cells - 1))
                    .unwrap()
                    .inverse_cdf(0.999),
            };
            assert!(
                chi <= allowed,
                "n {n}, exponent {exponent}: {chi} above {allowed}"
            );
        }
    }

    /// Of a billion keys, the share of the first is one over the sum of all, which is
    /// `ln n + 0.5772` for exponent 1 (Euler).
    #[test]
    fn a_billion_keys() {
        let zipf = Zipf::new(MOST, 1.0).unwrap();
        let mut rng = Rng::from_state(32);
        let draws: Vec<u32> = (0..200_000).map(|_| zipf.sample(&mut rng)).collect();
        let first = draws.iter().filter(|rank| **rank == 1).count() as f64 / 2e5;
        let expected = 1.0 / (1e9f64.ln() + 0.577_215_7);
        let error = (expected * (1.0 - expected) / 2e5).sqrt();
        assert!((first - expected).abs() < 4.5 * error, "{first}");
        assert!(draws.iter().all(|rank| (1..=MOST).contains(rank)));
        assert!(draws.iter().any(|rank| *rank > 500_000_000));
    }

    /// The byte contract holds for one target; this tells where a platform differs.
    #[test]
    fn pinned_draws() {
        let mut rng = Rng::from_state(33);
        let draws = [0.0, 0.8, 1.0, 2.0].map(|s| {
            let zipf = Zipf::new(1_000_000, s).unwrap();
            [zipf.sample(&mut rng), zipf.sample(&mut rng)]
        });
        assert_eq!(draws, PINNED);
    }

    const PINNED: [[u32; 2]; 4] = [
        [827_911, 924_768],
        [191_460, 443_378],
        [50, 329_372],
        [2, 1],
    ];

    #[test]
    fn bad_parameters_are_refused() {
        assert!(Zipf::new(0, 1.0).is_err());
        assert!(Zipf::new(MOST + 1, 1.0).is_err());
        assert!(Zipf::new(1, -0.1).is_err());
        assert!(Zipf::new(1, f64::NAN).is_err());
    }
}
