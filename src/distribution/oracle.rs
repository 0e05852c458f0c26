//! What the tests of all families compare draws with.

use super::Distribution;
use crate::rng::Rng;

const DRAWS: usize = 100_000;

fn draws(law: &Distribution, seed: u64) -> Vec<f64> {
    let mut rng = Rng::from_state(seed);
    (0..DRAWS).map(|_| law.sample(&mut rng)).collect()
}

/// Draws are distributed as `cdf` says: the greatest distance between the two distribution
/// functions exceeds `1.95 / sqrt(n)` for one seed in a thousand (Kolmogorov). So every quantile of
/// the draws is one of theory, up to 0.6 % of probability.
pub(super) fn assert_law(law: &Distribution, cdf: impl Fn(f64) -> f64) {
    let mut draws = draws(law, 1);
    draws.sort_by(f64::total_cmp);
    let n = DRAWS as f64;
    let distances = draws.iter().enumerate().map(|(rank, x)| {
        let theory = cdf(*x);
        let (before, after) = (rank as f64 / n, (rank + 1) as f64 / n);
        (theory - before).abs().max((theory - after).abs())
    });
    let greatest = distances.fold(0.0, f64::max);
    assert!(greatest < 1.95 / n.sqrt(), "{law:?}, seed 1: {greatest}");
}

/// The share of draws up to `value` is `share`, within 4.5 standard errors.
pub(super) fn assert_share_below(law: &Distribution, value: f64, share: f64) {
    let below = draws(law, 2).iter().filter(|x| **x <= value).count() as f64;
    let (n, found) = (DRAWS as f64, below / DRAWS as f64);
    let error = (share * (1.0 - share) / n).sqrt();
    assert!(
        (found - share).abs() < 4.5 * error,
        "{law:?}, seed 2: {found} up to {value}, not {share}"
    );
}
