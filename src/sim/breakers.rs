//! When each breaker was not closed.

use crate::request::AccountIndex;
use crate::routing::breaker::{BreakerState, Transition};
use crate::time::{Duration, Timestamp};

/// A stretch of time in which one breaker was not closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BreakerSpan {
    /// Position of the account.
    pub account: usize,
    /// Half-open instead of open.
    pub half_open: bool,
    /// From.
    pub start: Timestamp,
    /// To, exclusive.
    pub end: Timestamp,
}

/// What the breaker of one account did after the warm-up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BreakerTotals {
    /// Times that it opened.
    pub openings: u64,
    /// Time that it was open (half-open not counted).
    pub open: Duration,
}

/// Spans kept at most; a run with more still counts them all.
const MAX_SPANS: usize = 10_000;

/// Follows the breakers.
#[derive(Clone, Debug)]
pub(super) struct Breakers {
    states: Vec<(BreakerState, Timestamp)>,
    totals: Vec<BreakerTotals>,
    spans: Vec<BreakerSpan>,
    since: Timestamp,
}

impl Breakers {
    /// All closed; totals count from `since` on.
    pub fn new(accounts: usize, since: Timestamp) -> Self {
        Self {
            states: vec![(BreakerState::Closed, Timestamp::ZERO); accounts],
            totals: vec![BreakerTotals::default(); accounts],
            spans: vec![],
            since,
        }
    }

    /// Whether it is open, and was before `now`. At the instant of its opening there may be
    /// attempts on their way that were decided on before: of two that time out together, the first
    /// is sent elsewhere before the second is heard of.
    #[inline]
    pub fn was_open(&self, now: Timestamp, account: AccountIndex) -> bool {
        let (state, since) = self.states[account.at()];
        state == BreakerState::Open && since < now
    }

    /// Notes a change of state.
    pub fn transition(&mut self, account: AccountIndex, Transition { at, to }: Transition) {
        self.close_span(account.at(), at);
        self.states[account.at()] = (to, at);
        let opened = to == BreakerState::Open && at >= self.since;
        self.totals[account.at()].openings += u64::from(opened);
    }

    fn close_span(&mut self, account: usize, end: Timestamp) {
        let (state, start) = self.states[account];
        if state == BreakerState::Open {
            self.totals[account].open += end.since(start.max(self.since));
        }
        if state != BreakerState::Closed && self.spans.len() < MAX_SPANS {
            let half_open = state == BreakerState::HalfOpen;
            self.spans.push(BreakerSpan {
                account,
                half_open,
                start,
                end,
            });
        }
    }

    /// Totals by account, and the spans in order of their end. What is still open ends now.
    pub fn finish(mut self, end: Timestamp) -> (Vec<BreakerTotals>, Vec<BreakerSpan>) {
        (0..self.states.len()).for_each(|account| self.close_span(account, end));
        (self.totals, self.spans)
    }
}
