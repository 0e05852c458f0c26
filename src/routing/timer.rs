//! The gateway's timers.
//!
//! A timer with a constant delay expires in the order in which it was set, so a list does what a
//! heap would, in O(1); and because the list runs through the slots of what is in flight, a timer
//! that is no longer needed is unlinked at once and memory stays O(in flight). (A queue of entries
//! that are skipped when stale would hold every request of the last 30 s.)

use crate::time::Timestamp;

const NONE: u32 = u32::MAX;

/// Timers of one constant delay, at most one for each slot.
#[derive(Clone, Debug)]
pub struct FifoTimers {
    links: Vec<Link>,
    head: u32,
    tail: u32,
    /// When `head` expires.
    next_at: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    at: Timestamp,
    before: u32,
    after: u32,
    armed: bool,
}

impl Default for FifoTimers {
    fn default() -> Self {
        Self {
            links: vec![],
            head: NONE,
            tail: NONE,
            next_at: Timestamp::NEVER,
        }
    }
}

impl FifoTimers {
    /// Sets the timer of `slot`, which must not be armed, to expire at `at`, which must not lie
    /// before any other armed here.
    pub fn arm(&mut self, slot: u32, at: Timestamp) {
        if self.links.len() <= slot as usize {
            let unarmed = Link {
                at: Timestamp::ZERO,
                before: NONE,
                after: NONE,
                armed: false,
            };
            self.links.resize(slot as usize + 1, unarmed);
        }
        debug_assert!(!self.links[slot as usize].armed, "armed twice");
        debug_assert!(
            self.tail == NONE || self.links[self.tail as usize].at <= at,
            "not in order"
        );
        self.links[slot as usize] = Link {
            at,
            before: self.tail,
            after: NONE,
            armed: true,
        };
        match self.tail {
            NONE => (self.head, self.next_at) = (slot, at),
            tail => self.links[tail as usize].after = slot,
        }
        self.tail = slot;
    }

    /// Unsets the timer of `slot`; nothing happens if it is not armed.
    #[inline]
    pub fn disarm(&mut self, slot: u32) {
        let Some(link) = self.links.get_mut(slot as usize).filter(|link| link.armed) else {
            return;
        };
        link.armed = false;
        let Link { before, after, .. } = *link;
        match before {
            NONE => {
                self.head = after;
                let next = self.links.get(after as usize);
                self.next_at = next.map_or(Timestamp::NEVER, |link| link.at);
            }
            before => self.links[before as usize].after = after,
        }
        match after {
            NONE => self.tail = before,
            after => self.links[after as usize].before = before,
        }
    }

    /// When the next timer expires; [`Timestamp::NEVER`] if none is armed.
    #[must_use]
    #[inline]
    pub const fn next_at(&self) -> Timestamp {
        self.next_at
    }

    /// The next timer to expire.
    #[must_use]
    #[inline]
    pub fn next(&self) -> Option<(Timestamp, u32)> {
        (self.head != NONE).then_some((self.next_at, self.head))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_sorted_list(steps in prop::collection::vec((0u64..3, 0u32..20), 0..300)) {
            let (mut timers, mut list, mut now) = (FifoTimers::default(), vec![], 0);
            for (wait, slot) in steps {
                now += wait;
                if list.iter().any(|(_, s)| *s == slot) {
                    timers.disarm(slot);
                    list.retain(|(_, s)| *s != slot);
                } else {
                    timers.arm(slot, Timestamp::from_nanos(now));
                    list.push((Timestamp::from_nanos(now), slot));
                }
                prop_assert_eq!(timers.next(), list.first().copied());
            }
        }
    }
}
