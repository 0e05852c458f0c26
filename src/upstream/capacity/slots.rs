//! `c` servers and one bounded queue, first come first served: the G/G/c/K of queueing theory.
//!
//! A slot stands for whatever an account runs out of first: connections, workers, places in a
//! batch. The model fits limits on concurrency; answers that slow down as more of them run are
//! another capacity model.

use super::Admission;
use super::waiting_line::{Line, Links};
use crate::request::{AttemptId, FailureKind};

/// Slots and queue of one account.
pub(in crate::upstream) struct Slots {
    servers: u32,
    queue: u32,
    refusal: FailureKind,
    busy: u32,
    line: Line,
}

impl Slots {
    pub(super) fn new(servers: u32, queue: u32, refusal: FailureKind) -> Self {
        Self {
            servers,
            queue,
            refusal,
            busy: 0,
            line: Line::default(),
        }
    }

    #[inline]
    pub(super) fn refusal(&self) -> Option<FailureKind> {
        let full = self.busy >= self.servers && self.line.len() >= self.queue;
        full.then_some(self.refusal)
    }

    #[inline]
    pub(super) fn admit(&mut self, attempt: AttemptId, links: &mut Links) -> Admission {
        if self.busy < self.servers {
            self.busy += 1;
            Admission::RunsInSlot
        } else {
            self.line.push_back(attempt, links);
            Admission::Waits
        }
    }

    pub(super) fn leave(&mut self) {
        self.busy = self.busy.saturating_sub(1);
    }

    pub(super) fn line(&mut self) -> &mut Line {
        &mut self.line
    }

    #[inline]
    pub(super) fn call_next(&mut self, links: &mut Links) -> Option<AttemptId> {
        if self.busy >= self.servers {
            return None;
        }
        let next = self.line.pop_front(links)?;
        self.busy += 1;
        Some(next)
    }
}
