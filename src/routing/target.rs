//! Targets: what routing chooses between and learns about, and sets of them.
//!
//! A target is an account, or (with `health_scope = "account_model"`) one model at an account; the
//! rest of the code does not care which. Sets are bit sets: filters are then a few word operations
//! for a thousand targets, and the candidates of a request need no memory of their own.

/// Dense index of a target, in account order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TargetIndex(pub u32);

impl TargetIndex {
    /// The index as a position in a slice.
    #[must_use]
    #[inline]
    pub const fn at(self) -> usize {
        self.0 as usize
    }
}

/// Bits of one word of a set.
pub const WORD: usize = 64;

/// Members of a word, as positions of bits in rising order.
#[inline]
pub fn members(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        (word != 0).then(|| {
            let bit = word.trailing_zeros();
            word &= word - 1;
            bit
        })
    })
}

/// A set of targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetSet(Vec<u64>);

impl TargetSet {
    /// Makes room for targets below `len`, not in the set.
    pub fn grow(&mut self, len: usize) {
        self.0.resize(len.div_ceil(WORD), 0);
    }

    /// Puts a target in or out.
    #[inline]
    pub fn set(&mut self, target: TargetIndex, member: bool) {
        let word = &mut self.0[target.at() / WORD];
        let bit = target.at() % WORD;
        *word = *word & !(1 << bit) | u64::from(member) << bit;
    }

    /// Whether a target is in it.
    #[must_use]
    pub fn contains(&self, target: TargetIndex) -> bool {
        self.0
            .get(target.at() / WORD)
            .is_some_and(|w| w >> (target.at() % WORD) & 1 == 1)
    }

    /// Whether it has no member.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Number of members.
    #[must_use]
    #[inline]
    pub fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Becomes the intersection of `a` and `b`.
    #[inline]
    pub fn assign_and(&mut self, a: &Self, b: &Self) {
        let len = a.0.len().min(b.0.len());
        if self.0.len() != len {
            self.0.resize(len, 0);
        }
        let both = a.0.iter().zip(&b.0);
        self.0
            .iter_mut()
            .zip(both)
            .for_each(|(word, (a, b))| *word = a & b);
    }

    /// Becomes a copy of `other`, in place.
    pub fn assign(&mut self, other: &Self) {
        self.0.clone_from(&other.0);
    }

    /// Keeps the members that are in `other` too.
    #[inline]
    pub fn retain_in(&mut self, other: &Self) {
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(word, other)| *word &= other);
    }

    /// Keeps the members for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(TargetIndex) -> bool) {
        for (index, word) in self.0.iter_mut().enumerate() {
            let mut rest = *word;
            while rest != 0 {
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                if !keep(TargetIndex((index * WORD) as u32 + bit)) {
                    *word &= !(1 << bit);
                }
            }
        }
    }

    /// Adds the members of `other`.
    pub fn extend_with(&mut self, other: &Self) {
        self.0
            .iter_mut()
            .zip(&other.0)
            .for_each(|(word, other)| *word |= other);
    }

    /// Whether the two have a member in common.
    #[must_use]
    #[inline]
    pub fn intersects(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(a, b)| a & b != 0)
    }

    /// Members in rising order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = TargetIndex> + '_ {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            members(*word).map(move |bit| TargetIndex((index * WORD) as u32 + bit))
        })
    }

    /// The words of the set, lowest targets first.
    #[must_use]
    #[inline]
    pub fn words(&self) -> &[u64] {
        &self.0
    }

    /// Member number `n` (from 0) in rising order.
    #[must_use]
    pub fn nth(&self, mut n: u32) -> Option<TargetIndex> {
        for (index, word) in self.0.iter().enumerate() {
            let here = word.count_ones();
            if n < here {
                let mut rest = *word;
                (0..n).for_each(|_| rest &= rest - 1);
                return Some(TargetIndex((index * WORD) as u32 + rest.trailing_zeros()));
            }
            n -= here;
        }
        None
    }

    /// The first member at or after `start`, else the first of all.
    #[must_use]
    #[inline]
    pub fn first_from(&self, start: TargetIndex) -> Option<TargetIndex> {
        if let &[only] = self.0.as_slice() {
            let tail = if start.at() < WORD {
                only & u64::MAX << start.0
            } else {
                0
            };
            let from = if tail == 0 { only } else { tail };
            return (from != 0).then(|| TargetIndex(from.trailing_zeros()));
        }
        let (word, bit) = (start.at() / WORD, start.at() % WORD);
        let tail = self.0.get(word).map_or(0, |w| w & (u64::MAX << bit));
        let member = |index: usize, w: u64| {
            (w != 0).then(|| TargetIndex((index * WORD) as u32 + w.trailing_zeros()))
        };
        let all = || self.0.iter().enumerate();
        member(word, tail)
            .or_else(|| {
                all()
                    .skip(word + 1)
                    .find_map(|(index, w)| member(index, *w))
            })
            .or_else(|| all().find_map(|(index, w)| member(index, *w)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn set_of(members: &BTreeSet<u32>) -> TargetSet {
        let mut set = TargetSet::default();
        set.grow(300);
        members.iter().for_each(|m| set.set(TargetIndex(*m), true));
        set
    }

    proptest! {
        #[test]
        fn agrees_with_a_sorted_set(
            a in prop::collection::btree_set(0u32..300, 0..80),
            b in prop::collection::btree_set(0u32..300, 0..80),
            start in 0u32..320,
        ) {
            let (x, y) = (set_of(&a), set_of(&b));
            let members = |s: &TargetSet| s.iter().map(|t| t.0).collect::<BTreeSet<_>>();
            prop_assert_eq!(&members(&x), &a);
            prop_assert_eq!(x.len() as usize, a.len());
            let mut both = TargetSet::default();
            both.assign_and(&x, &y);
            let common: BTreeSet<u32> = a.intersection(&b).copied().collect();
            prop_assert_eq!(members(&both), common.clone());
            prop_assert_eq!(x.intersects(&y), !common.is_empty());
            for (n, member) in a.iter().enumerate() {
                prop_assert_eq!(x.nth(n as u32), Some(TargetIndex(*member)));
            }
            prop_assert_eq!(x.nth(a.len() as u32), None);
            let next = a.range(start..).next().or_else(|| a.iter().next());
            prop_assert_eq!(x.first_from(TargetIndex(start)), next.map(|m| TargetIndex(*m)));
            let mut odd = x;
            odd.retain(|t| t.0 % 2 == 1);
            prop_assert_eq!(members(&odd), a.iter().copied().filter(|m| m % 2 == 1).collect());
        }
    }
}
