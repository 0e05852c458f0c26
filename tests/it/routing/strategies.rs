//! Every strategy against its definition, after random events.
//!
//! The oracle keeps nothing but the list of everything that happened. For each request it works out
//! from scratch who is eligible and who is best, and the account picked must be one of those. (That
//! ties are then even is for the chi-square tests.)

use crate::stage::book::Book;
use crate::stage::{Sent, Stage, account, at, features, ms, once, secs, served};
use proptest::prelude::{Strategy as Generator, *};
use routelab::record::Strategy;
use routelab::request::{Failure, FailureKind, ModelIndex, Provider, RegionIndex, RequestFeatures};
use routelab::routing::account::{Account, Availability, ServedModel};
use routelab::routing::balancer::Ineligible;
use routelab::routing::breaker::BreakerState;
use routelab::routing::config::HealthScope;
use routelab::routing::geography::Geography;
use routelab::routing::target::TargetIndex;
use routelab::time::{Duration, Timestamp};

const REGIONS: usize = 3;

const MODELS: usize = 3;

/// Round trips in milliseconds: from region 1 the two others are equally far.
const ROUND_TRIPS: [[u64; REGIONS]; REGIONS] = [[5, 90, 150], [90, 5, 90], [150, 90, 5]];

fn geography() -> Geography {
    Geography::new(
        &ROUND_TRIPS.concat().into_iter().map(ms).collect::<Vec<_>>(),
        REGIONS,
    )
}

/// The oracle: the book, and where the two round robins stand.
struct Oracle {
    book: Book,
    /// By model.
    last: [Option<usize>; MODELS],
    credits: Vec<f64>,
}

/// Those with the highest score, within what rounding can do.
fn best(of: &[usize], score: impl Fn(usize) -> f64) -> Vec<usize> {
    let top = of
        .iter()
        .map(|i| score(*i))
        .fold(f64::NEG_INFINITY, f64::max);
    of.iter()
        .copied()
        .filter(|i| score(*i) >= top - 1e-9)
        .collect()
}

impl Oracle {
    /// Whom a request may be sent to; `None` where rounding decides and the oracle cannot know.
    fn acceptable(&mut self, now: Timestamp, features: &RequestFeatures) -> Option<Vec<usize>> {
        let book = &self.book;
        let strategy = book.config.strategy;
        let all: Vec<usize> = (0..book.targets.len())
            .filter(|target| book.eligible(*target, now, features))
            .collect();
        let of_those = |wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
            all.iter()
                .copied()
                .filter(|account| wanted(*account))
                .collect()
        };
        let half_open = of_those(&|i| book.breaker(i, now).0 == BreakerState::HalfOpen);
        if all.is_empty() || !half_open.is_empty() {
            return Some(half_open);
        }
        let first_token = strategy == Strategy::FastestResponse && features.streaming;
        let cold = of_those(&|i| book.cold(i, now, first_token));
        let looks_at_latency = matches!(
            strategy,
            Strategy::FastestResponse | Strategy::HealthBased | Strategy::Adaptive
        );
        if looks_at_latency && !cold.is_empty() {
            return Some(cold);
        }
        Some(match strategy {
            Strategy::LeastConnections => best(&all, |i| {
                let weight = book.account(i).weight;
                -f64::from(book.in_flight(book.targets[i].0)) / f64::from(weight)
            }),
            Strategy::FastestResponse => best(&all, |i| {
                let seconds = if first_token {
                    book.time_to_first_token(i, now)
                } else {
                    book.response(i, now)
                };
                -seconds.unwrap_or(1e9)
            }),
            Strategy::HealthBased => best(&all, |i| book.health(i, now)),
            Strategy::Adaptive => best(&all, |i| book.adaptive(i, now)),
            Strategy::Geographic => self.geographic(&all, features),
            Strategy::RoundRobin => {
                let (n, last) = (book.targets.len(), &mut self.last[features.model.at()]);
                let start = last.map_or(0, |last| last + 1);
                let next = all.iter().min_by_key(|i| (**i + n - start % n) % n);
                *last = next.copied();
                next.copied().into_iter().collect()
            }
            Strategy::WeightedRoundRobin => return self.weighted(&all, now),
            _ => all,
        })
    }

    /// The nearest group of regions with room, and in it the least loaded.
    fn geographic(&self, all: &[usize], features: &RequestFeatures) -> Vec<usize> {
        let book = &self.book;
        let user = features.user_region.map(RegionIndex::at);
        let mut distances: Vec<u64> = user.map_or(vec![], |user| ROUND_TRIPS[user].to_vec());
        distances.sort_unstable();
        distances.dedup();
        for distance in distances {
            let is_near = |i: &usize| {
                let region = book.account(*i).region.map(RegionIndex::at);
                region.is_some_and(|region| ROUND_TRIPS[user.unwrap()][region] == distance)
            };
            let near: Vec<usize> = all.iter().copied().filter(is_near).collect();
            // Full accounts are no candidates, but their load is the region's.
            let used = |i: usize| book.in_flight(book.targets[i].0);
            let full = |i: usize| used(i) >= book.account(i).max_in_flight;
            let serving = (0..book.targets.len()).filter(|i| book.serves(*i, features.model));
            let region = serving.filter(is_near);
            let counted = region.filter(|i| near.contains(i) || full(*i));
            let load = counted.map(|i| (used(i), book.account(i).max_in_flight));
            let (used, limit) = load.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
            if !near.is_empty()
                && f64::from(used) <= book.config.geographic_spill_above * f64::from(limit)
            {
                return best(&near, |i| book.connections(i));
            }
        }
        best(all, |i| book.connections(i))
    }

    /// Smooth weighted round robin with weights scaled by health.
    fn weighted(&mut self, all: &[usize], now: Timestamp) -> Option<Vec<usize>> {
        let mut total = 0.0;
        self.credits.resize(self.book.targets.len(), 0.0);
        for i in all {
            let thousands = 1_000.0 * self.book.health(*i, now);
            if (thousands.fract() - 0.5).abs() < 1e-6 {
                return None;
            }
            let weight = f64::from(self.book.account(*i).weight) * thousands.round().max(100.0);
            self.credits[*i] += weight;
            total += weight;
        }
        let highest = all
            .iter()
            .map(|i| self.credits[*i])
            .fold(f64::MIN, f64::max);
        let pick = *all.iter().find(|i| self.credits[**i] == highest)?;
        self.credits[pick] -= total;
        Some(vec![pick])
    }

    /// Why a target cannot take it.
    fn reason(&self, of: usize, now: Timestamp, features: &RequestFeatures) -> Option<Ineligible> {
        let book = &self.book;
        let (at, account) = (book.targets[of].0, book.account(of));
        let (cooling, disabled) = book.out_until(at);
        let (breaker, since, probes) = book.breaker(of, now);
        let open_time = book.config.breaker.map_or(Duration::ZERO, |b| b.open_time);
        if !book.serves(of, features.model) {
            Some(Ineligible::Model)
        } else if account.availability != Availability::Enabled {
            Some(Ineligible::Unavailable)
        } else if disabled > now {
            Some(Ineligible::AccountFault(disabled.max(cooling)))
        } else if cooling > now {
            Some(Ineligible::CoolingDown(cooling))
        } else if breaker == BreakerState::Open {
            Some(Ineligible::BreakerOpen(since + open_time))
        } else if book.in_flight(at) >= account.max_in_flight {
            Some(Ineligible::Full)
        } else {
            (breaker == BreakerState::HalfOpen && probes > 0).then_some(Ineligible::ProbeInFlight)
        }
    }
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Event {
    Send {
        model: u16,
        streaming: bool,
        region: Option<u16>,
    },
    FirstToken(usize),
    Succeed(usize),
    Fail(usize, FailureKind, Option<u64>),
    /// The owner takes an account out, or puts it back.
    Switch(usize),
    /// The owner changes the models of an account, by bits.
    Models(usize, u8),
}

fn events() -> impl Generator<Value = Vec<(u64, Event)>> {
    let kinds: Vec<FailureKind> = FailureKind::ALL.to_vec();
    let send = (0..MODELS as u16, any::<bool>(), prop::option::of(0u16..3));
    let fail = (
        0usize..100,
        prop::sample::select(kinds),
        prop::option::of(0u64..9_000),
    );
    let event = prop_oneof![
        10 => send.prop_map(|(model, streaming, region)| Event::Send { model, streaming, region }),
        3 => (0usize..100).prop_map(Event::FirstToken),
        5 => (0usize..100).prop_map(Event::Succeed),
        4 => fail.prop_map(|(which, kind, named)| Event::Fail(which, kind, named)),
        1 => (0usize..6).prop_map(Event::Switch),
        1 => (0usize..6, 1u8..8).prop_map(|(which, models)| Event::Models(which, models)),
    ];
    let gap = prop_oneof![4 => 0u64..400, 2 => 400u64..4_000, 1 => 4_000u64..30_000];
    prop::collection::vec((gap, event), 1..120)
}

fn pools() -> impl Generator<Value = Vec<Account>> {
    let traits = (
        0usize..4,
        prop::option::of(0u16..3),
        1u32..5,
        1u32..8,
        1u8..8,
    );
    prop::collection::vec(traits, 1..7).prop_map(|pool| {
        let made = pool.into_iter().enumerate();
        let made = made.map(|(n, (provider, region, weight, limit, models))| Account {
            provider: Provider::ALL[provider],
            region: region.map(RegionIndex),
            weight,
            max_in_flight: limit,
            models: models_of(models),
            ..account(n)
        });
        made.collect()
    })
}

/// Models by bits.
fn models_of(bits: u8) -> Vec<ServedModel> {
    let all = (0..MODELS as u16).filter(|model| bits >> model & 1 == 1);
    all.map(|model| served(model, 1.0)).collect()
}

/// Attempts in flight, with their numbers in the book and whether they may get a first token.
type InFlight = Vec<(Sent, usize, bool)>;

fn happen(
    now: Timestamp,
    event: Event,
    stage: &mut Stage,
    oracle: &mut Oracle,
    in_flight: &mut InFlight,
) -> Result<bool, TestCaseError> {
    match event {
        Event::Send {
            model,
            streaming,
            region,
        } => {
            let features = RequestFeatures {
                model: ModelIndex(model),
                streaming,
                user_region: region.map(RegionIndex),
                ..features()
            };
            return send(now, &features, stage, oracle, in_flight);
        }
        Event::Switch(which) if which < oracle.book.accounts.len() => {
            let account = &mut oracle.book.accounts[which];
            account.availability = match account.availability {
                Availability::Enabled => Availability::Draining,
                _ => Availability::Enabled,
            };
            stage.gateway.upsert(now, account.clone());
        }
        Event::Models(which, models) if which < oracle.book.accounts.len() => {
            oracle.book.accounts[which].models = models_of(models);
            oracle.book.described(which);
            let account = oracle.book.accounts[which].clone();
            stage.gateway.upsert(now, account);
        }
        Event::FirstToken(which) if !in_flight.is_empty() => {
            let which = which % in_flight.len();
            let (sent, number, waits) = &mut in_flight[which];
            if std::mem::take(waits) {
                stage.gateway.on_first_token(now, sent.attempt);
                oracle.book.first_token(now, *number);
            }
        }
        Event::Succeed(which) | Event::Fail(which, ..) if !in_flight.is_empty() => {
            let (sent, number, _) = in_flight.swap_remove(which % in_flight.len());
            let failure = match event {
                Event::Fail(_, kind, named) => Some(Failure {
                    kind,
                    retry_after: named.map(ms),
                }),
                _ => None,
            };
            stage.end(now, sent, failure);
            oracle.book.ended(now, number, failure);
        }
        _ => {}
    }
    Ok(true)
}

/// False where the oracle cannot know any more.
fn send(
    now: Timestamp,
    features: &RequestFeatures,
    stage: &mut Stage,
    oracle: &mut Oracle,
    in_flight: &mut InFlight,
) -> Result<bool, TestCaseError> {
    let mut balancer = stage.gateway.balancer().clone();
    let _ = balancer.pick(now, Strategy::Random, features);
    for of in 0..oracle.book.targets.len() {
        let reason = balancer.ineligible(now, TargetIndex(of as u32), features);
        prop_assert_eq!(reason, oracle.reason(of, now, features), "target {}", of);
    }
    let Some(acceptable) = oracle.acceptable(now, features) else {
        return Ok(false);
    };
    let sent = stage.request(now, features).sent();
    let Some(sent) = sent else {
        prop_assert!(acceptable.is_empty(), "refused, but {acceptable:?} could");
        return Ok(true);
    };
    let target = oracle.book.target(sent.account, features.model).unwrap();
    prop_assert!(
        acceptable.contains(&target),
        "{target} is none of {acceptable:?}"
    );
    let number = oracle.book.sent(now, target, features.streaming, false);
    in_flight.push((sent, number, features.streaming));
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn every_pick_is_one_of_the_best(
        strategy in prop::sample::select(crate::stage::PLAIN.to_vec()),
        scope in prop::sample::select(HealthScope::ALL.to_vec()),
        events in events(),
        pool in pools(),
        seed in any::<u64>(),
    ) {
        let mut config = once(strategy);
        config.health_scope = scope;
        config.deadline = None;
        // Small limits: at nine tenths they are full.
        config.geographic_spill_above = 0.5;
        config.metrics.forget_after = secs(20);
        config.metrics.success_window = secs(30);
        config.breaker.as_mut().unwrap().failures_to_open = 2;
        config.breaker.as_mut().unwrap().open_time = secs(5);
        config.breaker.as_mut().unwrap().successes_to_close = 2;
        config.cool_down.base = secs(1);
        config.cool_down.account_fault = secs(12);
        let mut stage = Stage::seeded(&config, &pool, geography(), seed);
        let mut oracle = Oracle {
            book: Book::new(&config, &pool),
            last: [None; MODELS],
            credits: vec![],
        };
        let (mut now, mut in_flight) = (at(0), vec![]);
        for (gap, event) in events {
            now += ms(gap);
            if !happen(now, event, &mut stage, &mut oracle, &mut in_flight)? {
                break;
            }
        }
    }
}
