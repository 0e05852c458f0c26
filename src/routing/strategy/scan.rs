//! The best candidate by a key, ties broken uniformly.
//!
//! Two passes. The first takes the best key of each word of 64 targets; for a word whose admitting
//! targets are all candidates, the common case, the ranking knows it already. The second looks only
//! into words that hold the best key, gathers the ties, and picks one with one draw. Keeping the
//! first of the ties would send everything to the account that happens to stand first in the list.

use super::View;
use crate::rng::Rng;
use crate::routing::pool::{FEW, Ranking};
use crate::routing::target::{TargetIndex, TargetSet, WORD, members};

/// Working memory of a scan.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    best_of_word: Vec<f64>,
    /// Words with ties for the best key: which word, and which of its targets.
    ties: Vec<(u32, u64)>,
    both: TargetSet,
}

impl Scan {
    /// The candidate with the highest key; `None` if there is no candidate.
    #[inline]
    pub fn highest(
        &mut self,
        view: &View,
        candidates: &TargetSet,
        ranking: &Ranking,
        rng: &mut Rng,
    ) -> Option<TargetIndex> {
        if let [few] = candidates.words()
            && ranking.len() <= FEW
        {
            return highest_of_few(*few, ranking.of_word(0).iter().copied(), rng);
        }
        let admitting = view.pool.sets().admitting.words();
        self.highest_in(candidates, admitting, ranking, rng)
    }

    #[inline]
    fn highest_in(
        &mut self,
        candidates: &TargetSet,
        admitting: &[u64],
        ranking: &Ranking,
        rng: &mut Rng,
    ) -> Option<TargetIndex> {
        let best_of = |word: usize, candidates: u64| {
            if candidates == admitting[word] {
                ranking.highest()[word]
            } else {
                let keys = members(candidates).map(|bit| ranking.key(word * WORD + bit as usize));
                keys.fold(f64::NEG_INFINITY, higher)
            }
        };
        let ties = |word: usize, best: f64| equal_to(ranking.of_word(word), best, |key| key);
        self.highest_by(candidates, best_of, ties, rng)
    }

    /// The same for keys that are worked out: `best_of` gives the highest key of some candidates of
    /// a word, `ties` those of a word (and maybe others than
    /// candidates) that have a given key.
    #[inline]
    pub fn highest_by(
        &mut self,
        candidates: &TargetSet,
        best_of: impl Fn(usize, u64) -> f64,
        ties: impl Fn(usize, f64) -> u64,
        rng: &mut Rng,
    ) -> Option<TargetIndex> {
        let words = candidates.words();
        self.best_of_word.clear();
        let mut best = f64::NEG_INFINITY;
        for (index, word) in words.iter().enumerate() {
            let here = match *word {
                0 => f64::NEG_INFINITY,
                word => best_of(index, word),
            };
            self.best_of_word.push(here);
            best = higher(best, here);
        }
        self.ties.clear();
        let mut count = 0;
        for (index, (word, here)) in words.iter().zip(&self.best_of_word).enumerate() {
            if *here == best && *word != 0 {
                let tied = ties(index, best) & word;
                count += tied.count_ones();
                self.ties.push((index as u32, tied));
            }
        }
        let mut chosen = if count > 1 { rng.below(count) } else { 0 };
        for (index, tied) in &self.ties {
            if let Some(bit) = members(*tied).nth(chosen as usize) {
                return Some(TargetIndex(index * WORD as u32 + bit));
            }
            chosen -= tied.count_ones();
        }
        None
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

/// The same among so few targets that each is compared.
#[inline]
pub(super) fn highest_of_few(
    candidates: u64,
    keys: impl Iterator<Item = f64>,
    rng: &mut Rng,
) -> Option<TargetIndex> {
    let mut few = [f64::NEG_INFINITY; FEW];
    let (mut best, mut len) = (f64::NEG_INFINITY, 0);
    for (place, key) in few.iter_mut().zip(keys) {
        let is_candidate = candidates >> len & 1 == 1;
        *place = if is_candidate { key } else { f64::NEG_INFINITY };
        best = higher(best, *place);
        len += 1;
    }
    let tied = few[..len]
        .iter()
        .rev()
        .fold(0, |tied: u64, key| tied << 1 | u64::from(*key == best));
    let mut tied = tied & candidates;
    let count = tied.count_ones();
    let chosen = if count > 1 { rng.below(count) } else { 0 };
    (0..chosen).for_each(|_| tied &= tied - 1);
    (tied != 0).then(|| TargetIndex(tied.trailing_zeros()))
}

/// A uniform pick; no draw where there is no choice.
pub(super) fn uniform(set: &TargetSet, rng: &mut Rng) -> Option<TargetIndex> {
    let count = set.len();
    set.nth(if count > 1 { rng.below(count) } else { 0 })
}

#[inline]
pub(super) fn higher(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}

/// Which of the keys of a word are equal to `best` after `sum`, eight at a time: only a few are.
#[inline]
pub(super) fn equal_to(keys: &[f64], best: f64, sum: impl Fn(f64) -> f64) -> u64 {
    let mut equal = 0;
    for (chunk, start) in keys.chunks(8).zip((0u32..).step_by(8)) {
        let any = chunk
            .iter()
            .fold(false, |any, key| any | (sum(*key) == best));
        if any {
            for (key, bit) in chunk.iter().zip(start..) {
                equal |= u64::from(sum(*key) == best) << bit;
            }
        }
    }
    equal
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
            let ranking = Ranking::of(keys.clone());
            let all: Vec<u64> = keys
                .chunks(WORD)
                .map(|word| u64::MAX >> (WORD - word.len()))
                .collect();
            let pick =
                Scan::default().highest_in(&set, &all, &ranking, &mut Rng::from_state(seed));
            match pick {
                Some(pick) => prop_assert!(set.contains(pick) && keys[pick.at()] == best),
                None => prop_assert!(set.is_empty()),
            }
        }
    }

    #[test]
    fn ties_are_broken_evenly() {
        let ranking = Ranking::of(vec![1.0, 3.0, 3.0, 0.0, 3.0]);
        let mut set = TargetSet::default();
        set.grow(5);
        (0..5).for_each(|at| set.set(TargetIndex(at), true));
        let (mut scan, mut rng, mut counts) = (Scan::default(), Rng::from_state(1), [0u32; 5]);
        for _ in 0..30_000 {
            let pick = scan.highest_in(&set, &[0b11111], &ranking, &mut rng);
            counts[pick.unwrap().at()] += 1;
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
