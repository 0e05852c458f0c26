//! A book of everything that happened, and every figure worked out from it from scratch.
//!
//! The pool keeps its figures up to date event by event; here each one is its definition, read off
//! the whole list of attempts every time. It is as slow as it is plain: an oracle.
//!
//! `of` is a target: the position of an account, or with `health_scope = "account_model"` of a
//! model at one, in the order in which they became known.

use super::table::row_of;
use routelab::request::{Failure, FailureKind, ModelIndex, Provider, RequestFeatures};
use routelab::routing::account::{Account, Availability};
use routelab::routing::breaker::BreakerState;
use routelab::routing::config::{HealthScope, RoutingConfig};
use routelab::routing::failure::AccountEffect;
use routelab::time::{Duration, Timestamp};
use std::collections::BTreeSet;

/// One attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub account: usize,
    pub target: usize,
    pub sent: Timestamp,
    pub streaming: bool,
    /// Whether its request had been sent somewhere before, or had waited.
    pub late: bool,
    pub first_token: Option<Timestamp>,
    pub end: Option<(Timestamp, Option<Failure>)>,
    /// Whether the end says something about the account.
    pub judged: bool,
    /// Whether it was sent although the account admits nothing.
    pub anyway: bool,
}

/// What happened, in order.
#[derive(Clone, Copy, Debug)]
enum Event {
    Sent(usize),
    FirstToken(usize),
    Ended(usize),
}

/// Everything that happened.
#[derive(Clone)]
pub struct Book {
    pub config: RoutingConfig,
    pub accounts: Vec<Account>,
    /// Account, and model where there is one target for each.
    pub targets: Vec<(usize, Option<ModelIndex>)>,
    pub attempts: Vec<Attempt>,
    events: Vec<Event>,
}

impl Book {
    pub fn new(config: &RoutingConfig, accounts: &[Account]) -> Self {
        let mut book = Self {
            config: config.clone(),
            accounts: accounts.to_vec(),
            targets: vec![],
            attempts: vec![],
            events: vec![],
        };
        (0..accounts.len()).for_each(|account| book.described(account));
        book
    }

    /// An account has become known, or has been described anew: adds the targets not known yet.
    pub fn described(&mut self, account: usize) {
        let models = match self.config.health_scope {
            HealthScope::Account => vec![None],
            HealthScope::AccountModel => {
                let models = self.accounts[account].models.iter();
                models.map(|served| Some(served.model)).collect()
            }
        };
        for model in models {
            if !self.targets.contains(&(account, model)) {
                self.targets.push((account, model));
            }
        }
    }

    /// The target of an account that a request for a model goes to.
    pub fn target(&self, account: usize, model: ModelIndex) -> Option<usize> {
        let is = |(own, for_model): &(usize, Option<ModelIndex>)| {
            *own == account && for_model.is_none_or(|own| own == model)
        };
        self.targets.iter().position(is)
    }

    pub fn account(&self, of: usize) -> &Account {
        &self.accounts[self.targets[of].0]
    }

    /// Whether the account serves the model, and this is its target for it.
    pub fn serves(&self, of: usize, model: ModelIndex) -> bool {
        let (account, own) = self.targets[of];
        let mut models = self.accounts[account].models.iter();
        own.is_none_or(|own| own == model) && models.any(|served| served.model == model)
    }

    /// Notes a dispatch; returns the attempt's number.
    pub fn sent(&mut self, now: Timestamp, target: usize, streaming: bool, late: bool) -> usize {
        let number = self.attempts.len();
        self.attempts.push(Attempt {
            account: self.targets[target].0,
            target,
            sent: now,
            streaming,
            late,
            first_token: None,
            end: None,
            judged: false,
            anyway: false,
        });
        self.events.push(Event::Sent(number));
        number
    }

    pub fn first_token(&mut self, now: Timestamp, attempt: usize) {
        self.attempts[attempt].first_token = Some(now);
        self.events.push(Event::FirstToken(attempt));
    }

    pub fn ended(&mut self, now: Timestamp, attempt: usize, failure: Option<Failure>) {
        let judged = self.judges(now, &self.attempts[attempt], failure);
        let ended = &mut self.attempts[attempt];
        ended.judged = judged;
        ended.end = Some((now, failure));
        self.events.push(Event::Ended(attempt));
    }

    /// Whether an end at `now` says something about the account, by what is known until then. The
    /// deadline of a late attempt does not if the account had less time than it usually takes
    /// (unmeasured: than the reference).
    fn judges(&self, now: Timestamp, attempt: &Attempt, failure: Option<Failure>) -> bool {
        let Some(Failure { kind, .. }) = failure else {
            return true;
        };
        let waited = now.since(attempt.sent).as_secs_f64();
        let reference = self.config.metrics.response_reference.as_secs_f64();
        let cut_short = kind == FailureKind::DeadlineExceeded
            && attempt.late
            && waited < self.response(attempt.target, now).unwrap_or(reference);
        row_of(kind).counts && !cut_short
    }

    /// Ends at an account in order: attempt, when, how.
    fn ends_at(
        &self,
        account: usize,
    ) -> impl Iterator<Item = (&Attempt, Timestamp, Option<Failure>)> {
        self.events.iter().filter_map(move |event| {
            let Event::Ended(number) = event else {
                return None;
            };
            let attempt = &self.attempts[*number];
            let (at, failure) = attempt.end?;
            (attempt.account == account).then_some((attempt, at, failure))
        })
    }

    /// Ends at a target.
    fn ends(&self, of: usize) -> impl Iterator<Item = (&Attempt, Timestamp, Option<Failure>)> {
        let all = self.ends_at(self.targets[of].0);
        all.filter(move |(attempt, ..)| attempt.target == of)
    }

    /// Ends that say something about the account: when, whether it succeeded.
    fn judged(&self, of: usize) -> impl DoubleEndedIterator<Item = (Timestamp, bool)> {
        let judged: Vec<_> = self
            .ends(of)
            .filter(|(attempt, ..)| attempt.judged)
            .map(|(_, at, failure)| (at, failure.is_none()))
            .collect();
        judged.into_iter()
    }

    /// At the whole account.
    pub fn in_flight(&self, account: usize) -> u32 {
        let live = |attempt: &&Attempt| attempt.account == account && attempt.end.is_none();
        self.attempts.iter().filter(live).count() as u32
    }

    /// Success rate of the last ten ticks, one prior success.
    pub fn success(&self, of: usize, now: Timestamp) -> f64 {
        let tick = self.config.metrics.success_window.as_nanos() / 10;
        let tick = |at: Timestamp| at.as_nanos() / tick;
        let recent = self.judged(of).filter(|(at, _)| tick(*at) + 10 > tick(now));
        let (mut good, mut all) = (1.0, 1.0);
        for (_, success) in recent {
            good += f64::from(u8::from(success));
            all += 1.0;
        }
        good / all
    }

    pub fn streak(&self, of: usize) -> usize {
        let judged = self.judged(of).rev();
        judged.take_while(|(_, success)| !success).count()
    }

    /// Decaying mean of (when, sample, at least so long), forgotten after a silence.
    fn estimate(
        &self,
        now: Timestamp,
        samples: impl Iterator<Item = (Timestamp, Duration, bool)>,
    ) -> Option<f64> {
        let metrics = &self.config.metrics;
        let tau = metrics.latency_tau.as_secs_f64();
        let mut known: Option<(Timestamp, f64)> = None;
        for (at, sample, at_least) in samples {
            let x = sample.as_secs_f64();
            known = known.filter(|(last, _)| at.since(*last) < metrics.forget_after);
            known = Some(known.map_or((at, x), |(last, mean)| {
                let x = if at_least { x.max(mean) } else { x };
                let dt = at.since(last).as_secs_f64().max(tau / 100.0);
                (at, mean + (1.0 - (-dt / tau).exp()) * (x - mean))
            }));
        }
        let fresh = known.filter(|(last, _)| now.since(*last) < metrics.forget_after);
        fresh.map(|(_, mean)| mean)
    }

    /// Response time in seconds.
    pub fn response(&self, of: usize, now: Timestamp) -> Option<f64> {
        let samples = self.ends(of).filter_map(|(attempt, at, failure)| {
            let sample = failure.is_none_or(|f| row_of(f.kind).sample && attempt.judged);
            sample.then(|| (at, at.since(attempt.sent), failure.is_some()))
        });
        self.estimate(now, samples)
    }

    /// Time to first token in seconds.
    pub fn time_to_first_token(&self, of: usize, now: Timestamp) -> Option<f64> {
        let samples = self.events.iter().filter_map(|event| match *event {
            Event::FirstToken(number) => {
                let attempt = &self.attempts[number];
                let at = attempt.first_token?;
                (attempt.target == of).then_some((at, at.since(attempt.sent), false))
            }
            Event::Ended(number) => {
                let attempt = &self.attempts[number];
                let (at, failure) = attempt.end?;
                let kind = failure?.kind;
                // A pause is one after the first token.
                let timed_out = row_of(kind).sample
                    && attempt.judged
                    && kind != FailureKind::IdleTimeout
                    && attempt.streaming
                    && attempt.first_token.is_none();
                let here = timed_out && attempt.target == of;
                here.then_some((at, at.since(attempt.sent), true))
            }
            Event::Sent(_) => None,
        });
        self.estimate(now, samples)
    }

    /// The breaker's state, since when, and attempts in flight that this state admitted.
    pub fn breaker(&self, of: usize, now: Timestamp) -> (BreakerState, Timestamp, usize) {
        use BreakerState::{Closed, HalfOpen, Open};
        let Some(config) = self.config.breaker else {
            return (Closed, Timestamp::ZERO, 0);
        };
        let (mut state, mut since, mut run) = (Closed, Timestamp::ZERO, 0);
        let mut admitted: BTreeSet<usize> = BTreeSet::new();
        let turn_due =
            |state, since: Timestamp, at| state == Open && since + config.open_time <= at;
        for event in &self.events {
            let (number, at) = match *event {
                Event::Sent(number) => (number, self.attempts[number].sent),
                Event::Ended(number) => (number, self.attempts[number].end.unwrap().0),
                Event::FirstToken(_) => continue,
            };
            if turn_due(state, since, at) {
                (state, since, run) = (HalfOpen, since + config.open_time, 0);
                admitted.clear();
            }
            if self.attempts[number].target != of {
                continue;
            }
            if matches!(event, Event::Sent(_)) {
                // What was sent against the breaker's advice it does not judge.
                if state == Closed || !self.attempts[number].anyway {
                    admitted.insert(number);
                }
                continue;
            }
            let failure = self.attempts[number].end.unwrap().1;
            if !admitted.remove(&number) || !self.attempts[number].judged {
                continue;
            }
            let next = match (state, failure) {
                (Closed, Some(_)) if run + 1 >= config.failures_to_open => Open,
                (HalfOpen, Some(_)) => Open,
                (HalfOpen, None) if run + 1 >= config.successes_to_close => Closed,
                (Closed, None) => {
                    run = 0;
                    continue;
                }
                _ => {
                    run += 1;
                    continue;
                }
            };
            (state, since, run) = (next, at, 0);
            admitted.clear();
        }
        if turn_due(state, since, now) {
            return (HalfOpen, since + config.open_time, 0);
        }
        (state, since, admitted.len())
    }

    /// Until when rate limits keep the account out, and until when account faults do.
    pub fn out_until(&self, account: usize) -> (Timestamp, Timestamp) {
        let config = &self.config.cool_down;
        let (mut cooling, mut disabled) = (Timestamp::ZERO, Timestamp::ZERO);
        let (mut next, mut limited) = (config.base, Timestamp::ZERO);
        for (attempt, at, failure) in self.ends_at(account) {
            let Some(failure) = failure else {
                if attempt.sent >= limited {
                    next = config.base;
                }
                continue;
            };
            if row_of(failure.kind).effect == AccountEffect::CoolDown {
                limited = at;
            }
            match (row_of(failure.kind).effect, failure.retry_after) {
                (AccountEffect::CoolDown, Some(named)) => cooling = cooling.max(at + named),
                (AccountEffect::CoolDown, None) if at >= cooling => {
                    cooling = at + next.min(config.cap);
                    next = next + next;
                }
                (AccountEffect::Disable, _) => disabled = at + config.account_fault,
                _ => {}
            }
        }
        (cooling, disabled)
    }

    /// Whether the target takes a request now.
    pub fn eligible(&self, of: usize, now: Timestamp, features: &RequestFeatures) -> bool {
        let (at, account) = (self.targets[of].0, self.account(of));
        let (cooling, disabled) = self.out_until(at);
        let probes = self.config.breaker.map_or(0, |b| b.half_open_max_in_flight);
        self.serves(of, features.model)
            && account.availability == Availability::Enabled
            && self.in_flight(at) < account.max_in_flight
            && cooling <= now
            && disabled <= now
            && match self.breaker(of, now) {
                (BreakerState::Closed, ..) => true,
                (BreakerState::Open, ..) => false,
                (BreakerState::HalfOpen, _, in_flight) => in_flight < probes as usize,
            }
    }

    /// Whether an idle target should be measured: not soon after a failure.
    fn wants_probe(&self, of: usize, now: Timestamp) -> bool {
        let last = self.judged(of).next_back();
        last.is_none_or(|(at, success)| success || at + self.config.metrics.forget_after <= now)
    }

    /// Idle and unmeasured: what strategies that look at latency probe first.
    pub fn cold(&self, of: usize, now: Timestamp, first_token: bool) -> bool {
        let estimate = if first_token {
            self.time_to_first_token(of, now)
        } else {
            self.response(of, now)
        };
        let live = |attempt: &Attempt| attempt.target == of && attempt.end.is_none();
        estimate.is_none() && !self.attempts.iter().any(live) && self.wants_probe(of, now)
    }

    pub fn connections(&self, of: usize) -> f64 {
        let in_flight = self.in_flight(self.targets[of].0);
        1.0 - f64::from(in_flight) / f64::from(self.account(of).max_in_flight)
    }

    fn response_score(&self, of: usize, now: Timestamp) -> f64 {
        let reference = self.config.metrics.response_reference.as_secs_f64();
        let seconds = self.response(of, now);
        seconds.map_or(0.5, |seconds| reference / (reference + seconds))
    }

    /// 40 / 30 / 20 / 10.
    pub fn health(&self, of: usize, now: Timestamp) -> f64 {
        let stability = 1.0 - self.streak(of).min(5) as f64 / 5.0;
        0.40 * self.success(of, now)
            + 0.30 * self.response_score(of, now)
            + 0.20 * self.connections(of)
            + 0.10 * stability
    }

    /// A provider's share of the dispatches so far, each decayed to now.
    pub fn share(&self, provider: Provider, now: Timestamp) -> f64 {
        let tau = self.config.metrics.diversity_tau.as_secs_f64();
        let (mut mine, mut all) = (0.0, 0.0);
        for attempt in &self.attempts {
            let weight = (-now.since(attempt.sent).as_secs_f64() / tau).exp();
            all += weight;
            if self.accounts[attempt.account].provider == provider {
                mine += weight;
            }
        }
        if all == 0.0 { 0.0 } else { mine / all }
    }

    /// 25 / 25 / 20 / 15 / 15.
    pub fn adaptive(&self, of: usize, now: Timestamp) -> f64 {
        0.25 * self.health(of, now)
            + 0.25 * self.success(of, now)
            + 0.20 * self.response_score(of, now)
            + 0.15 * self.connections(of)
            + 0.15 * (1.0 - self.share(self.account(of).provider, now))
    }
}
