//! The best candidate by a key, ties broken uniformly.
//!
//! Two passes. The first finds the best key from the best of each word of 64 targets, which the
//! ranking knows if all its admitting targets are candidates, the common case. The second looks
//! only into words that hold the best key, gathers the ties, and picks one with one draw. Keeping
//! the first of the ties would send everything to the account that happens to stand first in the
//! list.

use super::View;
use crate::request::Provider;
use crate::rng::Rng;
use crate::routing::pool::{FEW, Ranking, higher, highest_of};
use crate::routing::target::{TargetIndex, TargetSet, WORD, members};

/// Working memory of a scan.
#[derive(Clone, Debug, Default)]
pub(super) struct Scan {
    /// Words with ties for the best key: which word, and which of its targets.
    ties: Vec<(u32, u64)>,
    /// Best key of each word, where they have to be searched for.
    tops: Vec<f64>,
    both: TargetSet,
}

impl Scan {
    /// The candidate with the highest key; `None` if there is no candidate. Candidates are among
    /// the admitting targets that the ranking was made for.
    #[inline]
    pub fn highest(
        &mut self,
        candidates: &TargetSet,
        admitting: &TargetSet,
        ranking: &Ranking,
        rng: &mut Rng,
    ) -> Option<TargetIndex> {
        if let [few] = candidates.words()
            && ranking.targets() <= FEW
        {
            let all = admitting.words().first() == Some(few);
            return highest_of_few(*few, all, ranking.of_word(0).iter().copied(), rng);
        }
        self.ties.clear();
        if candidates == admitting {
            let best = highest_of(ranking.highest(0));
            self.gather(ranking, 0, best, 0.0, |_| u64::MAX);
        } else {
            let top = |word: usize| ranking.highest(0)[word];
            self.search(candidates, admitting, top, |at| ranking.key(at));
        }
        self.choose(rng)
    }

    /// The same where every candidate's key has something added to it by provider.
    pub fn highest_in_groups(
        &mut self,
        view: &View,
        ranking: &Ranking,
        extras: &[f64; Provider::ALL.len()],
        provider: &[u8],
        rng: &mut Rng,
    ) -> Option<TargetIndex> {
        if let [few] = view.candidates.words()
            && ranking.targets() <= FEW
        {
            let keys = ranking.of_word(0).iter().zip(provider);
            let sums = keys.map(|(key, at)| key + extras[usize::from(*at) % extras.len()]);
            let all = view.pool.sets().admitting.words().first() == Some(few);
            return highest_of_few(*few, all, sums, rng);
        }
        self.ties.clear();
        let sets = view.pool.sets();
        if view.candidates == &sets.admitting {
            let top = |group: usize| highest_of(ranking.highest(group)) + extras[group];
            let tops = std::array::from_fn::<f64, { Provider::ALL.len() }, _>(top);
            let best = tops.into_iter().fold(f64::NEG_INFINITY, higher);
            let hit = tops.iter().filter(|top| **top == best).count();
            for (group, _) in tops.iter().enumerate().filter(|(_, top)| **top == best) {
                let members = sets.at_provider(Provider::ALL[group]).words();
                self.gather(ranking, group, best, extras[group], |word| members[word]);
            }
            if hit > 1 {
                self.merge();
            }
        } else {
            let tops = |word: usize| {
                let groups = extras.iter().enumerate();
                let tops = groups.map(|(group, extra)| ranking.highest(group)[word] + extra);
                tops.fold(f64::NEG_INFINITY, higher)
            };
            let key = |at: usize| ranking.key(at) + extras[usize::from(provider[at])];
            self.search(view.candidates, &sets.admitting, tops, key);
        }
        self.choose(rng)
    }

    /// Gathers the targets of a group whose key and `extra` add up to `best`.
    #[inline]
    fn gather(
        &mut self,
        ranking: &Ranking,
        group: usize,
        best: f64,
        extra: f64,
        members: impl Fn(usize) -> u64,
    ) {
        for (word, highest) in ranking.highest(group).iter().enumerate() {
            if highest + extra == best {
                let ties = equal_to(ranking.of_word(word), best, extra) & members(word);
                self.ties.push((word as u32, ties));
            }
        }
    }

    /// Puts ties of several groups into target order.
    #[cold]
    fn merge(&mut self) {
        self.ties.sort_unstable();
        self.ties.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 |= next.1;
            }
            same
        });
    }

    /// Gathers the best candidates where only some of the admitting targets are candidates. `top`
    /// is the highest key of a word all of whose admitting targets are.
    fn search(
        &mut self,
        candidates: &TargetSet,
        admitting: &TargetSet,
        top: impl Fn(usize) -> f64,
        key: impl Fn(usize) -> f64,
    ) {
        let key = |word: usize, bit: u32| key(word * WORD + bit as usize);
        let mut best = f64::NEG_INFINITY;
        let words = || candidates.words().iter().enumerate();
        self.tops.clear();
        for ((index, word), all) in words().zip(admitting.words()) {
            let top = match *word {
                0 => f64::NEG_INFINITY,
                word if word == *all => top(index),
                word => {
                    members(word).fold(f64::NEG_INFINITY, |best, bit| higher(best, key(index, bit)))
                }
            };
            self.tops.push(top);
            best = higher(best, top);
        }
        for ((index, word), top) in words().zip(&self.tops) {
            if *top == best {
                let tied = |bit: u32| u64::from(key(index, bit) == best) << bit;
                let ties = members(*word).fold(0, |ties, bit| ties | tied(bit));
                self.ties.push((index as u32, ties));
            }
        }
    }

    /// Picks one of the ties; no draw where there is no choice.
    #[inline]
    fn choose(&self, rng: &mut Rng) -> Option<TargetIndex> {
        let count = self.ties.iter().map(|(_, ties)| ties.count_ones()).sum();
        let mut chosen = if count > 1 { rng.below(count) } else { 0 };
        for (word, ties) in &self.ties {
            if let Some(bit) = members(*ties).nth(chosen as usize) {
                return Some(TargetIndex(word * WORD as u32 + bit));
            }
            chosen -= ties.count_ones();
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

/// The same among so few targets that each is compared. `all` says that nobody else has a key that
/// could be the highest: all who admit an attempt are candidates.
#[inline]
pub(super) fn highest_of_few(
    candidates: u64,
    all: bool,
    keys: impl Iterator<Item = f64>,
    rng: &mut Rng,
) -> Option<TargetIndex> {
    let mut few = [f64::NEG_INFINITY; FEW];
    few.iter_mut()
        .zip(keys)
        .for_each(|(place, key)| *place = key);
    if !all {
        let others = members(!candidates & (u64::MAX >> (WORD - FEW)));
        others.for_each(|other| few[other as usize] = f64::NEG_INFINITY);
    }
    let best = highest_of(&few);
    let ties = few
        .iter()
        .rev()
        .fold(0, |ties: u64, key| ties << 1 | u64::from(*key == best));
    let mut tied = ties & candidates;
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

/// Which of the keys of a word are equal to `best` with `extra`, eight at a time: few are.
#[inline]
fn equal_to(keys: &[f64], best: f64, extra: f64) -> u64 {
    let (chunks, rest) = keys.as_chunks::<8>();
    let mut equal = 0;
    for (chunk, start) in chunks.iter().zip((0u32..).step_by(8)) {
        let any = chunk
            .iter()
            .fold(false, |any, key| any | (key + extra == best));
        if any {
            let each = chunk.iter().zip(start..);
            equal = each.fold(equal, |equal, (key, bit)| {
                equal | u64::from(key + extra == best) << bit
            });
        }
    }
    let rest = rest.iter().map(|key| u64::from(key + extra == best));
    rest.zip(chunks.len() * 8..)
        .fold(equal, |equal, (matches, bit)| equal | matches << bit)
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
            let mut admitting = TargetSet::default();
            admitting.grow(keys.len());
            (0..keys.len()).for_each(|at| admitting.set(TargetIndex(at as u32), true));
            let mut rng = Rng::from_state(seed);
            let pick = Scan::default().highest(&set, &admitting, &ranking, &mut rng);
            match pick {
                Some(pick) => prop_assert!(set.contains(pick) && keys[pick.at()] == best),
                None => prop_assert!(set.is_empty()),
            }
        }
    }

    #[test]
    fn ties_are_broken_evenly() {
        for size in [5, 200] {
            let mut keys = vec![1.0, 3.0, 3.0, 0.0, 3.0];
            keys.resize(size, 2.0);
            let ranking = Ranking::of(keys);
            let mut set = TargetSet::default();
            set.grow(size);
            (0..size).for_each(|at| set.set(TargetIndex(at as u32), true));
            let (mut scan, mut rng, mut counts) = (Scan::default(), Rng::from_state(1), [0u32; 5]);
            for _ in 0..30_000 {
                let pick = scan.highest(&set, &set, &ranking, &mut rng);
                counts[pick.unwrap().at()] += 1;
            }
            assert_eq!((counts[0], counts[3]), (0, 0));
            let even = |at: &usize| counts[*at].abs_diff(10_000) < 400;
            assert!([1, 2, 4].iter().all(even), "{counts:?}");
        }
    }
}
