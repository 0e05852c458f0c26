//! Which of several samples may be the best, and which differences are more than chance, where many
//! are looked at together.
//!
//! The one with the best mean is the best of the sample, which is not news: with ten equal
//! strategies one of them leads too. So every one is compared with every other, paired by
//! replication, and what is clearly worse than another is out; all that are left may be the best
//! (subset selection: S. S. Gupta, "On some multiple decision rules", Technometrics 7, 1965; with
//! common random numbers, as here, B. L. Nelson et al., "Simple procedures for selecting the best
//! simulated system when the number of alternatives is large", Operations Research 49, 2001).
//!
//! Of k samples the true best is compared with k - 1 others. Each interval has the level
//! 1 - 5 % / (k - 1), so that all of them hold together with 95 % (Bonferroni's inequality, which
//! needs no independence: samples of one replication share their world). The true best is then left
//! with a probability of 95 % or more, and so is right, if it is the only one left.

use super::all_finite;
use super::alpha::Alpha;
use super::mean::{difference_at, mean};

/// Which direction of a sample is good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Good {
    /// Higher is better.
    High,
    /// Lower is better.
    Low,
}

/// Indices of the samples that may be the best, best mean first: all but those that are worse than
/// another by more than chance. Samples with a number that is not finite, or fewer numbers than
/// the first that has none, take no part. Empty if none does.
///
/// `alike` tells which means a reader could not tell apart (they read the same, say): such samples
/// do not count as worse, however sure the difference is.
#[must_use]
pub fn candidates(
    samples: &[Vec<f64>],
    good: Good,
    alike: impl Fn(f64, f64) -> bool,
) -> Vec<usize> {
    let usable = |sample: &&Vec<f64>| !sample.is_empty() && all_finite(sample);
    let length = samples.iter().find(usable).map_or(0, Vec::len);
    let taking_part = |&at: &usize| samples[at].len() == length && usable(&&samples[at]);
    let mut ranked: Vec<(usize, f64)> = (0..samples.len())
        .filter(taking_part)
        .map(|at| (at, mean(&samples[at])))
        .collect();
    ranked.sort_by(|a, b| match good {
        Good::High => b.1.total_cmp(&a.1),
        Good::Low => a.1.total_cmp(&b.1),
    });
    let others = ranked.len().saturating_sub(1);
    let beaten = |at: usize| {
        let (worse, level) = ranked[at];
        ranked[..at].iter().any(|&(better, above)| {
            !alike(level, above) && apart(&samples[worse], &samples[better], others)
        })
    };
    let left = (0..ranked.len()).filter(|&at| !beaten(at));
    left.map(|at| ranked[at].0).collect()
}

/// Whether two samples differ by more than chance, paired by replication, where `comparisons` of
/// the kind are made and are to hold together with 95 %.
#[must_use]
pub fn apart(a: &[f64], b: &[f64], comparisons: usize) -> bool {
    difference_at(a, b, Alpha::FIVE_PERCENT.split(comparisons))
        .and_then(|difference| difference.interval)
        .is_some_and(|interval| !interval.contains(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Streams};
    use crate::stats::mean::difference;
    use proptest::prelude::*;

    const NEVER: fn(f64, f64) -> bool = |_, _| false;

    #[test]
    fn one_comparison_is_the_paired_interval() {
        proptest!(|(pairs in proptest::collection::vec((-9.0..9.0f64, -9.0..9.0f64), 2..20))| {
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let interval = difference(&a, &b).unwrap().interval.unwrap();
            prop_assert_eq!(apart(&a, &b, 1), !interval.contains(0.0));
            prop_assert!(apart(&a, &b, 1) || !apart(&a, &b, 7));
        });
    }

    #[test]
    fn a_clear_lead_is_the_best_and_a_shared_one_is_not() {
        let world = [5.0, 9.0, 2.0, 7.0, 4.0, 6.0];
        let with =
            |noise: [f64; 6]| -> Vec<f64> { world.iter().zip(noise).map(|(w, n)| w + n).collect() };
        let samples = [
            with([0.1, -0.1, 0.2, 0.0, -0.2, 0.1]),
            with([3.0, 3.1, 2.9, 3.0, 3.2, 2.8]),
            with([3.1, 2.9, 3.0, 3.1, 2.9, 3.1]),
            with([8.0, 8.1, 8.0, 7.9, 8.0, 8.1]),
        ];
        assert_eq!(candidates(&samples, Good::High, NEVER), [3]);
        assert_eq!(candidates(&samples, Good::Low, NEVER), [0]);
        // The second and the third are not told apart.
        assert_eq!(candidates(&samples[..3], Good::High, NEVER), [2, 1]);
        // Nobody would see the difference.
        let alike = |a: f64, b: f64| (a - b).abs() < 4.0;
        assert_eq!(candidates(&samples[..3], Good::High, alike), [2, 1, 0]);
    }

    #[test]
    fn what_cannot_be_compared_is_not_told_apart() {
        let none: [Vec<f64>; 0] = [];
        assert!(candidates(&none, Good::High, NEVER).is_empty());
        let once = [vec![1.0], vec![2.0], vec![f64::NAN]];
        assert_eq!(candidates(&once, Good::High, NEVER), [1, 0]);
        let same = [vec![3.0; 5], vec![3.0; 5]];
        assert_eq!(candidates(&same, Good::Low, NEVER).len(), 2);
        assert_eq!(candidates(&[vec![f64::NAN; 3]], Good::Low, NEVER), [0; 0]);
    }

    /// Ten strategies that do not differ, a thousand times over: a single best is crowned in at
    /// most 5 % (here: 50 and three standard deviations), where the mere leader always is.
    #[test]
    fn chance_is_crowned_in_at_most_five_of_a_hundred() {
        const SEED: u64 = 11;
        let mut stream = Streams::new(SEED, 0).stream(Purpose::Policy, 0);
        let mut crowned = 0;
        for _ in 0..1_000 {
            let world: Vec<f64> = (0..10).map(|_| stream.uniform() * 5.0).collect();
            let mut noise = || (0..6).map(|_| stream.uniform()).sum::<f64>();
            let samples: Vec<Vec<f64>> = (0..10)
                .map(|_| world.iter().map(|w| w + noise()).collect())
                .collect();
            crowned += usize::from(candidates(&samples, Good::High, NEVER).len() == 1);
        }
        assert!(crowned <= 71, "seed {SEED}: {crowned}");
    }
}
