//! What is asked about targets when nobody is available: attempts at those that do not admit them,
//! and how bad they are.

use super::Pool;
use crate::routing::breaker::Ticket;
use crate::routing::quota::Need;
use crate::routing::target::TargetIndex;
use crate::time::{Duration, Timestamp};

impl Pool {
    /// Notes that an attempt was sent to `target` against the advice of its breaker or cool-down.
    /// Where the breaker admits nothing, it does not judge the result either: open and half-open
    /// times stay what they would have been. Everything else is learned as from any attempt.
    pub(in crate::routing) fn dispatched_anyway(
        &mut self,
        now: Timestamp,
        target: TargetIndex,
        expected: &Need,
    ) -> Ticket {
        let breaker = &mut self.targets[target.at()].breaker;
        let ticket = if breaker.is_closed() {
            breaker.dispatched()
        } else {
            breaker.bypassed()
        };
        self.count(now, target, ticket, expected);
        ticket
    }

    /// Health score as of the last event, whether or not the target admits attempts.
    pub(in crate::routing) fn health(&self, target: TargetIndex) -> f64 {
        let state = &self.targets[target.at()];
        let account = &self.accounts[state.account.at()];
        let parts = state.parts(account, &self.config);
        parts.health(&self.config.health)
    }

    /// Expected response time; the reference of the response score while unmeasured.
    pub(in crate::routing) fn expected_response(&self, target: TargetIndex) -> Duration {
        let estimate = self.response_seconds(target);
        estimate.map_or(
            self.config.metrics.response_reference,
            Duration::from_secs_f64,
        )
    }

    /// Attempts in flight at the target's account, and the most allowed.
    pub(in crate::routing) fn load(&self, target: TargetIndex) -> (u32, u32) {
        let account = &self.accounts[self.account_of(target).at()];
        (account.in_flight, account.max_in_flight)
    }
}
