//! What the end of an attempt teaches.

use super::{AccountState, ModelFacts, Pool, Target, TargetTransition};
use crate::request::{Failure, FailureKind, ModelIndex, Usage};
use crate::routing::breaker::{Judgement, Ticket};
use crate::routing::config::RoutingConfig;
use crate::routing::failure::{AccountEffect, Consequence, consequence};
use crate::routing::quota::Need;
use crate::routing::target::TargetIndex;
use crate::time::Timestamp;

/// An attempt that has ended, as far as the pool can learn from it.
#[derive(Clone, Copy, Debug)]
pub struct AttemptEnd {
    /// Where it was sent.
    pub target: TargetIndex,
    /// What its target's breaker gave it.
    pub ticket: Ticket,
    /// Model asked for.
    pub model: ModelIndex,
    /// Whether the answer was streamed.
    pub streaming: bool,
    /// When it was sent.
    pub dispatched: Timestamp,
    /// Whether part of its request's time had passed before: with another attempt, in line, or
    /// behind a request that asked for the same.
    pub late: bool,
    /// Whether its first token had come.
    pub had_first_token: bool,
    /// How it failed; `None` is success.
    pub failure: Option<Failure>,
    /// Tokens consumed, charged or not.
    pub usage: Usage,
    /// What it was expected to take from the quota.
    pub expected: Need,
}

impl Pool {
    /// Learns a time to first token.
    #[inline]
    pub fn first_token(&mut self, now: Timestamp, target: TargetIndex, dispatched: Timestamp) {
        let tau = self.config.metrics.latency_tau;
        let estimate = &mut self.targets[target.at()].first_token;
        let was_measured = estimate.is_measured();
        estimate.observe(now, now.since(dispatched), tau);
        if was_measured {
            self.keys.first_token_moved(target);
        } else {
            self.refresh(target, now);
        }
    }

    /// Learns from the end of an attempt.
    #[inline(always)]
    pub fn ended(&mut self, now: Timestamp, end: &AttemptEnd) {
        let state = &mut self.targets[end.target.at()];
        let account = &mut self.accounts[state.account.at()];
        let ordinary = end.failure.is_none() && state.is_ordinary(account);
        let (alone, was_full) = (state.sibling == end.target, account.is_full());
        account.in_flight -= 1;
        state.in_flight -= 1;
        if let Some(quota) = account.quota {
            let failure = end.failure.map(|failure| failure.kind);
            self.quotas[quota as usize].correct(now, &end.expected, end.usage, failure);
        }
        let judgement = match end.failure {
            None => {
                state.succeeded(now, self.tick, end, account, &self.config);
                self.models[end.model.at()].answered(end.usage);
                Judgement::Success
            }
            Some(failure) => state.failed(now, self.tick, *end, failure, account, &self.config),
        };
        if let Some(config) = &self.config.breaker
            && let Some(transition) = state.breaker.ended(now, end.ticket, judgement, config)
        {
            let (target, account) = (end.target, state.account);
            self.transitions.push_back(TargetTransition {
                target,
                account,
                transition,
            });
        }
        if ordinary {
            self.keys.mark(end.target);
        } else {
            self.refresh(end.target, now);
        }
        if !alone {
            self.others_ended(now, end, was_full);
        }
    }
}

impl Pool {
    /// What the end of an attempt means for the other targets of its account: a place has become
    /// free, or the account cools down.
    #[cold]
    #[inline(never)]
    fn others_ended(&mut self, now: Timestamp, end: &AttemptEnd, was_full: bool) {
        if end.failure.is_some() {
            self.for_others(end.target, |pool, other| pool.refresh(other, now));
        } else {
            self.tell_others(now, end.target, was_full);
        }
    }
}

impl ModelFacts {
    const fn answered(&mut self, usage: Usage) {
        self.input_tokens += usage.input as u64;
        self.cached_tokens += usage.cached_input as u64;
        self.output_tokens += usage.output as u64;
        self.answers += 1;
    }
}

impl Target {
    /// Whether a success, now, would change estimates only: no set that the target belongs to, and
    /// nothing that time will change earlier than it would without.
    #[inline]
    const fn is_ordinary(&self, account: &AccountState) -> bool {
        self.breaker.is_closed()
            && self.error_streak == 0
            && self.response.is_measured()
            && self.in_flight > 1
            && account.in_flight < account.max_in_flight
    }

    #[inline]
    fn succeeded(
        &mut self,
        now: Timestamp,
        tick: u64,
        end: &AttemptEnd,
        account: &mut AccountState,
        config: &RoutingConfig,
    ) {
        self.window.record(tick, true);
        self.error_streak = 0;
        self.response
            .observe(now, now.since(end.dispatched), config.metrics.latency_tau);
        account.cool_down.success(end.dispatched);
    }

    /// `end` is taken by value so that a success need not lay it out in memory.
    #[inline(never)]
    fn failed(
        &mut self,
        now: Timestamp,
        tick: u64,
        end: AttemptEnd,
        failure: Failure,
        account: &mut AccountState,
        config: &RoutingConfig,
    ) -> Judgement {
        let Consequence {
            counts,
            latency_sample,
            account: effect,
            ..
        } = consequence(failure.kind);
        match effect {
            AccountEffect::None => {}
            AccountEffect::CoolDown => {
                account
                    .cool_down
                    .rate_limited(now, failure.retry_after, &config.cool_down);
            }
            AccountEffect::Disable => account.cool_down.account_fault(now, &config.cool_down),
        }
        let short = self.was_cut_short(now, &end, failure.kind, config);
        if latency_sample && !short {
            self.waited(now, &end, failure.kind, config);
        }
        if !counts || short {
            return Judgement::None;
        }
        self.window.record(tick, false);
        self.error_streak = self.error_streak.saturating_add(1);
        self.last_failure = Some(now);
        Judgement::Failure
    }

    /// Whether the request's deadline ended a late attempt before its target could be expected to
    /// answer: that says nothing about the target, the time had been spent elsewhere. Nor is the
    /// time waited a sample: to an unmeasured target it would be its whole response time. Of an
    /// unmeasured target an answer can be expected within the reference of the response score.
    fn was_cut_short(
        &self,
        now: Timestamp,
        end: &AttemptEnd,
        kind: FailureKind,
        config: &RoutingConfig,
    ) -> bool {
        let reference = config.metrics.response_reference.as_secs_f64();
        let waited = now.since(end.dispatched).as_secs_f64();
        kind == FailureKind::DeadlineExceeded
            && end.late
            && waited < self.response.seconds().unwrap_or(reference)
    }

    /// A timeout says that the answer takes at least this long.
    fn waited(
        &mut self,
        now: Timestamp,
        end: &AttemptEnd,
        kind: FailureKind,
        config: &RoutingConfig,
    ) {
        let (waited, tau) = (now.since(end.dispatched), config.metrics.latency_tau);
        self.response.observe_at_least(now, waited, tau);
        if end.streaming && !end.had_first_token && kind != FailureKind::IdleTimeout {
            self.first_token.observe_at_least(now, waited, tau);
        }
    }
}
