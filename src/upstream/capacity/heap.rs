//! A heap whose entries can be found, moved and taken out.
//!
//! Attempts that share a station speed up and slow down together, so what changes when one comes or
//! goes is not their order but only the time of the next: each station keeps its own heap, and the
//! fleet a heap of stations, in which the entry of one station changes its place with every event
//! there. The queue of all other work leaves dead entries behind instead (it is fastest where
//! entries stay what they are); here most entries would be dead.
//!
//! Where an entry stands is written in a table by owner ([`Positions`]), which several heaps can
//! share as long as an owner has an entry in one of them at most.

/// A binary heap: the least (key, order, owner) is first.
#[derive(Default)]
pub(in crate::upstream) struct Heap(Vec<Entry>);

/// An entry of a heap.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::upstream) struct Entry {
    /// By which entries are ordered.
    pub(in crate::upstream) key: u128,
    /// Decides between equal keys.
    pub(in crate::upstream) order: u64,
    /// Whose it is.
    pub(in crate::upstream) owner: u32,
}

/// By owner: the place of its entry, plus 1; 0 if it has none.
#[derive(Default)]
pub(in crate::upstream) struct Positions(Vec<u32>);

impl Positions {
    #[inline]
    fn of(&self, owner: u32) -> Option<usize> {
        let place = *self.0.get(owner as usize)?;
        (place as usize).checked_sub(1)
    }

    fn make_room(&mut self, owner: u32) {
        if self.0.len() <= owner as usize {
            self.0.resize(owner as usize + 1, 0);
        }
    }
}

impl Heap {
    /// The first entry.
    #[inline]
    pub(in crate::upstream) fn first(&self) -> Option<&Entry> {
        self.0.first()
    }

    /// Puts an entry in, in place of the one that its owner has.
    pub(in crate::upstream) fn set(&mut self, entry: Entry, positions: &mut Positions) {
        match positions.of(entry.owner) {
            Some(place) => {
                let before = std::mem::replace(&mut self.0[place], entry);
                if entry < before {
                    self.rise(place, positions);
                } else {
                    self.sink(place, positions);
                }
            }
            None => {
                positions.make_room(entry.owner);
                self.0.push(entry);
                self.rise(self.0.len() - 1, positions);
            }
        }
    }

    /// Takes the entry of `owner` out, if it has one.
    pub(in crate::upstream) fn remove(&mut self, owner: u32, positions: &mut Positions) {
        let Some(place) = positions.of(owner) else {
            return;
        };
        positions.0[owner as usize] = 0;
        self.0.swap_remove(place);
        if place < self.0.len() {
            let place = self.rise(place, positions);
            self.sink(place, positions);
        }
    }

    /// Moves the entry at `place` towards the front; returns where it ends.
    fn rise(&mut self, mut place: usize, positions: &mut Positions) -> usize {
        let entry = self.0[place];
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.0[parent] < entry {
                break;
            }
            self.put(place, self.0[parent], positions);
            place = parent;
        }
        self.put(place, entry, positions);
        place
    }

    /// Moves the entry at `place` towards the back.
    fn sink(&mut self, mut place: usize, positions: &mut Positions) {
        let entry = self.0[place];
        loop {
            let mut child = 2 * place + 1;
            if child >= self.0.len() {
                break;
            }
            if child + 1 < self.0.len() && self.0[child + 1] < self.0[child] {
                child += 1;
            }
            if entry < self.0[child] {
                break;
            }
            self.put(place, self.0[child], positions);
            place = child;
        }
        self.put(place, entry, positions);
    }

    #[inline]
    fn put(&mut self, place: usize, entry: Entry, positions: &mut Positions) {
        self.0[place] = entry;
        positions.0[entry.owner as usize] = place as u32 + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        /// Oracle: two sorted maps. Each owner is in one heap at most.
        #[test]
        fn two_heaps_agree_with_sorted_maps(
            steps in prop::collection::vec((0..20u32, 0..2usize, 0..8u64, 0..4u32), 0..400),
        ) {
            let mut positions = Positions::default();
            let mut heaps = [Heap::default(), Heap::default()];
            let mut models: [BTreeMap<u32, (u128, u64)>; 2] = Default::default();
            for (owner, at, key, action) in steps {
                if models[1 - at].contains_key(&owner) {
                    continue;
                }
                if action == 0 {
                    heaps[at].remove(owner, &mut positions);
                    models[at].remove(&owner);
                } else {
                    let entry = Entry { key: key.into(), order: key / 3, owner };
                    heaps[at].set(entry, &mut positions);
                    models[at].insert(owner, (entry.key, entry.order));
                }
                for (heap, model) in heaps.iter().zip(&models) {
                    let least = model.iter().map(|(o, k)| (k.0, k.1, *o)).min();
                    let found = heap.first().map(|e| (e.key, e.order, e.owner));
                    prop_assert_eq!(found, least);
                }
            }
        }
    }
}
