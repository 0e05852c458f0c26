//! Lists through numbered slots: who waits for what, in order.
//!
//! A list of what is in flight has to let go of any member at any time (a client leaves), and must
//! allocate nothing. So the links stand in one array beside the slots, and a list is no more than
//! its two ends. A slot is in one list of the same links at a time.

const NONE: u32 = u32::MAX;

/// The links of all lists through the same slots.
#[derive(Clone, Debug, Default)]
pub struct Links(Vec<Link>);

#[derive(Clone, Copy, Debug)]
struct Link {
    before: u32,
    after: u32,
}

/// A list, first in first out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotList {
    first: u32,
    last: u32,
    len: u32,
}

impl Default for SlotList {
    fn default() -> Self {
        Self {
            first: NONE,
            last: NONE,
            len: 0,
        }
    }
}

impl SlotList {
    /// Number of members.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether it has no member.
    #[must_use]
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The member that has been in it for longest.
    #[must_use]
    pub fn first(&self) -> Option<u32> {
        (self.first != NONE).then_some(self.first)
    }

    /// The member that came last.
    #[must_use]
    pub fn last(&self) -> Option<u32> {
        (self.last != NONE).then_some(self.last)
    }
}

impl Links {
    /// Puts `slot`, which is in no list, at the end of `list`.
    pub fn push(&mut self, list: &mut SlotList, slot: u32) {
        if self.0.len() <= slot as usize {
            let unlinked = Link {
                before: NONE,
                after: NONE,
            };
            self.0.resize(slot as usize + 1, unlinked);
        }
        self.0[slot as usize] = Link {
            before: list.last,
            after: NONE,
        };
        match list.last {
            NONE => list.first = slot,
            last => self.0[last as usize].after = slot,
        }
        list.last = slot;
        list.len += 1;
    }

    /// Takes `slot`, which is in `list`, out of it.
    pub fn remove(&mut self, list: &mut SlotList, slot: u32) {
        let Link { before, after } = self.0[slot as usize];
        match before {
            NONE => list.first = after,
            before => self.0[before as usize].after = after,
        }
        match after {
            NONE => list.last = before,
            after => self.0[after as usize].before = before,
        }
        list.len -= 1;
    }

    /// Takes the first member out of `list`.
    pub fn pop(&mut self, list: &mut SlotList) -> Option<u32> {
        let first = list.first()?;
        self.remove(list, first);
        Some(first)
    }

    /// The member after `slot` in its list.
    #[must_use]
    pub fn after(&self, slot: u32) -> Option<u32> {
        let after = self.0[slot as usize].after;
        (after != NONE).then_some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Three lists through the same slots, beside three plain vectors.
        #[test]
        fn agrees_with_vectors(steps in prop::collection::vec((0u32..12, 0usize..3), 0..200)) {
            let mut links = Links::default();
            let (mut lists, mut plain) = ([SlotList::default(); 3], [const { Vec::new() }; 3]);
            for (slot, list) in steps {
                match plain.iter().position(|members: &Vec<u32>| members.contains(&slot)) {
                    Some(home) if list == 0 => {
                        prop_assert_eq!(links.pop(&mut lists[home]), Some(plain[home].remove(0)));
                    }
                    Some(home) => {
                        links.remove(&mut lists[home], slot);
                        plain[home].retain(|member| *member != slot);
                    }
                    None => {
                        links.push(&mut lists[list], slot);
                        plain[list].push(slot);
                    }
                }
                for (list, plain) in lists.iter().zip(&plain) {
                    let members = std::iter::successors(list.first(), |at| links.after(*at));
                    prop_assert_eq!(&members.collect::<Vec<_>>(), plain);
                    prop_assert_eq!(list.len() as usize, plain.len());
                    prop_assert_eq!(list.last(), plain.last().copied());
                }
            }
        }
    }
}
