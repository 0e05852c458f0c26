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
//!
//! Two detours are rare, and off by default: a request may find its answer in the response cache or
//! follow another that asks for the same (`coalescing`), and one that nobody can take now may wait
//! in line or go to the least bad (`waiting`).

mod coalescing;
mod slots;
mod timers;
mod waiting;

use crate::record::{
    AttemptRecord, CacheUse, Confidence, Outcome, Rejection, RequestRecord, Strategy,
};
use crate::request::{
    AccountIndex, AttemptId, ClassIndex, Failure, FailureKind, ModelIndex, RequestFeatures,
    RequestId, Usage,
};
use crate::rng::Rng;
use crate::routing::account::Account;
use crate::routing::balancer::IntelligentLoadBalancer;
use crate::routing::breaker::Ticket;
use crate::routing::cache::{CachePlace, ResponseCache};
use crate::routing::config::RoutingConfig;
use crate::routing::failure::{AccountEffect, consequence};
use crate::routing::geography::Geography;
use crate::routing::metrics::{AccountMetrics, GatewayStats};
use crate::routing::pool::{AttemptEnd, Snapshot, TargetTransition};
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
use waiting::Waiting;

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
        /// Which of the account's targets it was chosen as.
        target: TargetIndex,
        /// How many times this request was sent to this account before.
        nth: u32,
        /// Whether this goes against the breaker's or the cool-down's advice, because nobody is
        /// available.
        least_bad: bool,
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

    /// Nobody can take `request` now: it waits in line.
    fn request_waits(&mut self, request: RequestHandle) {
        let _ = request;
    }

    /// The answer that `request` is about to end with is to be kept at `place`.
    fn answer_kept(&mut self, request: RequestHandle, place: CachePlace) {
        let _ = (request, place);
    }

    /// `request` is about to end with the answer that is at `source`.
    fn answer_copied(&mut self, source: AnswerSource, request: RequestHandle) {
        let _ = (source, request);
    }

    /// The answer at `place` is no longer needed.
    fn answer_dropped(&mut self, place: CachePlace) {
        let _ = place;
    }
}

/// Where a request's answer comes from that did not ask an upstream itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnswerSource {
    /// The cache.
    Cache(CachePlace),
    /// Another request, which is about to end with it (or with the same failure).
    Request(RequestHandle),
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
    timers: Timers,
    actions: VecDeque<Action>,
    statistics: Statistics,
    cache: Option<ResponseCache>,
    /// Those who followed somebody that got no answer, and have to ask themselves now. Empty
    /// between reports.
    promoted: VecDeque<u32>,
    waiting: Waiting,
}

/// A request and its attempt, in one place: what an event touches is in the cache together. (The
/// records that describe them to others are made when they end: kept in here they would say most
/// things twice.)
#[derive(Clone, Debug)]
struct RequestState {
    id: RequestId,
    class: ClassIndex,
    features: RequestFeatures,
    arrived: Timestamp,
    /// The attempt in flight, or the last one; none while `attempts` is 0.
    attempt: AttemptState,
    /// Attempts made.
    attempts: u8,
    phase: Phase,
    cache: CacheUse,
    waited: bool,
    /// Whether part of its time had passed before its first attempt.
    late: bool,
    budget_exhausted: bool,
    last_failure: Option<FailureKind>,
    /// What its failed attempts were charged.
    spent: Spent,
    /// Where attempts have failed. Those that had an account fault, and must not see the request
    /// again, come first.
    tried: Vec<TargetIndex>,
    /// How many of `tried` had an account fault.
    barred: usize,
}

/// What a request that has not ended is waiting for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The end of a back-off, or nothing: somebody is at work on it.
    Idle,
    /// Its attempt, which is in flight.
    InFlight,
    /// The answer of another request.
    Following,
    /// Somebody to be available.
    Waiting,
}

/// An attempt. Its number is that of its request: there is one at a time. (With hedging, a request
/// will have two places for attempts.)
#[derive(Clone, Copy, Debug)]
struct AttemptState {
    dispatched: Timestamp,
    first_token: Option<Timestamp>,
    target: TargetIndex,
    account: AccountIndex,
    strategy: Strategy,
    confidence: Option<Confidence>,
    ticket: Ticket,
    least_bad: bool,
    expected: Need,
}

/// Tokens and money.
#[derive(Clone, Copy, Debug, Default)]
struct Spent {
    input_tokens: u64,
    output_tokens: u64,
    cost: NanoUsd,
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
            timers: Timers::new(config),
            actions: VecDeque::new(),
            statistics,
            cache: config.cache.map(ResponseCache::new),
            promoted: VecDeque::new(),
            waiting: Waiting::default(),
            config: config.clone(),
        }
    }

    /// Registers an account, or updates a known one in place.
    pub fn upsert(&mut self, now: Timestamp, account: Account) -> AccountIndex {
        let index = self.balancer.upsert(now, account);
        self.statistics.grow(self.balancer.pool().accounts());
        if !self.waiting.is_empty() {
            // Somebody new may be available, or the last one be gone.
            self.waiting.account_described();
            self.timers.wake = now;
        }
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
        let slot = self.requests.take();
        let request = self.requests.get_mut(slot);
        request.id = id;
        request.class = class;
        request.features = *features;
        request.arrived = now;
        request.attempts = 0;
        request.phase = Phase::Idle;
        request.cache = CacheUse::None;
        request.waited = false;
        request.late = false;
        request.budget_exhausted = false;
        request.last_failure = None;
        request.spent = Spent::default();
        request.tried.clear();
        request.barred = 0;
        if let Some(limit) = self.config.deadline {
            self.timers.deadline.arm(slot, now + limit);
        }
        if features.cache_key.is_some() && self.ask_cache(now, slot, observer) {
            return RequestHandle(slot);
        }
        if !self.waiting.is_empty() {
            // First come, first served.
            self.follow_up(now, observer);
        }
        self.budget.deposit(now);
        match self
            .router
            .route(&mut self.balancer, now, features, &[], false)
        {
            Ok(decision) => self.dispatch(now, slot, &decision),
            Err(reason) => self.nobody(now, slot, reason, observer),
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
            least_bad,
            ..
        } = decision;
        let expected = self.balancer.pool().expected_need(&request.features);
        let ticket = if least_bad {
            self.balancer.dispatched_anyway(now, target, &expected)
        } else {
            self.balancer.dispatched(now, target, &expected)
        };
        let pool = self.balancer.pool();
        let before = request.tried.iter();
        let nth = before.filter(|t| pool.account_of(**t) == account).count() as u32;
        request.attempt = AttemptState {
            dispatched: now,
            first_token: None,
            target,
            account,
            strategy,
            confidence,
            ticket,
            least_bad,
            expected,
        };
        request.phase = Phase::InFlight;
        request.attempts = request.attempts.saturating_add(1);
        if self.timers.by_attempt {
            let streaming = request.features.streaming;
            let deadline = deadline_of(&self.config, request.arrived);
            self.arm(now, slot, streaming, deadline);
        }
        self.actions.push_back(Action::Dispatch {
            attempt: AttemptId(slot),
            request: RequestHandle(slot),
            account,
            target,
            nth,
            least_bad,
        });
    }

    /// The same where it is rare.
    #[inline(never)]
    fn dispatch_again(&mut self, now: Timestamp, slot: u32, decision: &RoutingDecision) {
        self.dispatch(now, slot, decision);
    }

    /// Sets an attempt's timers, those that expire before the deadline.
    #[inline]
    fn arm(&mut self, now: Timestamp, slot: u32, streaming: bool, deadline: Timestamp) {
        if let Some(limit) = self.config.attempt_timeout
            && now + limit < deadline
        {
            self.timers.attempt.arm(slot, now + limit);
        }
        if let Some(limit) = self.config.first_token_timeout
            && streaming
            && now + limit < deadline
        {
            self.timers.first_token.arm(slot, now + limit);
        }
    }

    /// The first token of a streaming attempt has come.
    #[inline]
    pub fn on_first_token(&mut self, now: Timestamp, attempt: AttemptId) {
        if self.timers.by_attempt {
            self.timers.first_token.disarm(attempt.0);
            if let Some(limit) = self.config.idle_timeout {
                self.timers.idle.arm(attempt.0, now + limit);
            }
        }
        let attempt = &mut self.requests.get_mut(attempt.0).attempt;
        attempt.first_token = Some(now);
        self.balancer
            .first_token(now, attempt.target, attempt.dispatched);
    }

    /// Something more of a stream has come: restarts its idle timeout. Before the first token it
    /// does nothing, because frames that only keep a connection alive are no answer.
    pub fn on_progress(&mut self, now: Timestamp, attempt: AttemptId) {
        let state = &self.requests.get_mut(attempt.0).attempt;
        if let Some(limit) = self.config.idle_timeout
            && state.first_token.is_some()
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
        let slot = attempt.0;
        self.timers.disarm(slot);
        let charged = self.settle(now, slot, failure, usage, observer);
        match failure {
            None => self.finish(now, slot, Outcome::Success, None, charged, observer),
            Some(failure) => self.failed(now, slot, failure.kind, charged, observer),
        }
        self.follow_up(now, observer);
    }

    /// Learns from an attempt and draws up its bill, which it returns.
    #[inline(always)]
    fn settle(
        &mut self,
        now: Timestamp,
        slot: u32,
        failure: Option<Failure>,
        usage: Usage,
        observer: &mut impl Observer,
    ) -> Spent {
        let request = self.requests.get_mut(slot);
        request.phase = Phase::Idle;
        let (attempt, features) = (&request.attempt, &request.features);
        self.balancer.ended(
            now,
            &AttemptEnd {
                target: attempt.target,
                ticket: attempt.ticket,
                model: features.model,
                streaming: features.streaming,
                dispatched: attempt.dispatched,
                late: request.late || request.attempts > 1,
                had_first_token: attempt.first_token.is_some(),
                failure,
                usage,
                expected: attempt.expected,
            },
        );
        let failure = failure.map(|failure| failure.kind);
        let (mut charged, mut cost) = (Usage::default(), NanoUsd(0));
        if failure.is_none_or(|kind| consequence(kind).charged) {
            let served = self.balancer.pool().served(attempt.target, features.model);
            charged = usage;
            cost = served.map_or(NanoUsd(0), |served| served.prices.bill(usage));
        }
        let record = AttemptRecord {
            request: request.id,
            number: request.attempts,
            account: attempt.account,
            strategy: attempt.strategy,
            dispatched: attempt.dispatched,
            first_token: attempt.first_token,
            ended: now,
            failure,
            usage: charged,
            cost,
            confidence: attempt.confidence,
            probe: attempt.ticket.is_probe(),
            least_bad: attempt.least_bad,
        };
        let promised = attempt.confidence.is_some();
        let tolerance = promised.then_some(features.preferences.latency_tolerance);
        self.statistics
            .attempt(&record, request.arrived, tolerance.flatten());
        observer.attempt_ended(&record);
        Spent {
            input_tokens: u64::from(charged.input),
            output_tokens: u64::from(charged.output),
            cost,
        }
    }

    /// An attempt has failed, and was charged that much: sends the request somewhere else, at once
    /// or after a back-off, or gives it up.
    #[inline(never)]
    fn failed(
        &mut self,
        now: Timestamp,
        slot: u32,
        kind: FailureKind,
        charged: Spent,
        observer: &mut impl Observer,
    ) {
        let request = self.requests.get_mut(slot);
        request.spent.add(charged);
        request.last_failure = Some(kind);
        request.tried.push(request.attempt.target);
        if consequence(kind).account == AccountEffect::Disable {
            let last = request.tried.len() - 1;
            request.tried.swap(request.barred, last);
            request.barred += 1;
        }
        let delivered = request.attempt.first_token.is_some();
        self.retry(now, slot, kind, delivered, observer);
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
        let attempts = request.attempts;
        let deadline = deadline_of(&self.config, request.arrived);
        let allowed = consequence(kind).retry
            && !delivered
            && attempts < self.config.retry.max_attempts
            && now < deadline;
        if !allowed {
            return self.give_answer(now, slot, Outcome::Failed(kind), observer);
        }
        if !self.budget.withdraw(now) {
            request.budget_exhausted = true;
            return self.give_answer(now, slot, Outcome::Failed(kind), observer);
        }
        let (features, tried) = (&request.features, &request.tried);
        if let Ok(decision) = self
            .router
            .route(&mut self.balancer, now, features, tried, true)
        {
            return self.dispatch_again(now, slot, &decision);
        }
        let delay = backoff(&self.config.retry, u32::from(attempts), self.balancer.rng());
        let (at, id) = (now + delay, request.id);
        if at >= deadline {
            self.budget.give_back(now);
            return self.give_answer(now, slot, Outcome::Failed(kind), observer);
        }
        self.timers.retries += 1;
        self.timers
            .retry
            .push(Reverse((at, self.timers.retries, slot, id)));
    }

    /// A back-off is over, or somebody else's request: any eligible target will do.
    fn start(&mut self, now: Timestamp, slot: u32, observer: &mut impl Observer) {
        match self.choose(now, slot) {
            Ok(decision) => self.dispatch_again(now, slot, &decision),
            Err(reason) => self.nobody(now, slot, reason, observer),
        }
    }

    /// Decides where the request goes: to any eligible target, one not yet tried rather than
    /// another.
    #[inline(never)]
    fn choose(&mut self, now: Timestamp, slot: u32) -> Result<RoutingDecision, Rejection> {
        let request = self.requests.get_mut(slot);
        let (features, balancer) = (&request.features, &mut self.balancer);
        let is_retry = request.attempts > 0;
        let decision = self
            .router
            .route(balancer, now, features, &request.tried, is_retry);
        if decision.is_ok() || !is_retry {
            return decision;
        }
        let barred = &request.tried[..request.barred];
        self.router.route(balancer, now, features, barred, is_retry)
    }

    /// The client has left: whatever is in flight for it is cancelled.
    pub fn on_client_gone(
        &mut self,
        now: Timestamp,
        request: RequestHandle,
        observer: &mut impl Observer,
    ) {
        self.give_up(now, request.0, FailureKind::Cancelled, observer);
        self.follow_up(now, observer);
    }

    /// Ends a request from within: by way of its attempt if one is in flight.
    fn give_up(
        &mut self,
        now: Timestamp,
        slot: u32,
        failure: FailureKind,
        observer: &mut impl Observer,
    ) {
        match self.requests.get_mut(slot).phase {
            Phase::InFlight => return self.cancel(slot, failure),
            Phase::Following => self.stop_following(slot),
            Phase::Waiting => self.waiting.remove(slot),
            Phase::Idle => {}
        }
        self.give_answer(now, slot, Outcome::Failed(failure), observer);
    }

    fn cancel(&mut self, slot: u32, failure: FailureKind) {
        self.timers.disarm(slot);
        let attempt = AttemptId(slot);
        self.actions.push_back(Action::Cancel { attempt, failure });
    }

    /// `last` is what its last attempt was charged, if that succeeded.
    #[inline(always)]
    fn finish(
        &mut self,
        now: Timestamp,
        slot: u32,
        outcome: Outcome,
        retry_at: Option<Timestamp>,
        last: Spent,
        observer: &mut impl Observer,
    ) {
        self.timers.deadline.disarm(slot);
        let request = self.requests.get_mut(slot);
        let (features, spent) = (&request.features, &request.spent);
        let attempt = (request.attempts > 0).then_some(&request.attempt);
        let mut record = RequestRecord {
            request: request.id,
            class: request.class,
            model: features.model,
            priority: features.priority,
            region: features.user_region,
            streaming: features.streaming,
            arrived: request.arrived,
            first_token: attempt.and_then(|attempt| attempt.first_token),
            ended: now,
            outcome,
            retry_at,
            attempts: request.attempts,
            cache: request.cache,
            waited: request.waited,
            account: attempt.map(|attempt| attempt.account),
            strategy: attempt.map(|attempt| attempt.strategy),
            budget_exhausted: request.budget_exhausted,
            input_tokens: spent.input_tokens + last.input_tokens,
            output_tokens: spent.output_tokens + last.output_tokens,
            cost: spent.cost + last.cost,
            wasted: spent.cost,
        };
        if record.cache != CacheUse::None {
            self.settle_with_cache(now, slot, &mut record, last.output_tokens, observer);
        }
        let pool = self.balancer.pool();
        let provider = record.account.map(|account| pool.provider_of(account));
        let latency = self.statistics.request(&record, provider);
        observer.request_ended(RequestHandle(slot), &record, latency);
        self.requests.release(slot);
    }

    /// The same where it is rare: with no answer, or an error.
    #[inline(never)]
    fn give_answer(
        &mut self,
        now: Timestamp,
        slot: u32,
        outcome: Outcome,
        observer: &mut impl Observer,
    ) {
        use Rejection::{NoneAvailable, TooManyWaiting};
        let unavailable = matches!(outcome, Outcome::Rejected(NoneAvailable | TooManyWaiting));
        let features = &self.requests.get_mut(slot).features;
        let retry_at = unavailable.then(|| self.balancer.earliest_retry(now, features));
        self.finish(
            now,
            slot,
            outcome,
            retry_at.flatten(),
            Spent::default(),
            observer,
        );
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
            self.start_promoted(now, observer);
        }
        while let Some(slot) = due(self.timers.attempt.next()) {
            self.cancel(slot, FailureKind::AttemptTimeout);
        }
        while let Some(slot) = due(self.timers.first_token.next()) {
            self.cancel(slot, FailureKind::FirstTokenTimeout);
        }
        while let Some(slot) = due(self.timers.idle.next()) {
            self.cancel(slot, FailureKind::IdleTimeout);
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
                self.start(now, slot, observer);
                self.start_promoted(now, observer);
            }
        }
        if self.timers.wake <= now {
            self.wake(now, observer);
            self.start_promoted(now, observer);
        }
    }

    /// What follows for others from the end of an attempt or a request: somebody may be available
    /// for those who wait, and those who followed have to ask themselves.
    #[inline]
    fn follow_up(&mut self, now: Timestamp, observer: &mut impl Observer) {
        if !self.waiting.is_empty() {
            self.wake(now, observer);
        }
        if !self.promoted.is_empty() {
            self.start_promoted(now, observer);
        }
    }

    /// Whether the driver has nothing to do, and no breaker has changed state: the common end of a
    /// report.
    #[must_use]
    #[inline]
    pub fn is_quiet(&self) -> bool {
        self.actions.is_empty() && self.balancer.pool().is_quiet()
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

    /// The response cache; `None` if it is off.
    #[must_use]
    pub const fn cache(&self) -> Option<&ResponseCache> {
        self.cache.as_ref()
    }

    /// Requests that wait for somebody to be available.
    #[must_use]
    pub const fn waiting(&self) -> u32 {
        self.waiting.len()
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

    /// What was learned about every target as of `now`: its account's name, its model (`None` where
    /// a target is a whole account), in the order in which they were registered.
    #[must_use]
    pub fn get_target_metrics(
        &self,
        now: Timestamp,
    ) -> Vec<(String, Option<ModelIndex>, Snapshot)> {
        let pool = self.balancer.pool();
        let learned = |target| {
            let id = pool.account(pool.account_of(target)).id.clone();
            (id, pool.model_of(target), pool.target_snapshot(now, target))
        };
        (0..pool.targets() as u32)
            .map(TargetIndex)
            .map(learned)
            .collect()
    }

    /// Statistics so far.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }
}

/// Until when a request that arrived at `arrived` must have ended.
fn deadline_of(config: &RoutingConfig, arrived: Timestamp) -> Timestamp {
    config
        .deadline
        .map_or(Timestamp::NEVER, |limit| arrived + limit)
}

impl Spent {
    fn add(&mut self, other: Self) {
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cost += other.cost;
    }
}

impl Default for RequestState {
    /// A place that no request has used.
    fn default() -> Self {
        Self {
            id: RequestId(0),
            class: ClassIndex(0),
            features: RequestFeatures::default(),
            arrived: Timestamp::ZERO,
            attempt: AttemptState {
                dispatched: Timestamp::ZERO,
                first_token: None,
                target: TargetIndex(0),
                account: AccountIndex(0),
                strategy: Strategy::RoundRobin,
                confidence: None,
                ticket: Ticket::default(),
                least_bad: false,
                expected: Need::default(),
            },
            attempts: 0,
            phase: Phase::Idle,
            cache: CacheUse::None,
            waited: false,
            late: false,
            budget_exhausted: false,
            last_failure: None,
            spent: Spent::default(),
            tried: vec![],
            barred: 0,
        }
    }
}
