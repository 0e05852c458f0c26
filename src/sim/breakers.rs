//! When each breaker was not closed.

use crate::request::ModelIndex;
use crate::routing::breaker::{BreakerState, Transition};
use crate::routing::pool::Pool;
use crate::routing::target::TargetIndex;
use crate::time::{Duration, Timestamp};

/// A stretch of time in which one breaker was not closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BreakerSpan {
    /// Position of the account.
    pub account: usize,
    /// Position of the model that it is for; `None` if it is for the whole account.
    pub model: Option<usize>,
    /// Half-open instead of open.
    pub half_open: bool,
    /// From.
    pub start: Timestamp,
    /// To, exclusive.
    pub end: Timestamp,
}

/// What the breakers of one account did after the warm-up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BreakerTotals {
    /// Times that one opened.
    pub openings: u64,
    /// Time open (half-open not counted), the mean over its breakers: an account that refuses one
    /// of three models for a minute is open for 20 s, one that refuses all for a minute.
    pub open: Duration,
}

/// Spans kept at most; a run with more still counts them all.
const MAX_SPANS: usize = 10_000;

/// Follows the breakers, one for each target.
#[derive(Clone, Debug)]
pub(super) struct Breakers {
    /// By target: account, model.
    whose: Vec<(usize, Option<usize>)>,
    states: Vec<(BreakerState, Timestamp)>,
    totals: Vec<BreakerTotals>,
    spans: Vec<BreakerSpan>,
    since: Timestamp,
}

impl Breakers {
    /// All closed; totals count from `since` on.
    pub fn new(pool: &Pool, since: Timestamp) -> Self {
        let whose = |target| {
            let model = pool.model_of(target).map(ModelIndex::at);
            (pool.account_of(target).at(), model)
        };
        let targets = pool.targets();
        Self {
            whose: (0..targets as u32).map(TargetIndex).map(whose).collect(),
            states: vec![(BreakerState::Closed, Timestamp::ZERO); targets],
            totals: vec![BreakerTotals::default(); targets],
            spans: vec![],
            since,
        }
    }

    /// Whether it is open, and was before `now`. At the instant of its opening there may be
    /// attempts on their way that were decided on before: of two that time out together, the first
    /// is sent elsewhere before the second is heard of.
    #[inline]
    pub fn was_open(&self, now: Timestamp, target: TargetIndex) -> bool {
        let (state, since) = self.states[target.at()];
        state == BreakerState::Open && since < now
    }

    /// Notes a change of state.
    pub fn transition(&mut self, target: TargetIndex, Transition { at, to }: Transition) {
        self.close_span(target.at(), at);
        self.states[target.at()] = (to, at);
        let opened = to == BreakerState::Open && at >= self.since;
        self.totals[target.at()].openings += u64::from(opened);
    }

    fn close_span(&mut self, target: usize, end: Timestamp) {
        let (state, start) = self.states[target];
        if state == BreakerState::Open {
            self.totals[target].open += end.since(start.max(self.since));
        }
        if state != BreakerState::Closed && self.spans.len() < MAX_SPANS {
            let half_open = state == BreakerState::HalfOpen;
            let (account, model) = self.whose[target];
            self.spans.push(BreakerSpan {
                account,
                model,
                half_open,
                start,
                end,
            });
        }
    }

    /// Totals by account, and the spans in order of their end. What is still open ends now.
    pub fn finish(
        mut self,
        accounts: usize,
        end: Timestamp,
    ) -> (Vec<BreakerTotals>, Vec<BreakerSpan>) {
        (0..self.states.len()).for_each(|target| self.close_span(target, end));
        let mut sums = vec![(BreakerTotals::default(), 0); accounts];
        for ((account, _), own) in self.whose.iter().zip(&self.totals) {
            let (sum, breakers) = &mut sums[*account];
            sum.openings += own.openings;
            sum.open += own.open;
            *breakers += 1;
        }
        let mean = |(sum, breakers): &(BreakerTotals, u64)| BreakerTotals {
            openings: sum.openings,
            open: Duration::from_nanos(sum.open.as_nanos() / (*breakers).max(1)),
        };
        (sums.iter().map(mean).collect(), self.spans)
    }
}
