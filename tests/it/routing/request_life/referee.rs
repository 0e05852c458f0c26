//! The rules of a request's life, and whether they were kept.

mod timers;

use super::bill;
use crate::stage::Event;
use crate::stage::book::Book;
use crate::stage::table::row_of;
use routelab::record::{Outcome, Rejection, RequestRecord};
use routelab::request::{
    AccountIndex, AttemptId, Failure, FailureKind, ModelIndex, RequestFeatures, RequestId, Usage,
};
use routelab::routing::account::{Account, Availability, ServedModel};
use routelab::routing::breaker::BreakerState;
use routelab::routing::config::RoutingConfig;
use routelab::routing::failure::AccountEffect;
use routelab::routing::gateway::{Action, Gateway, RequestHandle};
use routelab::time::{Duration, Timestamp};
use routelab::units::NanoUsd;
use std::collections::BTreeMap;

/// A request that has arrived and not ended.
struct Request {
    id: u64,
    features: RequestFeatures,
    deadline: Timestamp,
    /// Accounts, in order.
    tried: Vec<usize>,
    /// Accounts that must not see it again.
    barred: Vec<usize>,
    live: Option<AttemptId>,
    /// Backing off: between when and when the retry is due.
    backing_off: Option<(Timestamp, Timestamp)>,
    last_failure: Option<FailureKind>,
    cost: NanoUsd,
    wasted: NanoUsd,
}

/// An attempt that has been sent and not ended.
struct Live {
    /// Its number in the book.
    number: usize,
    request: u32,
    heard: Option<Timestamp>,
}

pub(super) struct Referee {
    config: RoutingConfig,
    book: Book,
    requests: BTreeMap<u32, Request>,
    live: BTreeMap<u32, Live>,
    ended: BTreeMap<u64, RequestRecord>,
    arrived: u64,
    /// Deposits to and withdrawals from the retry budget, in thousandths.
    budget: Vec<(Timestamp, i64)>,
}

impl Referee {
    pub fn new(config: &RoutingConfig, accounts: &[Account]) -> Self {
        Self {
            config: config.clone(),
            book: Book::new(config, accounts),
            requests: BTreeMap::new(),
            live: BTreeMap::new(),
            ended: BTreeMap::new(),
            arrived: 0,
            budget: vec![],
        }
    }

    /// The attempt's number in the book.
    pub fn number_of(&self, attempt: AttemptId) -> u64 {
        self.live[&attempt.0].number as u64
    }

    pub fn is_streaming(&self, attempt: AttemptId) -> bool {
        self.requests[&self.live[&attempt.0].request]
            .features
            .streaming
    }

    /// Whether the attempt (by its number) or request (by its id) has not ended.
    pub fn still_there(&self, name: Result<AttemptId, RequestHandle>, whom: u64) -> bool {
        match name {
            Ok(attempt) => {
                let live = self.live.get(&attempt.0);
                live.is_some_and(|live| live.number as u64 == whom)
            }
            Err(request) => {
                let request = self.requests.get(&request.0);
                request.is_some_and(|request| request.id == whom)
            }
        }
    }

    fn eligible(&self, now: Timestamp, features: &RequestFeatures) -> Vec<usize> {
        let eligible = |account: &usize| {
            let target = self.book.target(*account, features.model);
            target.is_some_and(|target| self.book.eligible(target, now, features))
        };
        (0..self.book.accounts.len()).filter(eligible).collect()
    }

    /// Half-open accounts come first, whatever the strategy.
    fn allowed(&self, now: Timestamp, model: ModelIndex, candidates: &[usize]) -> Vec<usize> {
        let half_open = |account: &&usize| {
            let target = self.book.target(**account, model).unwrap();
            self.book.breaker(target, now).0 == BreakerState::HalfOpen
        };
        let probes: Vec<usize> = candidates.iter().filter(half_open).copied().collect();
        if probes.is_empty() {
            candidates.to_vec()
        } else {
            probes
        }
    }

    /// Retries left, in thousandths.
    fn balance(&self, now: Timestamp) -> i64 {
        let retry = &self.config.retry;
        let window = retry.budget_window.as_nanos() / 10;
        let tick = |at: Timestamp| at.as_nanos() / window;
        let kept = self
            .budget
            .iter()
            .filter(|(at, _)| tick(*at) + 10 > tick(now));
        let reserve = retry.budget_per_second * retry.budget_window.as_secs_f64() * 1_000.0;
        reserve as i64 + kept.map(|(_, amount)| amount).sum::<i64>()
    }

    pub fn before_arrival(&mut self, now: Timestamp) {
        let deposit = (self.config.retry.budget_per_request * 1_000.0) as i64;
        self.budget.push((now, deposit));
        self.arrived += 1;
    }

    /// Sent somewhere eligible, or refused because nobody is.
    pub fn arrived(
        &mut self,
        now: Timestamp,
        id: u64,
        handle: RequestHandle,
        features: &RequestFeatures,
        events: &[Event],
    ) -> Option<AttemptId> {
        let request = Request {
            id,
            features: *features,
            deadline: now + self.config.deadline.unwrap(),
            tried: vec![],
            barred: vec![],
            live: None,
            backing_off: None,
            last_failure: None,
            cost: NanoUsd(0),
            wasted: NanoUsd(0),
        };
        let taken = self.requests.insert(handle.0, request);
        assert!(taken.is_none(), "a handle is given twice");
        let candidates = self.eligible(now, features);
        assert_eq!(events.len(), 1, "{events:?}");
        match events[0] {
            Event::RequestEnded(ended, record) => {
                assert_eq!((ended, &candidates[..]), (handle, &[][..]));
                let serves = |account: &Account| {
                    account
                        .models
                        .iter()
                        .any(|served| served.model == features.model)
                };
                let reason = if self.book.accounts.iter().any(serves) {
                    Rejection::NoneAvailable
                } else {
                    Rejection::NotServed
                };
                self.request_ended(now, handle, &record, Outcome::Rejected(reason));
                None
            }
            event => Some(self.dispatched(now, handle, event, &candidates)),
        }
    }

    /// An attempt is sent, to one of `candidates`.
    fn dispatched(
        &mut self,
        now: Timestamp,
        to_whom: RequestHandle,
        event: Event,
        candidates: &[usize],
    ) -> AttemptId {
        let Event::Asked(Action::Dispatch {
            attempt,
            request,
            account: AccountIndex(account),
            nth,
            ..
        }) = event
        else {
            panic!("expected an attempt, not {event:?}");
        };
        assert_eq!(request, to_whom);
        let account = account as usize;
        let model = self.requests[&request.0].features.model;
        let allowed = self.allowed(now, model, candidates);
        let target = self.book.target(account, model).unwrap();
        assert!(
            allowed.contains(&account),
            "{account} is none of {allowed:?}"
        );
        let state = self.requests.get_mut(&request.0).unwrap();
        assert!(now < state.deadline && state.live.is_none());
        let before = state
            .tried
            .iter()
            .filter(|tried| **tried == account)
            .count();
        assert_eq!(nth as usize, before);
        state.tried.push(account);
        assert!(state.tried.len() <= usize::from(self.config.retry.max_attempts));
        state.live = Some(attempt);
        state.backing_off = None;
        let is_retry = state.tried.len() > 1;
        let streaming = state.features.streaming;
        let number = self.book.sent(now, target, streaming, is_retry);
        let live = Live {
            number,
            request: request.0,
            heard: None,
        };
        let taken = self.live.insert(attempt.0, live);
        assert!(taken.is_none(), "an attempt's name is given twice");
        attempt
    }

    pub fn first_token(&mut self, now: Timestamp, attempt: AttemptId) {
        let live = self.live.get_mut(&attempt.0).unwrap();
        live.heard = Some(now);
        self.book.first_token(now, live.number);
    }

    pub fn progress(&mut self, now: Timestamp, attempt: AttemptId) {
        let live = self.live.get_mut(&attempt.0).unwrap();
        live.heard = live.heard.map(|_| now);
    }

    /// An attempt has ended: the bill, then another attempt, a pause, or the end.
    pub fn ended(
        &mut self,
        now: Timestamp,
        attempt: AttemptId,
        failure: Option<Failure>,
        usage: Usage,
        events: &[Event],
    ) -> Option<AttemptId> {
        let live = self.live.remove(&attempt.0).unwrap();
        self.book.ended(now, live.number, failure);
        let handle = RequestHandle(live.request);
        let Some(Event::AttemptEnded(record)) = events.first() else {
            panic!("the record of the attempt comes first: {events:?}");
        };
        let noted = &self.book.attempts[live.number];
        let request = self.requests.get_mut(&live.request).unwrap();
        let charged = failure.is_none_or(|failure| row_of(failure.kind).charged);
        let usage = if charged { usage } else { Usage::default() };
        let account = &self.book.accounts[noted.account];
        let cost = bill(account, request.features.model, usage);
        assert_eq!((record.cost, record.usage), (cost, usage));
        assert_eq!((record.dispatched, record.ended), (noted.sent, now));
        assert_eq!(record.account.at(), noted.account);
        assert_eq!(record.failure, failure.map(|failure| failure.kind));
        assert_eq!(usize::from(record.number), request.tried.len());
        request.live = None;
        request.cost += cost;
        let mut rest = events.iter().skip(1);
        let (next, nothing) = (rest.next(), rest.next());
        assert_eq!(nothing, None);
        let Some(Failure { kind, .. }) = failure else {
            return self.must_end(now, handle, next, Outcome::Success);
        };
        request.wasted += cost;
        request.last_failure = Some(kind);
        if row_of(kind).effect == AccountEffect::Disable {
            request.barred.push(noted.account);
        }
        let delivered = noted.first_token.is_some();
        self.after_failure(now, handle, kind, delivered, next)
    }

    fn after_failure(
        &mut self,
        now: Timestamp,
        handle: RequestHandle,
        kind: FailureKind,
        delivered: bool,
        next: Option<&Event>,
    ) -> Option<AttemptId> {
        let request = &self.requests[&handle.0];
        let retry = self.config.retry;
        let attempts = request.tried.len();
        let allowed = row_of(kind).retry
            && !delivered
            && attempts < usize::from(retry.max_attempts)
            && now < request.deadline
            && self.balance(now) >= 1_000;
        if !allowed {
            return self.must_end(now, handle, next, Outcome::Failed(kind));
        }
        let mut untried = self.eligible(now, &request.features);
        untried.retain(|account| !request.tried.contains(account));
        if !untried.is_empty() {
            self.budget.push((now, -1_000));
            return Some(self.dispatched(now, handle, *next.unwrap(), &untried));
        }
        let doubled = retry.backoff_base.as_nanos() << (attempts - 1);
        let latest = now + Duration::from_nanos(doubled).min(retry.backoff_cap);
        if next.is_some() {
            assert!(latest >= request.deadline, "there was time to wait");
            return self.must_end(now, handle, next, Outcome::Failed(kind));
        }
        self.budget.push((now, -1_000));
        self.requests.get_mut(&handle.0).unwrap().backing_off = Some((now, latest));
        None
    }

    fn must_end(
        &mut self,
        now: Timestamp,
        handle: RequestHandle,
        event: Option<&Event>,
        outcome: Outcome,
    ) -> Option<AttemptId> {
        let Some(Event::RequestEnded(ended, record)) = event else {
            panic!("expected {outcome:?}, not {event:?}");
        };
        assert_eq!(*ended, handle);
        self.request_ended(now, handle, record, outcome);
        None
    }

    fn request_ended(
        &mut self,
        now: Timestamp,
        handle: RequestHandle,
        record: &RequestRecord,
        outcome: Outcome,
    ) {
        let request = self.requests.remove(&handle.0).unwrap();
        let refused = outcome == Outcome::Rejected(Rejection::NoneAvailable);
        let earliest = self.earliest_retry(now, &request.features);
        assert_eq!(record.retry_at, earliest.filter(|_| refused));
        assert_eq!(record.request, RequestId(request.id));
        assert_eq!(record.outcome, outcome);
        assert_eq!(usize::from(record.attempts), request.tried.len());
        assert_eq!((record.cost, record.wasted), (request.cost, request.wasted));
        assert!(record.ended == now && now <= request.deadline && request.live.is_none());
        assert!(
            self.ended.insert(request.id, *record).is_none(),
            "ended twice"
        );
    }

    /// The first end of an open time or cool-down among those that could take it.
    fn earliest_retry(&self, now: Timestamp, features: &RequestFeatures) -> Option<Timestamp> {
        let could = |account: &usize| {
            let account = &self.book.accounts[*account];
            let serves = |served: &ServedModel| served.model == features.model;
            account.availability == Availability::Enabled && account.models.iter().any(serves)
        };
        let back = |account: usize| {
            let (cooling, disabled) = self.book.out_until(account);
            let target = self.book.target(account, features.model).unwrap();
            let open = match (self.book.breaker(target, now), self.config.breaker) {
                ((BreakerState::Open, since, _), Some(config)) => since + config.open_time,
                _ => Timestamp::ZERO,
            };
            cooling.max(disabled).max(open)
        };
        let held = (0..self.book.accounts.len()).filter(could).map(back);
        held.filter(|back| *back > now).min()
    }

    /// The client has left: what is in flight is cancelled, else the request ends here.
    pub fn left(
        &mut self,
        now: Timestamp,
        handle: RequestHandle,
        events: &[Event],
    ) -> Vec<(AttemptId, FailureKind)> {
        assert_eq!(events.len(), 1);
        let Some(attempt) = self.requests[&handle.0].live else {
            let outcome = Outcome::Failed(FailureKind::Cancelled);
            self.must_end(now, handle, events.first(), outcome);
            return vec![];
        };
        let failure = FailureKind::Cancelled;
        assert_eq!(events[0], Event::Asked(Action::Cancel { attempt, failure }));
        vec![(attempt, failure)]
    }

    /// A look at everything before time goes on to `next`.
    pub fn look(&self, next: Timestamp, timer: Timestamp, gateway: &Gateway) {
        let pool = gateway.balancer().pool();
        for account in 0..self.book.accounts.len() {
            let counted = pool.in_flight(AccountIndex(account as u32));
            assert_eq!(counted, self.book.in_flight(account), "account {account}");
        }
        assert_eq!(gateway.in_flight(), self.requests.len());
        for (handle, request) in &self.requests {
            let theirs = self
                .live
                .values()
                .filter(|live| live.request == *handle)
                .count();
            assert_eq!(theirs, usize::from(request.live.is_some()));
            match request.backing_off {
                Some((_, latest)) => assert!(timer <= latest && request.live.is_none()),
                None => assert!(request.live.is_some(), "nothing happens to {}", request.id),
            }
        }
        for (due, kind) in self.live.values().flat_map(|live| self.limits(live)) {
            assert!(next <= due && timer <= due, "{kind} is overdue");
        }
    }

    /// Everybody was answered once, and the books agree.
    pub fn over(&self, gateway: &Gateway) {
        assert!(self.requests.is_empty() && self.live.is_empty());
        assert_eq!(self.ended.len() as u64, self.arrived);
        let totals = gateway.statistics().totals();
        let cost: NanoUsd = self.ended.values().map(|record| record.cost).sum();
        assert_eq!((totals.requests, totals.cost), (self.arrived, cost));
        let by_account: NanoUsd = gateway.statistics().accounts().iter().map(|a| a.cost).sum();
        assert_eq!(by_account, cost);
        let attempts: u64 = self.ended.values().map(|r| u64::from(r.attempts)).sum();
        assert_eq!(attempts as usize, self.book.attempts.len());
    }
}
