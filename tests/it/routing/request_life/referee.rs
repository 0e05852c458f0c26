//! The rules of a request's life, and whether they were kept.
//!
//! After each report to the gateway the referee goes through the rules itself, in their order, and
//! takes what they demand from the front of what the gateway told and asked for. Nothing may be
//! left over.

mod cache;
mod line;
mod timers;

use super::bill;
use crate::stage::Event;
use crate::stage::book::Book;
use crate::stage::table::row_of;
use cache::Cache;
use routelab::record::{CacheUse, Outcome, Rejection, RequestRecord};
use routelab::request::{
    AccountIndex, AttemptId, CacheKey, Failure, FailureKind, ModelIndex, RequestFeatures,
    RequestId, Usage,
};
use routelab::routing::account::{Account, Availability, ServedModel};
use routelab::routing::breaker::BreakerState;
use routelab::routing::config::{RoutingConfig, WhenNoneAvailable};
use routelab::routing::failure::AccountEffect;
use routelab::routing::gateway::{Action, Gateway, RequestHandle};
use routelab::time::{Duration, Timestamp};
use routelab::units::NanoUsd;
use std::collections::{BTreeMap, VecDeque};

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
    cache: CacheUse,
    waited: bool,
    /// Whether it followed another before it was sent.
    followed: bool,
}

/// An attempt that has been sent and not ended.
struct Live {
    /// Its number in the book.
    number: usize,
    request: u32,
    heard: Option<Timestamp>,
}

/// What the gateway wants done after a report.
#[derive(Default)]
pub(super) struct Wanted {
    pub sent: Vec<AttemptId>,
    pub cancels: Vec<(AttemptId, FailureKind)>,
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
    /// Those who wait for somebody to be available, in order.
    line: Vec<u32>,
    cache: Cache,
    /// Those who have to ask themselves now.
    promoted: VecDeque<u32>,
    told: VecDeque<Event>,
    asked: VecDeque<Action>,
    wanted: Wanted,
    now: Timestamp,
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
            line: vec![],
            cache: Cache::default(),
            promoted: VecDeque::new(),
            told: VecDeque::new(),
            asked: VecDeque::new(),
            wanted: Wanted::default(),
            now: Timestamp::ZERO,
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

    /// A report was made, and this came of it.
    fn open(&mut self, now: Timestamp, events: Vec<Event>) {
        self.now = now;
        for event in events {
            match event {
                Event::Asked(action) => self.asked.push_back(action),
                told => self.told.push_back(told),
            }
        }
    }

    /// All of it was demanded by the rules.
    fn close(&mut self) -> Wanted {
        assert_eq!(self.told, [], "told without a cause");
        assert_eq!(self.asked, [], "asked without a cause");
        std::mem::take(&mut self.wanted)
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

    /// A request that asks an upstream adds to the budget.
    fn deposit(&mut self, now: Timestamp) {
        let deposit = (self.config.retry.budget_per_request * 1_000.0) as i64;
        self.budget.push((now, deposit));
    }

    /// Answered from the cache, a follower of another, or on its way.
    pub fn arrived(
        &mut self,
        now: Timestamp,
        id: u64,
        handle: RequestHandle,
        features: &RequestFeatures,
        events: Vec<Event>,
    ) -> Wanted {
        self.open(now, events);
        self.arrived += 1;
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
            cache: CacheUse::None,
            waited: false,
            followed: false,
        };
        let taken = self.requests.insert(handle.0, request);
        assert!(taken.is_none(), "a handle is given twice");
        if !self.looked_up(now, handle) {
            self.deposit(now);
            self.start(now, handle);
        }
        self.close()
    }

    /// To any eligible account, one not tried rather than another; else what is to be done when
    /// there is nobody.
    fn start(&mut self, now: Timestamp, handle: RequestHandle) {
        let candidates = self.candidates(now, handle);
        if candidates.is_empty() {
            return self.nobody(now, handle);
        }
        let model = self.requests[&handle.0].features.model;
        let allowed = self.allowed(now, model, &candidates);
        self.dispatched(now, handle, &allowed, false);
    }

    fn candidates(&self, now: Timestamp, handle: RequestHandle) -> Vec<usize> {
        let request = &self.requests[&handle.0];
        let mut candidates = self.eligible(now, &request.features);
        candidates.retain(|account| !request.barred.contains(account));
        let tried = |account: &usize| request.tried.contains(account);
        if !candidates.iter().all(tried) {
            candidates.retain(|account| !request.tried.contains(account));
        }
        candidates
    }

    /// An attempt is sent, to one of those `allowed`.
    fn dispatched(
        &mut self,
        now: Timestamp,
        to_whom: RequestHandle,
        allowed: &[usize],
        anyway: bool,
    ) {
        let action = self.asked.pop_front();
        let Some(Action::Dispatch {
            attempt,
            request,
            account: AccountIndex(account),
            nth,
            least_bad,
            ..
        }) = action
        else {
            panic!("expected an attempt, not {action:?}");
        };
        assert_eq!((request, least_bad), (to_whom, anyway));
        let account = account as usize;
        let model = self.requests[&request.0].features.model;
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
        let late = state.tried.len() > 1 || state.waited || state.followed;
        let streaming = state.features.streaming;
        let number = self.book.sent(now, target, streaming, late);
        self.book.attempts[number].anyway = anyway;
        let live = Live {
            number,
            request: request.0,
            heard: None,
        };
        let taken = self.live.insert(attempt.0, live);
        assert!(taken.is_none(), "an attempt's name is given twice");
        self.wanted.sent.push(attempt);
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

    /// An attempt has ended: the bill, then another attempt, a pause, or the end; and what follows
    /// for others.
    pub fn ended(
        &mut self,
        now: Timestamp,
        attempt: AttemptId,
        failure: Option<Failure>,
        usage: Usage,
        events: Vec<Event>,
    ) -> Wanted {
        self.open(now, events);
        let live = self.live.remove(&attempt.0).unwrap();
        self.book.ended(now, live.number, failure);
        let handle = RequestHandle(live.request);
        let event = self.told.pop_front();
        let Some(Event::AttemptEnded(record)) = event else {
            panic!("the record of the attempt comes first: {event:?}");
        };
        let noted = &self.book.attempts[live.number];
        let request = self.requests.get_mut(&live.request).unwrap();
        let charged = failure.is_none_or(|failure| row_of(failure.kind).charged);
        let charge = if charged { usage } else { Usage::default() };
        let account = &self.book.accounts[noted.account];
        let cost = bill(account, request.features.model, charge);
        assert_eq!((record.cost, record.usage), (cost, charge));
        assert_eq!((record.dispatched, record.ended), (noted.sent, now));
        assert_eq!(record.account.at(), noted.account);
        assert_eq!(record.failure, failure.map(|failure| failure.kind));
        assert_eq!(usize::from(record.number), request.tried.len());
        assert_eq!(record.least_bad, noted.anyway);
        request.live = None;
        request.cost += cost;
        if let Some(Failure { kind, .. }) = failure {
            request.wasted += cost;
            request.last_failure = Some(kind);
            if row_of(kind).effect == AccountEffect::Disable {
                request.barred.push(noted.account);
            }
            let delivered = noted.first_token.is_some();
            self.after_failure(now, handle, kind, delivered);
        } else {
            let tokens = u64::from(usage.output);
            self.ends_with(now, handle, Outcome::Success, tokens);
        }
        self.follow_up(now);
        self.close()
    }

    fn after_failure(
        &mut self,
        now: Timestamp,
        handle: RequestHandle,
        kind: FailureKind,
        delivered: bool,
    ) {
        let request = &self.requests[&handle.0];
        let retry = self.config.retry;
        let attempts = request.tried.len();
        let allowed = row_of(kind).retry
            && !delivered
            && attempts < usize::from(retry.max_attempts)
            && now < request.deadline
            && self.balance(now) >= 1_000;
        if !allowed {
            return self.ends(now, handle, Outcome::Failed(kind));
        }
        let mut untried = self.eligible(now, &request.features);
        untried.retain(|account| !request.tried.contains(account));
        if !untried.is_empty() {
            self.budget.push((now, -1_000));
            let model = self.requests[&handle.0].features.model;
            let allowed = self.allowed(now, model, &untried);
            return self.dispatched(now, handle, &allowed, false);
        }
        let doubled = retry.backoff_base.as_nanos() << (attempts - 1);
        let latest = now + Duration::from_nanos(doubled).min(retry.backoff_cap);
        let is_its_end = |event: &Event| matches!(event, Event::RequestEnded(h, _) if *h == handle);
        if self.told.iter().any(is_its_end) {
            assert!(latest >= request.deadline, "there was time to wait");
            return self.ends(now, handle, Outcome::Failed(kind));
        }
        self.budget.push((now, -1_000));
        self.requests.get_mut(&handle.0).unwrap().backing_off = Some((now, latest));
    }

    /// A request ends without a new answer.
    fn ends(&mut self, now: Timestamp, handle: RequestHandle, outcome: Outcome) {
        self.ends_with(now, handle, outcome, 0);
    }

    /// A request ends, having seen to those who follow it.
    fn ends_with(&mut self, now: Timestamp, handle: RequestHandle, outcome: Outcome, tokens: u64) {
        if self.requests[&handle.0].cache == CacheUse::Miss {
            self.hand_on(now, handle, outcome, tokens);
        }
        self.is_told(now, handle, outcome);
    }

    fn is_told(&mut self, now: Timestamp, handle: RequestHandle, outcome: Outcome) {
        let event = self.told.pop_front();
        let Some(Event::RequestEnded(ended, record)) = event else {
            panic!("expected {outcome:?} of {handle:?}, not {event:?}");
        };
        assert_eq!(ended, handle);
        let request = self.requests.remove(&handle.0).unwrap();
        use Rejection::{NoneAvailable, TooManyWaiting};
        let refused = matches!(outcome, Outcome::Rejected(NoneAvailable | TooManyWaiting));
        let earliest = self.earliest_retry(now, &request.features);
        assert_eq!(record.retry_at, earliest.filter(|_| refused));
        assert_eq!(record.request, RequestId(request.id));
        assert_eq!(record.outcome, outcome);
        assert_eq!(usize::from(record.attempts), request.tried.len());
        assert_eq!((record.cost, record.wasted), (request.cost, request.wasted));
        assert_eq!(
            (record.cache, record.waited),
            (request.cache, request.waited)
        );
        assert!(record.ended == now && now <= request.deadline && request.live.is_none());
        if matches!(request.cache, CacheUse::Hit | CacheUse::Coalesced) {
            let first = (outcome == Outcome::Success && request.features.streaming).then_some(now);
            assert_eq!((record.first_token, record.account), (first, None));
        }
        assert!(
            self.ended.insert(request.id, record).is_none(),
            "ended twice"
        );
    }

    fn serves(&self, account: usize, features: &RequestFeatures) -> bool {
        let serves = |served: &ServedModel| served.model == features.model;
        self.book.accounts[account].models.iter().any(serves)
    }

    /// Accounts that could take a request if nothing were the matter with them.
    fn could_take(&self, features: &RequestFeatures) -> Vec<usize> {
        let enabled = |account: &usize| {
            let account = &self.book.accounts[*account];
            account.availability == Availability::Enabled
        };
        let all = (0..self.book.accounts.len()).filter(enabled);
        all.filter(|account| self.serves(*account, features))
            .collect()
    }

    /// The end of an account's open time for a model, its cool-down and fault.
    fn back(&self, now: Timestamp, account: usize, model: ModelIndex) -> Timestamp {
        let (cooling, disabled) = self.book.out_until(account);
        let target = self.book.target(account, model).unwrap();
        let open = match (self.book.breaker(target, now), self.config.breaker) {
            ((BreakerState::Open, since, _), Some(config)) => since + config.open_time,
            _ => Timestamp::ZERO,
        };
        cooling.max(disabled).max(open)
    }

    /// The first end of an open time or cool-down among those that could take it.
    fn earliest_retry(&self, now: Timestamp, features: &RequestFeatures) -> Option<Timestamp> {
        let could = self.could_take(features).into_iter();
        let held = could.map(|account| self.back(now, account, features.model));
        held.filter(|back| *back > now).min()
    }

    /// The client has left: what is in flight is cancelled, else the request ends here.
    pub fn left(&mut self, now: Timestamp, handle: RequestHandle, events: Vec<Event>) -> Wanted {
        self.open(now, events);
        let failure = FailureKind::Cancelled;
        if let Some(attempt) = self.requests[&handle.0].live {
            let cancel = Action::Cancel { attempt, failure };
            assert_eq!(self.asked.pop_front(), Some(cancel));
            self.wanted.cancels.push((attempt, failure));
        } else {
            self.goes(now, handle, failure);
        }
        self.follow_up(now);
        self.close()
    }

    /// A request that has no attempt in flight ends from within.
    fn goes(&mut self, now: Timestamp, handle: RequestHandle, failure: FailureKind) {
        self.line.retain(|waiting| *waiting != handle.0);
        self.cache.leave(handle.0);
        self.ends(now, handle, Outcome::Failed(failure));
    }

    /// What the end of an attempt or a request means for others.
    fn follow_up(&mut self, now: Timestamp) {
        self.wake(now);
        self.start_promoted(now);
    }

    /// A look at everything before time goes on to `next`.
    pub fn look(&self, next: Timestamp, timer: Timestamp, gateway: &Gateway) {
        let pool = gateway.balancer().pool();
        for account in 0..self.book.accounts.len() {
            let counted = pool.in_flight(AccountIndex(account as u32));
            assert_eq!(counted, self.book.in_flight(account), "account {account}");
        }
        assert_eq!(gateway.in_flight(), self.requests.len());
        assert_eq!(gateway.waiting() as usize, self.line.len());
        for (handle, request) in &self.requests {
            let theirs = self
                .live
                .values()
                .filter(|live| live.request == *handle)
                .count();
            assert_eq!(theirs, usize::from(request.live.is_some()));
            let states = [
                request.live.is_some(),
                request.backing_off.is_some(),
                self.line.contains(handle),
                self.cache.follows(*handle),
            ];
            let in_one = states.into_iter().filter(|state| *state).count();
            assert_eq!(in_one, 1, "of {}: {states:?}", request.id);
            assert!(timer <= request.deadline);
            let latest = request.backing_off.map(|(_, latest)| latest);
            assert!(latest.is_none_or(|latest| timer <= latest));
        }
        self.look_at_line(timer);
        self.cache.look(gateway.cache());
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
        let ended = |of: CacheUse| self.ended.values().filter(|r| r.cache == of).count() as u64;
        let counted = (totals.cache_hits, totals.cache_misses, totals.coalesced);
        let of = (CacheUse::Hit, CacheUse::Miss, CacheUse::Coalesced);
        assert_eq!(counted, (ended(of.0), ended(of.1), ended(of.2)));
        let waited = self.ended.values().filter(|record| record.waited).count();
        assert_eq!(totals.waited, waited as u64);
        let anyway = self.book.attempts.iter().filter(|attempt| attempt.anyway);
        assert_eq!(totals.least_bad_attempts, anyway.count() as u64);
    }
}
