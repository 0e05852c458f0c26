//! The best candidate by a key, ties broken uniformly.
//!
//! Two passes. The first finds the best key of each word of 64 targets; a word whose targets are
//! all candidates, the common case in a large healthy pool, is a straight run over the keys that
//! the compiler turns into vector instructions. The second looks only into words that hold the best
//! key, counts the ties, and picks one with one draw. Keeping the first of the ties would send
//! everything to the account that happens to stand first in the list.

use crate::rng::Rng;
use crate::routing::target::{TargetIndex, TargetSet, WORD};

/// Working memory of a scan.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    best_of_word: Vec<f64>,
    both: TargetSet,
}

impl Scan {
    /// The candidate with the highest key; `None` if there is no candidate.
    #[inline]
    pub fn highest(
        &mut self,
        candidates: &TargetSet,
        keys: &[f64],
        rng: &mut Rng,
    ) -> Option<TargetIndex> {
        let run = |word: usize| highest_of_run(&keys[word * WORD..(word + 1) * WORD]);
        self.highest_by(candidates, run, |target| keys[target], rng)
    }

    /// The same for keys that are worked out: `run` is the highest key of a word that is full.
    #[inline]
    pub fn highest_by(
        &mut self,
        candidates: &TargetSet,
        run: impl Fn(usize) -> f64,
        key: impl Fn(usize) -> f64,
        rng: &mut Rng,
    ) -> Option<TargetIndex> {
        let words = candidates.words();
        self.best_of_word.clear();
        self.best_of_word
            .extend(words.iter().enumerate().map(|(index, word)| match *word {
                0 => f64::NEG_INFINITY,
                u64::MAX => run(index),
                word => members(word).fold(f64::NEG_INFINITY, |best, bit| {
                    higher(best, key(index * WORD + bit as usize))
                }),
            }));
        let best = highest_of_run(&self.best_of_word);
        let ties = |index: usize, word: u64| {
            members(word)
                .map(move |bit| index * WORD + bit as usize)
                .filter(|at| key(*at) == best)
        };
        let with_best = || {
            let words = words.iter().enumerate().zip(&self.best_of_word);
            words
                .filter(|((_, word), b)| **b == best && **word != 0)
                .map(|(word, _)| word)
        };
        let count: usize = with_best()
            .map(|(index, word)| ties(index, *word).count())
            .sum();
        let chosen = if count > 1 {
            rng.below(count as u32) as usize
        } else {
            0
        };
        with_best()
            .flat_map(|(index, word)| ties(index, *word))
            .nth(chosen)
            .map(|at| TargetIndex(at as u32))
    }

    /// A uniform pick among the members of both sets.
    pub fn uniform_in_both(
        &mut self,
        a: &TargetSet,
        b: &TargetSet,
        rng: &mut Rng,
    ) -> Option<TargetIndex> {
        self.both.assign_and(a, b);
        uniform(&self.both, rng)
    }
}

/// A uniform pick; no draw where there is no choice.
pub(super) fn uniform(set: &TargetSet, rng: &mut Rng) -> Option<TargetIndex> {
    let count = set.len();
    set.nth(if count > 1 { rng.below(count) } else { 0 })
}

#[inline]
fn higher(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

#[inline]
fn members(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        (word != 0).then(|| {
            let bit = word.trailing_zeros();
            word &= word - 1;
            bit
        })
    })
}

/// Highest of a run of keys, in eight lanes.
#[inline]
pub(super) fn highest_of_run(keys: &[f64]) -> f64 {
    let mut lanes = [f64::NEG_INFINITY; 8];
    let mut chunks = keys.chunks_exact(8);
    for chunk in &mut chunks {
        for (lane, key) in lanes.iter_mut().zip(chunk) {
            *lane = higher(*lane, *key);
        }
    }
    let rest = chunks
        .remainder()
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, higher);
    lanes.into_iter().fold(rest, higher)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    proptest! {
        /// The pick is one of the highest, as a plain loop finds them, whatever the set looks like.
        #[test]
        fn agrees_with_a_plain_loop(
            keys in prop::collection::vec(-3i8..3, 1..400),
            out in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
            seed in any::<u64>(),
        ) {
            let keys: Vec<f64> = keys.into_iter().map(f64::from).collect();
            let mut set = TargetSet::default();
            set.grow(keys.len());
            (0..keys.len()).for_each(|at| set.set(TargetIndex(at as u32), true));
            out.iter().for_each(|at| set.set(TargetIndex(at.index(keys.len()) as u32), false));
            let best = set.iter().map(|t| keys[t.at()]).fold(f64::NEG_INFINITY, f64::max);
            let pick = Scan::default().highest(&set, &keys, &mut Rng::from_state(seed));
            match pick {
                Some(pick) => prop_assert!(set.contains(pick) && keys[pick.at()] == best),
                None => prop_assert!(set.is_empty()),
            }
        }
    }

    #[test]
    fn ties_are_broken_evenly() {
        let keys = [1.0, 3.0, 3.0, 0.0, 3.0];
        let mut set = TargetSet::default();
        set.grow(5);
        (0..5).for_each(|at| set.set(TargetIndex(at), true));
        let (mut scan, mut rng, mut counts) = (Scan::default(), Rng::from_state(1), [0u32; 5]);
        for _ in 0..30_000 {
            counts[scan.highest(&set, &keys, &mut rng).unwrap().at()] += 1;
        }
        assert_eq!((counts[0], counts[3]), (0, 0));
        assert!(
            [1, 2, 4]
                .iter()
                .all(|at| counts[*at].abs_diff(10_000) < 400),
            "{counts:?}"
        );
    }
}
