//! The gateway core: the life of a request, as a state machine.
//!
//! The driver (the simulator, or the live proxy) reports what happens and carries out the
//! [`Action`]s that follow; the core has no clock, no socket, and no thread. Every report takes
//! `now`, which never goes back. `quinn-proto` is the model. What has ended is shown to an
//! [`Observer`] at once, in place: a record is larger than all the rest of a report, and one that
//! went through the queue of actions would be copied four times on its way.
//!
//! ```text
//! on_request ─▶ Dispatch ─▶ on_first_token ─▶ on_ended(success) ─▶ request_ended
//!                  │ ▲                            │ failure
//!    on_timer ─▶ Cancel ─▶ on_ended(failure) ─▶ retry: Dispatch, now or after a back-off
//! ```

mod slots;
mod timers;

use crate::record::{AttemptRecord, Outcome, Rejection, RequestRecord};
use crate::request::{
    AccountIndex, AttemptId, ClassIndex, Failure, FailureKind, RequestFeatures, RequestId, Usage,
};
use crate::rng::Rng;
use crate::routing::account::Account;
use crate::routing::balancer::IntelligentLoadBalancer;
use crate::routing::breaker::Ticket;
use crate::routing::config::RoutingConfig;
use crate::routing::failure::{AccountEffect, consequence};
use crate::routing::geography::Geography;
use crate::routing::metrics::{AccountMetrics, GatewayStats};
use crate::routing::pool::{AttemptEnd, TargetTransition};
use crate::routing::quota::Need;
use crate::routing::retry::{RetryBudget, backoff};
use crate::routing::router::{RoutingDecision, SmartRouter};
use crate::routing::statistics::Statistics;
use crate::routing::target::TargetIndex;
use crate::time::{Duration, Timestamp};
use crate::units::NanoUsd;
use slots::Slots;
use std::cmp::Reverse;
use std::collections::VecDeque;
use timers::Timers;

/// A request in the gateway's hands. Reused after the request has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestHandle(pub u32);

/// What the driver has to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Send the request to an account.
    Dispatch {
        /// Name of the attempt in later reports.
        attempt: AttemptId,
        /// The request.
        request: RequestHandle,
        /// Where to.
        account: AccountIndex,
        /// How many times this request was sent to this account before.
        nth: u32,
    },
    /// Give the attempt up, and report its end by [`Gateway::on_ended`] with this failure.
    Cancel {
        /// Which.
        attempt: AttemptId,
        /// Why.
        failure: FailureKind,
    },
}

/// Who is told of what has ended, at the moment when it ends. `()` does not care.
pub trait Observer {
    /// An attempt has ended.
    fn attempt_ended(&mut self, record: &AttemptRecord) {
        let _ = record;
    }

    /// A request has ended: answer the client. Its handle is free again afterwards. `latency` is
    /// what it counts with ([`Statistics::latency_of`]).
    fn request_ended(&mut self, request: RequestHandle, record: &RequestRecord, latency: Duration) {
        let _ = (request, record, latency);
    }
}

impl Observer for () {}

/// The gateway core.
#[derive(Clone, Debug)]
pub struct Gateway {
    config: RoutingConfig,
    balancer: IntelligentLoadBalancer,
    router: SmartRouter,
    budget: RetryBudget,
    requests: Slots<RequestState>,
    attempts: Slots<AttemptState>,
    timers: Timers,
    actions: VecDeque<Action>,
    statistics: Statistics,
}

/// A request, its record filled in as it goes along.
#[derive(Clone, Debug)]
struct RequestState {
    record: RequestRecord,
    features: RequestFeatures,
    deadline: Timestamp,
    /// The attempt in flight.
    live: Option<AttemptId>,
    /// Where it was sent, in order.
    tried: Vec<TargetIndex>,
    /// Of them those that had an account fault, and must not see it again.
    barred: Vec<TargetIndex>,
    last_failure: Option<FailureKind>,
}

/// An attempt, its record filled in as it goes along.
#[derive(Clone, Debug)]
struct AttemptState {
    record: AttemptRecord,
    request: u32,
    target: TargetIndex,
    ticket: Ticket,
    expected: Need,
}

impl Gateway {
    /// A gateway without accounts. `policy` is the stream for its own random choices.
    #[must_use]
    pub fn new(
        config: &RoutingConfig,
        geography: Geography,
        statistics: Statistics,
        policy: Rng,
    ) -> Self {
        Self {
            balancer: IntelligentLoadBalancer::new(config, geography, policy),
            router: SmartRouter::new(config),
            budget: RetryBudget::new(&config.retry),
            requests: Slots::default(),
            attempts: Slots::default(),
            timers: Timers::new(config),
            actions: VecDeque::new(),
            statistics,
            config: config.clone(),
        }
    }

    /// Registers an account, or updates a known one in place.
    pub fn upsert(&mut self, now: Timestamp, account: Account) -> AccountIndex {
        let index = self.balancer.upsert(now, account);
        self.statistics.grow(self.balancer.pool().accounts());
        index
    }

    /// A request has arrived.
    #[inline(never)]
    pub fn on_request(
        &mut self,
        now: Timestamp,
        id: RequestId,
        class: ClassIndex,
        features: &RequestFeatures,
        observer: &mut impl Observer,
    ) -> RequestHandle {
        self.budget.deposit(now);
        let deadline = self
            .config
            .deadline
            .map_or(Timestamp::NEVER, |limit| now + limit);
        let record = record_of(now, id, class, features);
        let (slot, request) = self.requests.take(|| RequestState {
            record,
            features: *features,
            deadline,
            live: None,
            tried: vec![],
            barred: vec![],
            last_failure: None,
        });
        request.record = record;
        request.features = *features;
        request.deadline = deadline;
        request.live = None;
        request.tried.clear();
        request.barred.clear();
        request.last_failure = None;
        if self.config.deadline.is_some() {
            self.timers.deadline.arm(slot, deadline);
        }
        match self
            .router
            .route(&mut self.balancer, now, features, &[], false)
        {
            Ok(decision) => self.dispatch(now, slot, &decision),
            Err(reason) => self.give_answer(now, slot, Outcome::Rejected(reason), observer),
        }
        RequestHandle(slot)
    }

    #[inline(always)]
    fn dispatch(&mut self, now: Timestamp, slot: u32, decision: &RoutingDecision) {
        let request = self.requests.get_mut(slot);
        let &RoutingDecision {
            target,
            account,
            strategy,
            confidence,
            ..
        } = decision;
        let expected = self.balancer.pool().expected_need(&request.features);
        let ticket = self.balancer.dispatched(now, target, &expected);
        let pool = self.balancer.pool();
        let before = request.tried.iter();
        let nth = before.filter(|t| pool.account_of(**t) == account).count() as u32;
        request.tried.push(target);
        let number = u8::try_from(request.tried.len()).unwrap_or(u8::MAX);
        let state = AttemptState {
            record: AttemptRecord {
                request: request.record.request,
                number,
                account,
                strategy,
                dispatched: now,
                first_token: None,
                ended: now,
                failure: None,
                usage: Usage::default(),
                cost: NanoUsd(0),
                confidence,
                probe: ticket.is_probe(),
            },
            request: slot,
            target,
            ticket,
            expected,
        };
        let (attempt, place) = self.attempts.take(|| state.clone());
        *place = state;
        request.live = Some(AttemptId(attempt));
        request.record.attempts = number;
        request.record.account = Some(account);
        request.record.strategy = Some(strategy);
        if self.timers.by_attempt {
            let (streaming, deadline) = (request.features.streaming, request.deadline);
            self.arm(now, attempt, streaming, deadline);
        }
        self.actions.push_back(Action::Dispatch {
            attempt: AttemptId(attempt),
            request: RequestHandle(slot),
            account,
            nth,
        });
    }

    /// The same where it is rare.
    #[inline(never)]
    fn dispatch_again(&mut self, now: Timestamp, slot: u32, decision: &RoutingDecision) {
        self.dispatch(now, slot, decision);
    }

    /// Sets an attempt's timers, those that expire before the deadline.
    #[inline]
    fn arm(&mut self, now: Timestamp, attempt: u32, streaming: bool, deadline: Timestamp) {
        if let Some(limit) = self.config.attempt_timeout
            && now + limit < deadline
        {
            self.timers.attempt.arm(attempt, now + limit);
        }
        if let Some(limit) = self.config.first_token_timeout
            && streaming
            && now + limit < deadline
        {
            self.timers.first_token.arm(attempt, now + limit);
        }
    }

    /// The first token of a streaming attempt has come.
    #[inline]
    pub fn on_first_token(&mut self, now: Timestamp, attempt: AttemptId) {
        self.timers.first_token.disarm(attempt.0);
        if let Some(limit) = self.config.idle_timeout {
            self.timers.idle.arm(attempt.0, now + limit);
        }
        let state = self.attempts.get_mut(attempt.0);
        state.record.first_token = Some(now);
        self.requests.get_mut(state.request).record.first_token = Some(now);
        self.balancer
            .first_token(now, state.target, state.record.dispatched);
    }

    /// Something more of a stream has come: restarts its idle timeout. Before the first token it
    /// does nothing, because frames that only keep a connection alive are no answer.
    pub fn on_progress(&mut self, now: Timestamp, attempt: AttemptId) {
        let begun = self
            .attempts
            .get_mut(attempt.0)
            .record
            .first_token
            .is_some();
        if let Some(limit) = self.config.idle_timeout
            && begun
        {
            self.timers.idle.disarm(attempt.0);
            self.timers.idle.arm(attempt.0, now + limit);
        }
    }

    /// An attempt has ended: successfully (`failure` is `None`), by a failure, or by a
    /// [`Action::Cancel`]. `usage` is what it consumed.
    #[inline(never)]
    pub fn on_ended(
        &mut self,
        now: Timestamp,
        attempt: AttemptId,
        failure: Option<Failure>,
        usage: Usage,
        observer: &mut impl Observer,
    ) {
        self.timers.disarm(attempt.0);
        let (slot, delivered) = self.settle(now, attempt, failure, usage, observer);
        self.attempts.release(attempt.0);
        match failure {
            None => self.finish(now, slot, Outcome::Success, observer),
            Some(failure) => self.retry(now, slot, failure.kind, delivered, observer),
        }
    }

    /// Learns from an attempt and draws up its bill. Returns its request, and whether the client
    /// has already had a part of the answer.
    #[inline(always)]
    fn settle(
        &mut self,
        now: Timestamp,
        attempt: AttemptId,
        failure: Option<Failure>,
        usage: Usage,
        observer: &mut impl Observer,
    ) -> (u32, bool) {
        let attempt = self.attempts.get_mut(attempt.0);
        let request = self.requests.get_mut(attempt.request);
        // The request's record says all that is needed of its features: fewer cache lines.
        let (
            RequestRecord {
                model, streaming, ..
            },
            record,
        ) = (request.record, &mut attempt.record);
        let delivered = record.first_token.is_some();
        self.balancer.ended(
            now,
            &AttemptEnd {
                target: attempt.target,
                ticket: attempt.ticket,
                model,
                streaming,
                dispatched: record.dispatched,
                is_retry: record.number > 1,
                had_first_token: delivered,
                failure,
                usage,
                expected: attempt.expected,
            },
        );
        let kind = failure.map(|failure| failure.kind);
        record.ended = now;
        record.failure = kind;
        if kind.is_none_or(|kind| consequence(kind).charged) {
            let served = self.balancer.pool().served(attempt.target, model);
            record.usage = usage;
            record.cost = served.map_or(NanoUsd(0), |served| served.prices.bill(usage));
        }
        let promised = record.confidence.is_some();
        let tolerance = promised.then_some(request.features.preferences.latency_tolerance);
        self.statistics
            .attempt(record, request.record.arrived, tolerance.flatten());
        observer.attempt_ended(record);
        request.live = None;
        request.record.cost += record.cost;
        request.record.input_tokens += u64::from(record.usage.input);
        request.record.output_tokens += u64::from(record.usage.output);
        if kind.is_some() {
            request.record.wasted += record.cost;
            request.last_failure = kind;
            if kind.is_some_and(|kind| consequence(kind).account == AccountEffect::Disable) {
                request.barred.push(attempt.target);
            }
        }
        (attempt.request, delivered)
    }

    /// Sends the request somewhere else, at once or after a back-off, or gives it up.
    #[inline(never)]
    fn retry(
        &mut self,
        now: Timestamp,
        slot: u32,
        kind: FailureKind,
        delivered: bool,
        observer: &mut impl Observer,
    ) {
        let request = self.requests.get_mut(slot);
        let attempts = request.tried.len();
        let allowed = consequence(kind).retry
            && !delivered
            && attempts < usize::from(self.config.retry.max_attempts)
            && now < request.deadline;
        if !allowed {
            return self.give_answer(now, slot, Outcome::Failed(kind), observer);
        }
        if !self.budget.withdraw(now) {
            request.record.budget_exhausted = true;
            return self.give_answer(now, slot, Outcome::Failed(kind), observer);
        }
        let (features, tried) = (&request.features, &request.tried);
        if let Ok(decision) = self
            .router
            .route(&mut self.balancer, now, features, tried, true)
        {
            return self.dispatch_again(now, slot, &decision);
        }
        let delay = backoff(&self.config.retry, attempts as u32, self.balancer.rng());
        let (at, deadline, id) = (now + delay, request.deadline, request.record.request);
        if at >= deadline {
            self.budget.give_back(now);
            return self.give_answer(now, slot, Outcome::Failed(kind), observer);
        }
        self.timers.retries += 1;
        self.timers
            .retry
            .push(Reverse((at, self.timers.retries, slot, id)));
    }

    /// A back-off is over: any eligible target will do, one not yet tried rather than another.
    fn retry_after_backoff(&mut self, now: Timestamp, slot: u32, observer: &mut impl Observer) {
        let request = self.requests.get_mut(slot);
        let (features, balancer) = (&request.features, &mut self.balancer);
        let decision = self
            .router
            .route(balancer, now, features, &request.tried, true)
            .or_else(|_| {
                let barred = &request.barred;
                self.router.route(balancer, now, features, barred, true)
            });
        match (decision, request.last_failure) {
            (Ok(decision), _) => self.dispatch_again(now, slot, &decision),
            (Err(_), Some(kind)) => self.give_answer(now, slot, Outcome::Failed(kind), observer),
            (Err(reason), None) => self.give_answer(now, slot, Outcome::Rejected(reason), observer),
        }
    }

    /// The client has left: whatever is in flight for it is cancelled.
    pub fn on_client_gone(
        &mut self,
        now: Timestamp,
        request: RequestHandle,
        observer: &mut impl Observer,
    ) {
        self.give_up(now, request.0, FailureKind::Cancelled, observer);
    }

    /// Ends a request from within: by way of its attempt if one is in flight.
    fn give_up(
        &mut self,
        now: Timestamp,
        slot: u32,
        failure: FailureKind,
        observer: &mut impl Observer,
    ) {
        match self.requests.get_mut(slot).live {
            Some(attempt) => self.cancel(attempt, failure),
            None => self.give_answer(now, slot, Outcome::Failed(failure), observer),
        }
    }

    fn cancel(&mut self, attempt: AttemptId, failure: FailureKind) {
        self.timers.disarm(attempt.0);
        self.actions.push_back(Action::Cancel { attempt, failure });
    }

    #[inline(always)]
    fn finish(
        &mut self,
        now: Timestamp,
        slot: u32,
        outcome: Outcome,
        observer: &mut impl Observer,
    ) {
        self.timers.deadline.disarm(slot);
        let record = &mut self.requests.get_mut(slot).record;
        record.ended = now;
        record.outcome = outcome;
        let pool = self.balancer.pool();
        let provider = record.account.map(|account| pool.provider_of(account));
        let latency = self.statistics.request(record, provider);
        observer.request_ended(RequestHandle(slot), record, latency);
        self.requests.release(slot);
    }

    /// The same where it is rare.
    #[inline(never)]
    fn give_answer(
        &mut self,
        now: Timestamp,
        slot: u32,
        outcome: Outcome,
        observer: &mut impl Observer,
    ) {
        if outcome == Outcome::Rejected(Rejection::NoneAvailable) {
            let request = self.requests.get_mut(slot);
            request.record.retry_at = self.balancer.earliest_retry(now, &request.features);
        }
        self.finish(now, slot, outcome, observer);
    }

    /// When [`Self::on_timer`] wants to be called next; [`Timestamp::NEVER`] if not at all.
    #[must_use]
    #[inline]
    pub fn next_timer(&self) -> Timestamp {
        self.timers.next_at()
    }

    /// Lets every timer expire that is due. At one instant deadlines come first: a request that is
    /// over needs no retry.
    pub fn on_timer(&mut self, now: Timestamp, observer: &mut impl Observer) {
        let due = |next: Option<(Timestamp, u32)>| {
            next.filter(|(at, _)| *at <= now).map(|(_, slot)| slot)
        };
        while let Some(slot) = due(self.timers.deadline.next()) {
            self.timers.deadline.disarm(slot);
            self.give_up(now, slot, FailureKind::DeadlineExceeded, observer);
        }
        while let Some(attempt) = due(self.timers.attempt.next()) {
            self.cancel(AttemptId(attempt), FailureKind::AttemptTimeout);
        }
        while let Some(attempt) = due(self.timers.first_token.next()) {
            self.cancel(AttemptId(attempt), FailureKind::FirstTokenTimeout);
        }
        while let Some(attempt) = due(self.timers.idle.next()) {
            self.cancel(AttemptId(attempt), FailureKind::IdleTimeout);
        }
        while let Some(&Reverse((at, _, slot, id))) = self.timers.retry.peek()
            && at <= now
        {
            self.timers.retry.pop();
            if self
                .requests
                .get(slot)
                .is_some_and(|request| request.record.request == id)
            {
                self.retry_after_backoff(now, slot, observer);
            }
        }
    }

    /// The next thing that the driver has to do.
    #[inline]
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The next breaker transition that has not been reported yet.
    #[inline]
    pub fn poll_transition(&mut self) -> Option<TargetTransition> {
        self.balancer.pool_mut().take_transition()
    }

    /// Requests that have arrived and not ended.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.requests.len()
    }

    /// What was learned.
    #[must_use]
    pub const fn balancer(&self) -> &IntelligentLoadBalancer {
        &self.balancer
    }

    /// Counts, latency and cost as of `now`, for a status page.
    #[must_use]
    pub fn get_stats(&self, now: Timestamp) -> GatewayStats {
        GatewayStats::new(&self.statistics, self.in_flight(), now)
    }

    /// What is known of every account as of `now`, with its name, in account order.
    #[must_use]
    pub fn get_all_metrics(&self, now: Timestamp) -> Vec<(String, AccountMetrics)> {
        let pool = self.balancer.pool();
        let metrics = |index| {
            let counted = &self.statistics.accounts()[AccountIndex::at(index)];
            (
                pool.account(index).id.clone(),
                AccountMetrics::new(pool.snapshot(now, index), counted),
            )
        };
        pool.account_indices().map(metrics).collect()
    }

    /// Statistics so far.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }
}

/// The record of a request that has just arrived.
#[inline]
fn record_of(
    now: Timestamp,
    request: RequestId,
    class: ClassIndex,
    features: &RequestFeatures,
) -> RequestRecord {
    RequestRecord {
        request,
        class,
        model: features.model,
        priority: features.priority,
        region: features.user_region,
        streaming: features.streaming,
        arrived: now,
        first_token: None,
        ended: now,
        outcome: Outcome::Success,
        retry_at: None,
        attempts: 0,
        account: None,
        strategy: None,
        budget_exhausted: false,
        input_tokens: 0,
        output_tokens: 0,
        cost: NanoUsd(0),
        wasted: NanoUsd(0),
    }
}
