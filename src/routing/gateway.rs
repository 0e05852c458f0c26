//! The gateway core: the life of a request, as a state machine.
//!
//! The driver (the simulator, or the live proxy) reports what happens and carries out the
//! [`Action`]s that follow; the core has no clock, no socket, and no thread. Every report takes
//! `now`, which never goes back. `quinn-proto` is the model.
//!
//! ```text
//! on_request ─▶ Dispatch ─▶ on_first_token ─▶ on_ended(success) ─▶ RequestEnded
//!                  │ ▲                            │ failure
//!    on_timer ─▶ Cancel ─▶ on_ended(failure) ─▶ retry: Dispatch, now or after a back-off
//! ```

mod slots;

use crate::record::{AttemptRecord, Confidence, Outcome, RequestRecord, Strategy};
use crate::request::{
    AccountIndex, AttemptId, ClassIndex, Failure, FailureKind, RequestFeatures, RequestId, Usage,
};
use crate::rng::Rng;
use crate::routing::account::Account;
use crate::routing::balancer::IntelligentLoadBalancer;
use crate::routing::breaker::Ticket;
use crate::routing::config::RoutingConfig;
use crate::routing::failure::consequence;
use crate::routing::geography::Geography;
use crate::routing::pool::{AttemptEnd, TargetTransition};
use crate::routing::quota::Need;
use crate::routing::retry::{RetryBudget, backoff};
use crate::routing::router::{RoutingDecision, SmartRouter};
use crate::routing::statistics::Statistics;
use crate::routing::target::TargetIndex;
use crate::routing::timer::FifoTimers;
use crate::time::{Duration, Timestamp};
use crate::units::NanoUsd;
use slots::Slots;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A request in the gateway's hands. Reused after the request has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestHandle(pub u32);

/// What the driver has to do, or to know.
#[derive(Clone, Copy, PartialEq, Debug)]
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
    /// An attempt has ended.
    AttemptEnded(AttemptRecord),
    /// A request has ended: answer the client.
    RequestEnded(RequestHandle, RequestRecord),
}

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

#[derive(Clone, Debug, Default)]
struct Timers {
    /// By request.
    deadline: FifoTimers,
    /// By attempt.
    attempt: FifoTimers,
    /// By attempt.
    first_token: FifoTimers,
    /// By attempt.
    idle: FifoTimers,
    /// (when, order, request, its arrival): a back-off has any length, so this one is a heap.
    retry: BinaryHeap<Reverse<(Timestamp, u64, u32, RequestId)>>,
    retries: u64,
}

#[derive(Clone, Debug)]
struct RequestState {
    id: RequestId,
    class: ClassIndex,
    features: RequestFeatures,
    arrived: Timestamp,
    deadline: Timestamp,
    /// The attempt in flight.
    live: Option<AttemptId>,
    /// Where it was sent, in order.
    tried: Vec<TargetIndex>,
    first_token: Option<Timestamp>,
    last: Option<(AccountIndex, Strategy)>,
    last_failure: Option<FailureKind>,
    cost: NanoUsd,
    wasted: NanoUsd,
    budget_exhausted: bool,
}

#[derive(Clone, Debug)]
struct AttemptState {
    request: u32,
    target: TargetIndex,
    ticket: Ticket,
    strategy: Strategy,
    confidence: Option<Confidence>,
    dispatched: Timestamp,
    first_token: Option<Timestamp>,
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
            timers: Timers::default(),
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
    #[inline]
    pub fn on_request(
        &mut self,
        now: Timestamp,
        id: RequestId,
        class: ClassIndex,
        features: &RequestFeatures,
    ) -> RequestHandle {
        self.budget.deposit(now);
        let deadline = self
            .config
            .deadline
            .map_or(Timestamp::NEVER, |limit| now + limit);
        let slot = self.requests.take(|reused| RequestState {
            id,
            class,
            features: *features,
            arrived: now,
            deadline,
            live: None,
            tried: reused.map_or_else(Vec::new, |old| {
                let mut tried = std::mem::take(&mut old.tried);
                tried.clear();
                tried
            }),
            first_token: None,
            last: None,
            last_failure: None,
            cost: NanoUsd(0),
            wasted: NanoUsd(0),
            budget_exhausted: false,
        });
        if self.config.deadline.is_some() {
            self.timers.deadline.arm(slot, deadline);
        }
        match self
            .router
            .route(&mut self.balancer, now, features, &[], false)
        {
            Ok(decision) => self.dispatch(now, slot, &decision),
            Err(reason) => self.finish(now, slot, Outcome::Rejected(reason)),
        }
        RequestHandle(slot)
    }

    fn dispatch(&mut self, now: Timestamp, slot: u32, decision: &RoutingDecision) {
        let request = self.requests.get_mut(slot);
        let expected = self.balancer.pool().expected_need(&request.features);
        let ticket = self.balancer.dispatched(now, decision.target, &expected);
        let pool = self.balancer.pool();
        let nth = request
            .tried
            .iter()
            .filter(|target| pool.account_of(**target) == decision.account)
            .count() as u32;
        let attempt = self.attempts.take(|_| AttemptState {
            request: slot,
            target: decision.target,
            ticket,
            strategy: decision.strategy,
            confidence: decision.confidence,
            dispatched: now,
            first_token: None,
            expected,
        });
        request.tried.push(decision.target);
        request.live = Some(AttemptId(attempt));
        request.last = Some((decision.account, decision.strategy));
        let (streaming, deadline) = (request.features.streaming, request.deadline);
        let before_deadline = |limit: Option<Duration>| {
            limit
                .map(|limit| now + limit)
                .filter(|expiry| *expiry < deadline)
        };
        if let Some(expiry) = before_deadline(self.config.attempt_timeout) {
            self.timers.attempt.arm(attempt, expiry);
        }
        if let Some(expiry) = before_deadline(self.config.first_token_timeout)
            && streaming
        {
            self.timers.first_token.arm(attempt, expiry);
        }
        self.actions.push_back(Action::Dispatch {
            attempt: AttemptId(attempt),
            request: RequestHandle(slot),
            account: decision.account,
            nth,
        });
    }

    /// The first token of a streaming attempt has come.
    pub fn on_first_token(&mut self, now: Timestamp, attempt: AttemptId) {
        self.timers.first_token.disarm(attempt.0);
        if let Some(limit) = self.config.idle_timeout {
            self.timers.idle.arm(attempt.0, now + limit);
        }
        let state = self.attempts.get_mut(attempt.0);
        state.first_token = Some(now);
        self.requests.get_mut(state.request).first_token = Some(now);
        self.balancer
            .first_token(now, state.target, state.dispatched);
    }

    /// A stream that has begun goes on: restarts its idle timeout.
    pub fn on_progress(&mut self, now: Timestamp, attempt: AttemptId) {
        if let Some(limit) = self.config.idle_timeout {
            self.timers.idle.disarm(attempt.0);
            self.timers.idle.arm(attempt.0, now + limit);
        }
    }

    /// An attempt has ended: successfully (`failure` is `None`), by a failure, or by a
    /// [`Action::Cancel`]. `usage` is what it consumed.
    #[inline]
    pub fn on_ended(
        &mut self,
        now: Timestamp,
        attempt: AttemptId,
        failure: Option<Failure>,
        usage: Usage,
    ) {
        self.disarm(attempt);
        let state = self.attempts.get_mut(attempt.0).clone();
        let (cost, delivered) = self.settle(now, &state, failure, usage);
        self.attempts.release(attempt.0);
        let request = self.requests.get_mut(state.request);
        request.live = None;
        request.cost += cost;
        let Some(failure) = failure else {
            return self.finish(now, state.request, Outcome::Success);
        };
        request.wasted += cost;
        request.last_failure = Some(failure.kind);
        self.retry(now, state.request, failure.kind, delivered);
    }

    fn disarm(&mut self, attempt: AttemptId) {
        self.timers.attempt.disarm(attempt.0);
        self.timers.first_token.disarm(attempt.0);
        self.timers.idle.disarm(attempt.0);
    }

    /// Learns from an attempt and draws up its bill. Returns the cost, and whether the client has
    /// already had a part of the answer.
    fn settle(
        &mut self,
        now: Timestamp,
        attempt: &AttemptState,
        failure: Option<Failure>,
        usage: Usage,
    ) -> (NanoUsd, bool) {
        let request = self.requests.get_mut(attempt.request);
        let features = &request.features;
        self.balancer.ended(
            now,
            &AttemptEnd {
                target: attempt.target,
                ticket: attempt.ticket,
                model: features.model,
                streaming: features.streaming,
                dispatched: attempt.dispatched,
                had_first_token: attempt.first_token.is_some(),
                failure,
                usage,
                expected: attempt.expected,
            },
        );
        let charged = failure.is_none_or(|failure| consequence(failure.kind).charged);
        let usage = if charged { usage } else { Usage::default() };
        let pool = self.balancer.pool();
        let served = pool.served(attempt.target, features.model);
        let cost = served.map_or(NanoUsd(0), |served| served.prices.bill(usage));
        let record = AttemptRecord {
            request: request.id,
            number: u8::try_from(request.tried.len()).unwrap_or(u8::MAX),
            account: pool.account_of(attempt.target),
            strategy: attempt.strategy,
            dispatched: attempt.dispatched,
            first_token: attempt.first_token,
            ended: now,
            failure: failure.map(|failure| failure.kind),
            usage,
            cost,
            confidence: attempt.confidence,
            probe: attempt.ticket.is_probe(),
        };
        let tolerance = features.preferences.latency_tolerance;
        self.statistics.attempt(&record, request.arrived, tolerance);
        self.actions.push_back(Action::AttemptEnded(record));
        (cost, attempt.first_token.is_some())
    }

    /// Sends the request somewhere else, at once or after a back-off, or gives it up.
    fn retry(&mut self, now: Timestamp, slot: u32, kind: FailureKind, delivered: bool) {
        let request = self.requests.get_mut(slot);
        let attempts = request.tried.len();
        let allowed = consequence(kind).retry
            && !delivered
            && attempts < usize::from(self.config.retry.max_attempts)
            && now < request.deadline;
        if !allowed {
            return self.finish(now, slot, Outcome::Failed(kind));
        }
        if !self.budget.withdraw(now) {
            request.budget_exhausted = true;
            return self.finish(now, slot, Outcome::Failed(kind));
        }
        let (features, tried) = (&request.features, &request.tried);
        if let Ok(decision) = self
            .router
            .route(&mut self.balancer, now, features, tried, true)
        {
            return self.dispatch(now, slot, &decision);
        }
        let delay = backoff(&self.config.retry, attempts as u32, self.balancer.rng());
        let (at, deadline, id) = (now + delay, request.deadline, request.id);
        if at >= deadline {
            return self.finish(now, slot, Outcome::Failed(kind));
        }
        self.timers.retries += 1;
        self.timers
            .retry
            .push(Reverse((at, self.timers.retries, slot, id)));
    }

    /// A back-off is over: any eligible target will do, one not yet tried rather than another.
    fn retry_after_backoff(&mut self, now: Timestamp, slot: u32) {
        let request = self.requests.get_mut(slot);
        let (features, balancer) = (&request.features, &mut self.balancer);
        let decision = self
            .router
            .route(balancer, now, features, &request.tried, true)
            .or_else(|_| self.router.route(balancer, now, features, &[], true));
        match (decision, request.last_failure) {
            (Ok(decision), _) => self.dispatch(now, slot, &decision),
            (Err(_), Some(kind)) => self.finish(now, slot, Outcome::Failed(kind)),
            (Err(reason), None) => self.finish(now, slot, Outcome::Rejected(reason)),
        }
    }

    /// The client has left: whatever is in flight for it is cancelled.
    pub fn on_client_gone(&mut self, now: Timestamp, request: RequestHandle) {
        self.give_up(now, request.0, FailureKind::Cancelled);
    }

    /// Ends a request from within: by way of its attempt if one is in flight.
    fn give_up(&mut self, now: Timestamp, slot: u32, failure: FailureKind) {
        match self.requests.get_mut(slot).live {
            Some(attempt) => self.cancel(attempt, failure),
            None => self.finish(now, slot, Outcome::Failed(failure)),
        }
    }

    fn cancel(&mut self, attempt: AttemptId, failure: FailureKind) {
        self.disarm(attempt);
        self.actions.push_back(Action::Cancel { attempt, failure });
    }

    fn finish(&mut self, now: Timestamp, slot: u32, outcome: Outcome) {
        self.timers.deadline.disarm(slot);
        let request = self.requests.get_mut(slot);
        let record = RequestRecord {
            request: request.id,
            class: request.class,
            model: request.features.model,
            priority: request.features.priority,
            region: request.features.user_region,
            streaming: request.features.streaming,
            arrived: request.arrived,
            first_token: request.first_token,
            ended: now,
            outcome,
            attempts: u8::try_from(request.tried.len()).unwrap_or(u8::MAX),
            account: request.last.map(|(account, _)| account),
            strategy: request.last.map(|(_, strategy)| strategy),
            budget_exhausted: request.budget_exhausted,
            cost: request.cost,
            wasted: request.wasted,
        };
        let pool = self.balancer.pool();
        let provider = record.account.map(|account| pool.account(account).provider);
        self.statistics.request(&record, provider);
        self.requests.release(slot);
        self.actions
            .push_back(Action::RequestEnded(RequestHandle(slot), record));
    }

    /// When [`Self::on_timer`] wants to be called next; [`Timestamp::NEVER`] if not at all.
    #[must_use]
    #[inline]
    pub fn next_timer(&self) -> Timestamp {
        let timers = &self.timers;
        let retry = timers
            .retry
            .peek()
            .map_or(Timestamp::NEVER, |Reverse((at, ..))| *at);
        let attempts = timers.attempt.next_at().min(timers.first_token.next_at());
        timers
            .deadline
            .next_at()
            .min(attempts)
            .min(timers.idle.next_at())
            .min(retry)
    }

    /// Lets every timer expire that is due. At one instant deadlines come first: a request that is
    /// over needs no retry.
    pub fn on_timer(&mut self, now: Timestamp) {
        let due = |next: Option<(Timestamp, u32)>| {
            next.filter(|(at, _)| *at <= now).map(|(_, slot)| slot)
        };
        while let Some(slot) = due(self.timers.deadline.next()) {
            self.timers.deadline.disarm(slot);
            self.give_up(now, slot, FailureKind::DeadlineExceeded);
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
                .is_some_and(|request| request.id == id)
            {
                self.retry_after_backoff(now, slot);
            }
        }
    }

    /// The next thing that the driver has to do, or to know.
    #[inline]
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The next breaker transition that has not been reported yet.
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

    /// Statistics so far.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }
}
