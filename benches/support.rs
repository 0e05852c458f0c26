//! Worlds for the benchmarks, made without scenario files so that only the code under test counts.

#![allow(dead_code, reason = "each benchmark or test uses a part of it")]

use routelab::distribution::Distribution;
use routelab::record::Strategy;
use routelab::request::{
    FailureKind, ModelIndex, RegionIndex, RequestPriority, RequestType, UserPreferences,
};
use routelab::rng::Rng;
use routelab::routing::account::Account;
use routelab::routing::config::RoutingConfig;
use routelab::routing::drill::REGIONS;
use routelab::sim::{Lanes, Run, Setup, run};
use routelab::time::{Duration, Timestamp};
use routelab::units::Rate;
use routelab::upstream::config::{
    Abandoned, AccountBehaviour, CalmFailure, Capacity, RoundTrips, Service, Speeds, Trouble,
    UpstreamConfig,
};
use routelab::workload::config::{Arrivals, RequestClass, WorkloadConfig};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::atomic::AtomicBool;

pub use routelab::routing::drill::accounts;

/// The pool sizes of the targets.
pub const POOLS: [usize; 4] = [10, 100, 1_000, 10_000];

/// Everything that one replication needs.
pub struct World {
    pub accounts: Vec<Account>,
    pub workload: WorkloadConfig,
    pub upstream: UpstreamConfig,
    pub routing: RoutingConfig,
    pub duration: Duration,
    lanes: Vec<usize>,
}

/// One class of requests.
pub fn class() -> RequestClass {
    RequestClass {
        name: "chat".into(),
        weight: 1.0,
        model: ModelIndex(0),
        input_tokens: Distribution::lognormal(1_020.0, 0.9).expect("valid"),
        output_tokens: Distribution::lognormal(129.0, 0.8).expect("valid"),
        cached_input_share: 0.0,
        max_output_tokens: None,
        priority: RequestPriority::Normal,
        request_type: RequestType::Chat,
        streaming_share: 0.5,
        regions: (0..REGIONS as u16)
            .map(|region| (RegionIndex(region), 1.0))
            .collect(),
        preferences: UserPreferences::default(),
        repeats: None,
    }
}

fn round_trips() -> RoundTrips {
    let cell = |at| {
        Duration::from_millis(if at % (REGIONS + 1) == 0 {
            2
        } else {
            80 + at as u64
        })
    };
    RoundTrips {
        matrix: (0..REGIONS * REGIONS).map(cell).collect(),
        regions: REGIONS,
        gateway: None,
        links: vec![],
    }
}

/// M/M/1 at 80 % load, events in a heap, times in nanoseconds; returns the sum of response times.
pub fn bare_loop(customers: u64) -> u64 {
    let mut rng = Rng::from_state(1);
    let exponential = |rng: &mut Rng, mean: f64| {
        let x: f64 = rand_distr::Distribution::sample(&rand_distr::Exp1, rng);
        (x * mean) as u64
    };
    let (mut events, mut queue) = (BinaryHeap::new(), VecDeque::new());
    let (mut next, mut left, mut sum) = (exponential(&mut rng, 1.25e9), customers, 0u64);
    loop {
        let departure = events.peek().map(|Reverse((at, _))| *at);
        if left > 0 && departure.is_none_or(|at| next < at) {
            queue.push_back(next);
            if queue.len() == 1 {
                events.push(Reverse((next + exponential(&mut rng, 1e9), left)));
            }
            left -= 1;
            next += exponential(&mut rng, 1.25e9);
        } else if let Some(Reverse((now, _))) = events.pop() {
            sum += now - queue.pop_front().unwrap_or(now);
            if !queue.is_empty() {
                events.push(Reverse((now + exponential(&mut rng, 1e9), left)));
            }
        } else {
            return sum;
        }
    }
}

/// A full request: token draws, streaming, failures, retries, breaker, cost, histograms; about
/// three requests in flight at each account.
pub fn full(strategy: Strategy, count: usize, requests: u64) -> World {
    let failure = |kind, rate| CalmFailure {
        trouble: Trouble::Fails(kind),
        rate,
        time_to_fail: Distribution::lognormal(0.2, 0.5).expect("valid"),
    };
    let behaviour = AccountBehaviour {
        region: None,
        service_of_model: vec![Some(0)],
        capacity: Capacity::Unlimited,
        abandoned: Abandoned::Frees,
        quota: None,
        failures: vec![
            failure(FailureKind::InternalError, 0.005),
            failure(FailureKind::Overloaded, 0.005),
        ],
    };
    let service = Service::Tokens {
        first_token: Distribution::lognormal(0.415, 0.2).expect("valid"),
        first_token_per_1k_input: Duration::from_micros(12_800),
        per_output_token: Distribution::lognormal(0.012, 0.1).expect("valid"),
    };
    let behaviours = (0..count).map(|index| AccountBehaviour {
        region: Some(RegionIndex((index % REGIONS) as u16)),
        ..behaviour.clone()
    });
    world(
        strategy,
        accounts(count),
        behaviours.collect(),
        service,
        class(),
        requests,
        1.2,
    )
}

/// The full request at accounts that share: batches of up to 32, or four servers each, both a
/// little above half of what they can do.
pub fn sharing(speeds: Speeds, limit: u32, requests: u64) -> World {
    let mut world = full(Strategy::Adaptive, 10, requests);
    for account in &mut world.upstream.accounts {
        account.capacity = Capacity::Shared {
            speeds: speeds.clone(),
            limit,
            queue: u32::MAX,
            refusal: FailureKind::Overloaded,
        };
    }
    world
}

/// Batching: an iteration of 32 takes about twice as long as one of a single request.
pub fn batching(requests: u64) -> World {
    let [base, per_request] = [8_000, 250].map(Duration::from_micros);
    sharing(Speeds::iteration(base, per_request, 32), 32, requests)
}

/// Processor sharing: about 2.4 s of work arrive per second and account, for four servers.
pub fn processor_sharing(requests: u64) -> World {
    sharing(Speeds::servers(4), u32::MAX, requests)
}

/// A customer of a single server (M/M/1 at 80 % load): nothing but an arrival, a choice of one, and
/// a departure.
pub fn bare_customer(requests: u64) -> World {
    let mut class = class();
    class.input_tokens = Distribution::constant(1.0).expect("valid");
    class.output_tokens = Distribution::constant(1.0).expect("valid");
    class.streaming_share = 0.0;
    class.regions = vec![];
    let behaviour = AccountBehaviour {
        region: None,
        service_of_model: vec![Some(0)],
        capacity: Capacity::Slots {
            servers: 1,
            queue: u32::MAX,
            refusal: FailureKind::Unavailable,
        },
        abandoned: Abandoned::Frees,
        quota: None,
        failures: vec![],
    };
    let mut accounts = accounts(1);
    accounts[0].max_in_flight = u32::MAX;
    let service = Service::Total(Distribution::exponential(1.0).expect("valid"));
    let mut world = world(
        Strategy::RoundRobin,
        accounts,
        vec![behaviour],
        service,
        class,
        requests,
        0.8,
    );
    world.routing.breaker = None;
    world.routing.deadline = None;
    world.routing.retry.max_attempts = 1;
    world
}

fn world(
    strategy: Strategy,
    accounts: Vec<Account>,
    behaviours: Vec<AccountBehaviour>,
    service: Service,
    class: RequestClass,
    requests: u64,
    rate_per_account: f64,
) -> World {
    let rate = rate_per_account * accounts.len() as f64;
    let duration = Duration::from_secs_f64(requests as f64 / rate);
    World {
        workload: WorkloadConfig {
            arrivals: Arrivals::Poisson {
                rate: Rate::per_second(rate).expect("valid"),
            },
            classes: vec![class],
            end: Timestamp::ZERO + duration,
        },
        upstream: UpstreamConfig {
            accounts: behaviours,
            services: vec![service],
            quotas: vec![],
            network: round_trips(),
            faults: vec![],
            incidents: vec![],
        },
        routing: RoutingConfig {
            strategy,
            ..RoutingConfig::default()
        },
        lanes: accounts
            .iter()
            .enumerate()
            .map(|(index, _)| index % 10)
            .collect(),
        duration,
        accounts,
    }
}

impl World {
    /// Runs one replication.
    pub fn run(&self) -> Run {
        let setup = Setup {
            accounts: &self.accounts,
            models: 1,
            workload: &self.workload,
            upstream: &self.upstream,
            routing: &self.routing,
            seed: 1,
            policy_seed: 1,
            replication: 0,
            warmup: Duration::ZERO,
            duration: self.duration,
            failure_latency: self.routing.deadline,
            latency_objective: Duration::from_secs(10),
            timeline_window: Duration::from_nanos(self.duration.as_nanos() / 600 + 1),
            lanes: Lanes {
                of_account: &self.lanes,
                count: 10,
            },
            faults: &[],
        };
        run(&setup, &AtomicBool::new(false), &mut |_| {}).expect("no invariant is broken")
    }
}
