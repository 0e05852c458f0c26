//! What happens when: a queue of in-flight attempts, totally ordered by (time, sequence).
//!
//! The standard library's binary heap, flat, of 24-byte entries. A calendar queue (Brown, "Calendar
//! queues: a fast O(1) priority queue implementation for the simulation event set problem", CACM
//! 31(10), 1988) promises constant time, but it must guess a bucket width from the spread of the
//! events. Here that spread is wide and uneven (answers of half a second beside stalls of a
//! hundred), and the queue holds in-flight attempts only: tens to thousands of entries, which stay
//! in the cache. A 4-ary heap of our own was no faster than the standard library's binary one with
//! 10 to 1,000 in flight.
//!
//! An attempt has at most one event. Taking one back (the client gave up) leaves its entry in the
//! heap: finding it there would need a map from attempts to positions, written at every move of
//! every entry. A dead entry is recognised by its sequence number. It is dropped as soon as it
//! comes to the front, so that [`EventQueue::first_time`] only reads; and all are swept out when
//! they outnumber the live ones, so that memory stays proportional to what is in flight even if
//! every attempt is cancelled long before its time.

use crate::request::AttemptId;
use crate::time::Timestamp;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// The queue. At one time, what was scheduled first comes first.
pub(super) struct EventQueue {
    heap: BinaryHeap<Entry>,
    /// By attempt: sequence number of its live entry, or [`NONE`].
    live: Vec<u64>,
    /// Entries in `heap` that are not live.
    dead: usize,
    /// Sequence number given last.
    sequence: u64,
}

/// No live entry. Sequence numbers start at 1.
const NONE: u64 = 0;

/// Heaps up to this long are never swept: they are small whatever they hold.
const SWEEP_ABOVE: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    time: Timestamp,
    sequence: u64,
    attempt: AttemptId,
}

impl Entry {
    /// Time and sequence as one number: a single comparison without branches.
    #[inline]
    fn key(&self) -> u128 {
        u128::from(self.time.as_nanos()) << 64 | u128::from(self.sequence)
    }
}

impl Ord for Entry {
    /// Reversed, because the standard heap keeps the greatest on top.
    fn cmp(&self, other: &Self) -> Ordering {
        other.key().cmp(&self.key())
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl EventQueue {
    /// An empty queue with room for `capacity` entries.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            heap: BinaryHeap::with_capacity(capacity),
            live: Vec::with_capacity(capacity),
            dead: 0,
            sequence: NONE,
        }
    }

    /// Sets the event of `attempt` to `time`. An event that it already has is taken back.
    #[inline]
    pub(super) fn schedule(&mut self, attempt: AttemptId, time: Timestamp) {
        if self.live.len() <= attempt.at() {
            self.live.resize(attempt.at() + 1, NONE);
        }
        if self.live[attempt.at()] != NONE {
            self.cancel(attempt);
        }
        self.sequence += 1;
        self.live[attempt.at()] = self.sequence;
        self.heap.push(Entry {
            time,
            sequence: self.sequence,
            attempt,
        });
    }

    /// Takes back the event of `attempt`, if it has one.
    pub(super) fn cancel(&mut self, attempt: AttemptId) {
        let Some(live) = self.live.get_mut(attempt.at()) else {
            return;
        };
        if std::mem::replace(live, NONE) != NONE {
            self.dead += 1;
            self.tidy();
        }
    }

    /// Time of the next event, never of one that was taken back; [`Timestamp::NEVER`] if there is
    /// none.
    #[inline]
    pub(super) fn first_time(&self) -> Timestamp {
        self.heap
            .peek()
            .map_or(Timestamp::NEVER, |entry| entry.time)
    }

    /// Attempt of the next event.
    #[inline]
    pub(super) fn first_attempt(&self) -> Option<AttemptId> {
        self.heap.peek().map(|entry| entry.attempt)
    }

    /// Puts the next event off to `time`, which is not before its own, as if it were taken out and
    /// scheduled anew: one way down the heap instead of one down and one up.
    #[inline]
    pub(super) fn put_off_first(&mut self, time: Timestamp) {
        self.sequence += 1;
        if let Some(mut first) = self.heap.peek_mut() {
            self.live[first.attempt.at()] = self.sequence;
            first.time = time;
            first.sequence = self.sequence;
        }
        if self.dead > 0 {
            self.tidy();
        }
    }

    /// Takes the next event out.
    #[inline]
    pub(super) fn pop(&mut self) -> Option<(Timestamp, AttemptId)> {
        let entry = self.heap.pop()?;
        self.live[entry.attempt.at()] = NONE;
        if self.dead > 0 {
            self.tidy();
        }
        Some((entry.time, entry.attempt))
    }

    /// Drops dead entries from the front; sweeps them all out when they are the greater part.
    fn tidy(&mut self) {
        let live = &self.live;
        let is_live = |entry: &Entry| live[entry.attempt.at()] == entry.sequence;
        while let Some(entry) = self.heap.peek()
            && !is_live(entry)
        {
            self.heap.pop();
            self.dead -= 1;
        }
        if self.heap.len() > SWEEP_ABOVE && self.dead > self.heap.len() / 2 {
            self.heap.retain(is_live);
            self.dead = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug)]
    enum Operation {
        Schedule(u32, u64),
        Cancel(u32),
        Pop,
        PutOff(u64),
    }

    fn operation() -> impl Strategy<Value = Operation> {
        // Few times, so that ties are common; enough attempts that sweeps happen.
        prop_oneof![
            4 => (0..200u32, 0..40u64).prop_map(|(a, t)| Operation::Schedule(a, t)),
            3 => (0..200u32).prop_map(Operation::Cancel),
            1 => Just(Operation::Pop),
            1 => (0..40u64).prop_map(Operation::PutOff),
        ]
    }

    proptest! {
        /// Oracle: a plain vector, searched for its least (time, order of scheduling).
        #[test]
        fn agrees_with_a_sorted_list(operations in prop::collection::vec(operation(), 0..2_000)) {
            let mut queue = EventQueue::with_capacity(0);
            let mut model: Vec<(u64, usize, u32)> = Vec::new();
            for (order, operation) in operations.into_iter().enumerate() {
                match operation {
                    Operation::Schedule(attempt, time) => {
                        queue.schedule(AttemptId(attempt), Timestamp::from_nanos(time));
                        model.retain(|entry| entry.2 != attempt);
                        model.push((time, order, attempt));
                    }
                    Operation::Cancel(attempt) => {
                        queue.cancel(AttemptId(attempt));
                        model.retain(|entry| entry.2 != attempt);
                    }
                    Operation::Pop => {
                        let least = model.iter().min().copied();
                        model.retain(|entry| Some(*entry) != least);
                        let expected =
                            least.map(|(t, _, a)| (Timestamp::from_nanos(t), AttemptId(a)));
                        prop_assert_eq!(queue.pop(), expected);
                    }
                    Operation::PutOff(by) => {
                        if let Some(least) = model.iter().min().copied() {
                            let time = least.0 + by;
                            model.retain(|entry| *entry != least);
                            model.push((time, order, least.2));
                            queue.put_off_first(Timestamp::from_nanos(time));
                        }
                    }
                }
                let least = model.iter().min();
                let expected = least.map(|&(t, _, a)| (Timestamp::from_nanos(t), AttemptId(a)));
                let next = expected.map_or(Timestamp::NEVER, |(time, _)| time);
                prop_assert_eq!(queue.first_time(), next);
                prop_assert!(queue.heap.len() <= SWEEP_ABOVE.max(2 * model.len() + 1));
            }
        }
    }

    #[test]
    fn cancelling_long_before_the_time_does_not_pile_up() {
        let mut queue = EventQueue::with_capacity(0);
        queue.schedule(AttemptId(0), Timestamp::ZERO);
        for round in 0..100_000 {
            queue.schedule(AttemptId(1), Timestamp::from_nanos(1_000_000 + round));
            queue.cancel(AttemptId(1));
        }
        assert!(queue.heap.capacity() <= 2 * SWEEP_ABOVE + 2);
        assert_eq!(queue.pop(), Some((Timestamp::ZERO, AttemptId(0))));
        assert_eq!(queue.pop(), None);
    }
}
