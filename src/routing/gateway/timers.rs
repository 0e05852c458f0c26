//! The gateway's timers: which there are, and when the next one expires.

use crate::request::RequestId;
use crate::routing::config::{RoutingConfig, WhenNoneAvailable};
use crate::routing::timer::FifoTimers;
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The timers of all requests and attempts.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    /// By request.
    pub(super) deadline: FifoTimers,
    /// By attempt.
    pub(super) attempt: FifoTimers,
    /// By attempt.
    pub(super) first_token: FifoTimers,
    /// By attempt.
    pub(super) idle: FifoTimers,
    /// (when, order, request, its arrival): a back-off has any length, so this one is a heap.
    pub(super) retry: BinaryHeap<Reverse<(Timestamp, u64, u32, RequestId)>>,
    pub(super) retries: u64,
    /// Whether attempts have timers at all.
    pub(super) by_attempt: bool,
    /// When somebody may be available for those who wait; `NEVER` while nobody waits.
    pub(super) wake: Timestamp,
    /// Whether any but deadlines and retries can be set.
    rare: bool,
}

impl Timers {
    /// None is set.
    pub(super) fn new(config: &RoutingConfig) -> Self {
        let by_attempt = config.attempt_timeout.is_some()
            || config.first_token_timeout.is_some()
            || config.idle_timeout.is_some();
        Self {
            by_attempt,
            wake: Timestamp::NEVER,
            rare: by_attempt || config.when_none_available == WhenNoneAvailable::Wait,
            ..Self::default()
        }
    }

    /// When the next timer expires; [`Timestamp::NEVER`] if none is set.
    #[inline]
    pub(super) fn next_at(&self) -> Timestamp {
        let retry = self.retry.peek();
        let retry = retry.map_or(Timestamp::NEVER, |Reverse((at, ..))| *at);
        let next = self.deadline.next_at().min(retry);
        if !self.rare {
            return next;
        }
        let attempt = self.attempt.next_at().min(self.first_token.next_at());
        next.min(attempt).min(self.idle.next_at()).min(self.wake)
    }

    /// Unsets the timers of an attempt.
    #[inline]
    pub(super) fn disarm(&mut self, attempt: u32) {
        if self.by_attempt {
            self.attempt.disarm(attempt);
            self.first_token.disarm(attempt);
            self.idle.disarm(attempt);
        }
    }
}
