//! The life of requests under random circumstances, watched by a referee.
//!
//! A script says when requests come, when clients leave, and what every attempt meets: a first
//! token, progress, success, any kind of failure, or silence. The gateway is driven through it as a
//! driver does, and after each call the referee, who knows the rules and the whole book of events
//! but none of the gateway's state, says whether what it did was allowed and whether it did
//! everything it had to.

mod referee;

use crate::stage::{Event, Notes, account, at, features, ms, served};
use proptest::prelude::{Strategy as Generator, *};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use referee::{Referee, Wanted};
use routelab::record::Strategy;
use routelab::request::{AttemptId, CacheKey, ClassIndex, Failure, FailureKind, ModelIndex, Usage};
use routelab::request::{RequestFeatures, RequestId};
use routelab::rng::Rng;
use routelab::routing::account::{Account, Availability};
use routelab::routing::config::{
    BreakerConfig, CacheConfig, HealthScope, RoutingConfig, WhenNoneAvailable,
};
use routelab::routing::gateway::{Gateway, RequestHandle};
use routelab::routing::geography::Geography;
use routelab::routing::statistics::{Statistics, StatisticsConfig};
use routelab::time::{Duration, Timestamp};
use routelab::units::NanoUsd;
use std::collections::BTreeMap;

/// What an attempt meets; times in hundredths of a second after its start.
#[derive(Clone, Copy, Debug)]
struct Fate {
    first_token: Option<u64>,
    progress: Option<u64>,
    /// When, and how; `None` is silence.
    end: Option<(u64, Option<FailureKind>)>,
    retry_after: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Arrival {
    /// After the one before, in hundredths of a second.
    gap: u64,
    streaming: bool,
    other_model: bool,
    /// Of the answer that it asks for.
    key: Option<u64>,
    /// When the client leaves.
    patience: Option<u64>,
}

/// What the script has in store.
#[derive(Clone, Copy)]
enum Step {
    FirstToken(AttemptId),
    Progress(AttemptId),
    End(AttemptId, Option<Failure>),
    Leave(RequestHandle),
}

struct World {
    gateway: Gateway,
    notes: Notes,
    referee: Referee,
    fates: Vec<Fate>,
    /// By time and order; the number is that of the attempt or request meant, since names are
    /// reused.
    steps: BTreeMap<(Timestamp, u64), (Step, u64)>,
    planned: u64,
    dispatched: usize,
}

impl World {
    fn new(config: &RoutingConfig, accounts: &[Account], fates: Vec<Fate>, seed: u64) -> Self {
        let statistics = StatisticsConfig {
            since: Timestamp::ZERO,
            deadline: config.deadline,
            failure_latency: None,
            latency_objective: ms(1_000),
        };
        let statistics = Statistics::new(statistics, 0, 2);
        let policy = Rng::from_state(seed);
        let mut gateway = Gateway::new(config, Geography::default(), statistics, policy);
        for account in accounts {
            gateway.upsert(Timestamp::ZERO, account.clone());
        }
        Self {
            gateway,
            notes: Notes::default(),
            referee: Referee::new(config, accounts),
            fates,
            steps: BTreeMap::new(),
            planned: 0,
            dispatched: 0,
        }
    }

    fn plan(&mut self, at: Timestamp, step: Step, whom: u64) {
        self.planned += 1;
        self.steps.insert((at, self.planned), (step, whom));
    }

    fn drain(&mut self) -> Vec<Event> {
        self.notes.drain(&mut self.gateway)
    }

    /// Plans what a new attempt meets.
    fn sent(&mut self, now: Timestamp, attempt: AttemptId) {
        let fate = self.fates[self.dispatched % self.fates.len()];
        self.dispatched += 1;
        let whom = self.referee.number_of(attempt);
        let later = |hundredths: u64| now + ms(10 * hundredths);
        let streaming = self.referee.is_streaming(attempt);
        let first = fate.first_token.filter(|_| streaming);
        if let Some(first) = first {
            self.plan(later(first), Step::FirstToken(attempt), whom);
            if let Some(progress) = fate.progress {
                self.plan(later(first + progress), Step::Progress(attempt), whom);
            }
        } else if let Some(progress) = fate.progress {
            // Keep-alives before the first token.
            self.plan(later(progress), Step::Progress(attempt), whom);
        }
        if let Some((end, kind)) = fate.end {
            let failure = kind.map(|kind| Failure {
                kind,
                retry_after: fate.retry_after.map(|wait| ms(10 * wait)),
            });
            let end = later(end + first.unwrap_or(0));
            self.plan(end, Step::End(attempt, failure), whom);
        }
    }

    fn end(&mut self, now: Timestamp, attempt: AttemptId, failure: Option<Failure>) {
        let usage = Usage {
            input: 1_000 + attempt.0,
            cached_input: 0,
            output: 100,
        };
        let notes = &mut self.notes;
        self.gateway.on_ended(now, attempt, failure, usage, notes);
        let actions = self.drain();
        let wanted = self.referee.ended(now, attempt, failure, usage, actions);
        self.carry_out(now, wanted);
    }

    fn carry_out(&mut self, now: Timestamp, Wanted { sent, cancels }: Wanted) {
        sent.into_iter().for_each(|attempt| self.sent(now, attempt));
        for (attempt, kind) in cancels {
            self.end(now, attempt, Some(kind.into()));
        }
    }

    fn take(&mut self, now: Timestamp, step: Step) {
        match step {
            Step::FirstToken(attempt) => {
                self.gateway.on_first_token(now, attempt);
                self.referee.first_token(now, attempt);
            }
            Step::Progress(attempt) => {
                self.gateway.on_progress(now, attempt);
                self.referee.progress(now, attempt);
            }
            Step::End(attempt, failure) => self.end(now, attempt, failure),
            Step::Leave(request) => {
                self.gateway.on_client_gone(now, request, &mut self.notes);
                let actions = self.drain();
                let wanted = self.referee.left(now, request, actions);
                self.carry_out(now, wanted);
            }
        }
        assert!(self.drain().is_empty(), "something without a cause");
    }

    fn arrive(&mut self, now: Timestamp, id: u64, arrival: Arrival) {
        let features = RequestFeatures {
            streaming: arrival.streaming,
            model: ModelIndex(u16::from(arrival.other_model)),
            cache_key: arrival.key.map(|key| {
                // The model is part of what is asked for.
                CacheKey::new(1 + 2 * key + u64::from(arrival.other_model))
            }),
            ..features()
        };
        let (name, class) = (RequestId(id), ClassIndex(0));
        let notes = &mut self.notes;
        let handle = self.gateway.on_request(now, name, class, &features, notes);
        let actions = self.drain();
        let wanted = self.referee.arrived(now, id, handle, &features, actions);
        self.carry_out(now, wanted);
        if let Some(patience) = arrival.patience {
            self.plan(now + ms(10 * patience), Step::Leave(handle), id);
        }
    }

    /// Upstream before timers before arrivals, as the engine does.
    fn run(&mut self, arrivals: &[Arrival]) {
        let mut next_arrival = at(0);
        let mut waiting = arrivals.iter().enumerate().peekable();
        for _ in 0..100_000 {
            let step = self
                .steps
                .keys()
                .next()
                .map_or(Timestamp::NEVER, |(at, _)| *at);
            let arrival = waiting.peek().map_or(Timestamp::NEVER, |(_, next)| {
                next_arrival + ms(10 * next.gap)
            });
            let timer = self.gateway.next_timer();
            let now = step.min(arrival).min(timer);
            self.referee.look(now, timer, &self.gateway);
            if now == Timestamp::NEVER {
                return self.referee.over(&self.gateway);
            }
            if step == now {
                let (_, (step, whom)) = self.steps.pop_first().unwrap();
                if self.referee.still_there(step_of(step), whom) {
                    self.take(now, step);
                }
            } else if timer == now {
                self.gateway.on_timer(now, &mut self.notes);
                let actions = self.drain();
                let wanted = self.referee.timers(now, actions);
                self.carry_out(now, wanted);
            } else {
                let (id, arrival) = waiting.next().unwrap();
                self.arrive(now, id as u64, *arrival);
                next_arrival = now;
            }
        }
        panic!("it does not come to an end");
    }
}

/// Whom a step means: an attempt or a request, by the gateway's name.
const fn step_of(step: Step) -> Result<AttemptId, RequestHandle> {
    match step {
        Step::FirstToken(attempt) | Step::Progress(attempt) | Step::End(attempt, _) => Ok(attempt),
        Step::Leave(request) => Err(request),
    }
}

fn maybe<T: std::fmt::Debug>(
    some: impl Generator<Value = T> + 'static,
) -> impl Generator<Value = Option<T>> {
    prop::option::of(some)
}

fn fates() -> impl Generator<Value = Vec<Fate>> {
    let kinds: Vec<Option<FailureKind>> = FailureKind::ALL
        .iter()
        .map(|kind| Some(*kind))
        .filter(|kind| *kind != Some(FailureKind::DeadlineExceeded))
        .chain([None; 12])
        .collect();
    let end = (0u64..60, prop::sample::select(kinds));
    let fate = (
        maybe(0u64..30),
        maybe(0u64..30),
        prop::option::weighted(0.9, end),
        maybe(0u64..200),
    );
    let fate = fate.prop_map(|(first_token, progress, end, retry_after)| Fate {
        first_token,
        progress,
        end,
        retry_after,
    });
    prop::collection::vec(fate, 1..30)
}

fn arrivals() -> impl Generator<Value = Vec<Arrival>> {
    let patience = prop::option::weighted(0.1, 0u64..100);
    let key = prop::option::weighted(0.7, 0u64..3);
    let arrival = (
        0u64..40,
        any::<bool>(),
        prop::bool::weighted(0.2),
        patience,
        key,
    );
    let arrival = arrival.prop_map(|(gap, streaming, other_model, patience, key)| Arrival {
        gap,
        streaming,
        other_model,
        patience,
        key,
    });
    prop::collection::vec(arrival, 1..40)
}

fn configs() -> impl Generator<Value = RoutingConfig> {
    let strategy = prop::sample::select(Strategy::ALL);
    let limits = (1u64..300, maybe(1u64..60), maybe(1u64..30), maybe(1u64..30));
    let breaker = maybe((1u32..4, 1u64..100, 1u32..3, 1u32..3));
    let retry = (1u8..6, 1u64..30, 0u32..6, 0u32..3);
    let cool_down = (1u64..100, prop::sample::select(vec![5u64, 60_000]));
    let scope = prop::sample::select(HealthScope::ALL.to_vec());
    let cache = maybe((1u32..4, maybe(50u64..350), 1u64..300));
    let when = (prop::sample::select(WhenNoneAvailable::ALL), 1u32..6);
    let all = (
        strategy, scope, limits, breaker, retry, cool_down, cache, when,
    );
    all.prop_map(
        |(strategy, health_scope, limits, breaker, retry, cool_down, cache, when)| {
            let hundredths = |n: u64| ms(10 * n);
            let mut config = RoutingConfig {
                strategy,
                health_scope,
                deadline: Some(hundredths(limits.0)),
                attempt_timeout: limits.1.map(hundredths),
                first_token_timeout: limits.2.map(hundredths),
                idle_timeout: limits.3.map(hundredths),
                breaker: breaker.map(|(failures, open, probes, successes)| BreakerConfig {
                    failures_to_open: failures,
                    open_time: hundredths(open),
                    half_open_max_in_flight: probes,
                    successes_to_close: successes,
                    ..BreakerConfig::default()
                }),
                cache: cache.map(|(max_entries, max_output_tokens, ttl)| CacheConfig {
                    max_entries,
                    max_output_tokens,
                    ttl: hundredths(ttl),
                }),
                when_none_available: when.0,
                max_waiting: when.1,
                ..RoutingConfig::default()
            };
            config.retry.max_attempts = retry.0;
            config.retry.backoff_base = hundredths(retry.1);
            config.retry.backoff_cap = Duration::from_millis(700);
            config.retry.budget_per_request = f64::from(retry.2) / 5.0;
            config.retry.budget_per_second = f64::from(retry.3) / 5.0;
            config.cool_down.base = hundredths(cool_down.0);
            config.cool_down.cap = Duration::from_secs(1);
            config.cool_down.account_fault = hundredths(cool_down.1);
            config
        },
    )
}

fn pools() -> impl Generator<Value = Vec<Account>> {
    let traits = (1u32..5, prop::bool::weighted(0.8), any::<bool>(), 1u32..4);
    prop::collection::vec(traits, 1..5).prop_map(|pool| {
        let made = pool
            .into_iter()
            .enumerate()
            .map(|(n, (limit, on, both, weight))| {
                let mut account = account(n);
                account.max_in_flight = limit;
                account.weight = weight;
                account.models = vec![served(0, 1.0 + n as f64)];
                if both {
                    account.models.push(served(1, 0.5));
                }
                if !on {
                    account.availability = Availability::Draining;
                }
                account
            });
        made.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn the_gateway_keeps_the_rules(
        config in configs(),
        pool in pools(),
        fates in fates(),
        arrivals in arrivals(),
        seed in any::<u64>(),
    ) {
        World::new(&config, &pool, fates, seed).run(&arrivals);
    }
}

/// The scripts above meet every rule often enough to test it.
#[test]
fn the_scripts_meet_every_rule() {
    let mut runner = TestRunner::deterministic();
    let scripts = (configs(), pools(), fates(), arrivals(), any::<u64>());
    let mut met = [0; 6];
    for _ in 0..600 {
        let (config, pool, fates, arrivals, seed) =
            scripts.new_tree(&mut runner).unwrap().current();
        let mut world = World::new(&config, &pool, fates, seed);
        world.run(&arrivals);
        let totals = world.gateway.statistics().totals();
        let counts = [
            totals.cache_hits,
            totals.cache_misses,
            totals.coalesced,
            totals.waited,
            totals.least_bad_attempts,
            totals.budget_exhausted,
        ];
        met.iter_mut()
            .zip(counts)
            .for_each(|(sum, count)| *sum += count);
    }
    assert!(met.iter().all(|count| *count >= 100), "{met:?}");
}

/// A bill of an attempt, by the referee's own table.
fn bill(account: &Account, model: ModelIndex, usage: Usage) -> NanoUsd {
    let served = account.models.iter().find(|served| served.model == model);
    served.unwrap().prices.bill(usage)
}
