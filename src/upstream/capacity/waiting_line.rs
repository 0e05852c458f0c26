//! First-in-first-out lines of waiting attempts, threaded through one table.
//!
//! An attempt waits in one line at most, so every account's line can be a chain through a single
//! table indexed by attempt. Leaving from the middle (the client gave up) is then a matter of two
//! writes. A `VecDeque` per account would keep the place of everyone who left until the front comes
//! by, which may be never if the account hangs, and would allocate for each of 10,000 accounts.

use crate::request::AttemptId;

/// The table: the neighbours of every attempt that waits anywhere.
#[derive(Default)]
pub(in crate::upstream) struct Links(Vec<Link>);

#[derive(Clone, Copy, Default)]
struct Link {
    before: Option<AttemptId>,
    after: Option<AttemptId>,
}

/// One line. Always used with the same [`Links`].
#[derive(Default)]
pub(super) struct Line {
    first: Option<AttemptId>,
    last: Option<AttemptId>,
    length: u32,
}

impl Line {
    /// Attempts that wait.
    pub(super) fn len(&self) -> u32 {
        self.length
    }

    /// Joins at the end. The attempt must not wait in any line.
    #[inline(always)]
    pub(super) fn push_back(&mut self, attempt: AttemptId, links: &mut Links) {
        if links.0.len() <= attempt.at() {
            links.0.resize(attempt.at() + 1, Link::default());
        }
        links.0[attempt.at()] = Link {
            before: self.last,
            after: None,
        };
        match self.last {
            Some(last) => links.0[last.at()].after = Some(attempt),
            None => self.first = Some(attempt),
        }
        self.last = Some(attempt);
        self.length += 1;
    }

    /// Leaves from the front.
    #[inline(always)]
    pub(super) fn pop_front(&mut self, links: &mut Links) -> Option<AttemptId> {
        let first = self.first?;
        self.remove(first, links);
        Some(first)
    }

    /// Leaves from anywhere. The attempt must wait in this line.
    #[inline]
    pub(super) fn remove(&mut self, attempt: AttemptId, links: &mut Links) {
        let Link { before, after } = std::mem::take(&mut links.0[attempt.at()]);
        match before {
            Some(before) => links.0[before.at()].after = after,
            None => self.first = after,
        }
        match after {
            Some(after) => links.0[after.at()].before = before,
            None => self.last = before,
        }
        self.length -= 1;
    }

    /// The place of one is another's from now on, who must not wait in any line.
    pub(super) fn rename(&mut self, attempt: AttemptId, to: AttemptId, links: &mut Links) {
        let Link { before, after } = std::mem::take(&mut links.0[attempt.at()]);
        if links.0.len() <= to.at() {
            links.0.resize(to.at() + 1, Link::default());
        }
        links.0[to.at()] = Link { before, after };
        match before {
            Some(before) => links.0[before.at()].after = Some(to),
            None => self.first = Some(to),
        }
        match after {
            Some(after) => links.0[after.at()].before = Some(to),
            None => self.last = Some(to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    proptest! {
        /// Oracle: two standard queues. Each attempt in turn joins a line, or leaves it if it
        /// waits, or gives its place away.
        #[test]
        fn two_lines_agree_with_standard_queues(
            steps in prop::collection::vec((0..12u32, 0..2usize, any::<bool>()), 0..300),
        ) {
            // Names that nobody else has.
            let mut other = 100;
            let mut links = Links::default();
            let mut lines = [Line::default(), Line::default()];
            let mut model: [VecDeque<u32>; 2] = [VecDeque::new(), VecDeque::new()];
            for (attempt, line, pop) in steps {
                if pop {
                    let popped = lines[line].pop_front(&mut links);
                    prop_assert_eq!(popped, model[line].pop_front().map(AttemptId));
                } else if let Some(held) = (0..2).find(|&l| model[l].contains(&attempt))
                    && line == 0
                {
                    lines[held].rename(AttemptId(attempt), AttemptId(other), &mut links);
                    let place = model[held].iter().position(|&one| one == attempt);
                    model[held][place.unwrap()] = other;
                    other += 1;
                } else if let Some(held) = (0..2).find(|&l| model[l].contains(&attempt)) {
                    lines[held].remove(AttemptId(attempt), &mut links);
                    model[held].retain(|&other| other != attempt);
                } else {
                    lines[line].push_back(AttemptId(attempt), &mut links);
                    model[line].push_back(attempt);
                }
                for (line, model) in lines.iter().zip(&model) {
                    prop_assert_eq!(line.len() as usize, model.len());
                }
            }
            for (line, mut model) in lines.iter_mut().zip(model) {
                while let Some(expected) = model.pop_front() {
                    prop_assert_eq!(line.pop_front(&mut links), Some(AttemptId(expected)));
                }
                prop_assert_eq!(line.pop_front(&mut links), None);
            }
        }
    }
}
