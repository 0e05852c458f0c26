//! How long requests hold the lock around the live core, and how long they wait for it.
//!
//! The proxy has one core behind one mutex; a request enters it when it arrives, at its first token
//! and at its end, and whatever is decided is decided there. Here threads do nothing else: each
//! keeps [`IN_FLIGHT`] requests under way and lets one arrive whenever another ends, without
//! pausing for the network, which is far more contention than a gateway can have. Times are split
//! into waiting (from asking for the lock until it is there) and holding (until it is given back);
//! the timer's own cost is stated, not subtracted. The mailboxes through which the proxy passes on
//! what was decided are not part of it.

mod support;

use hdrhistogram::Histogram;
use routelab::record::Strategy;
use routelab::request::{
    AttemptId, ClassIndex, ModelIndex, RequestFeatures, RequestId, RequestPriority, RequestType,
    Usage, UserPreferences,
};
use routelab::rng::Rng;
use routelab::routing::config::RoutingConfig;
use routelab::routing::drill::REGIONS;
use routelab::routing::gateway::{Action, Gateway, Observer};
use routelab::routing::geography::Geography;
use routelab::routing::statistics::{Statistics, StatisticsConfig};
use routelab::time::{Duration, Timestamp};
use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

const REQUESTS: u32 = 200_000;
const IN_FLIGHT: usize = 30;

/// Nobody who is told of ends.
struct Nobody;

impl Observer for Nobody {}

fn gateway(strategy: Strategy, accounts: usize) -> Gateway {
    let config = RoutingConfig {
        strategy,
        ..RoutingConfig::default()
    };
    let trips = [2, 80, 90, 80, 2, 90, 80, 90, 2].map(Duration::from_millis);
    let statistics = StatisticsConfig {
        since: Timestamp::ZERO,
        deadline: config.deadline,
        failure_latency: config.deadline,
        latency_objective: Duration::from_secs(10),
    };
    let mut gateway = Gateway::new(
        &config,
        Geography::new(&trips, REGIONS),
        Statistics::new(statistics, REGIONS, 1),
        Rng::from_state(1),
    );
    for account in support::accounts(accounts) {
        gateway.upsert(Timestamp::ZERO, account);
    }
    gateway
}

fn features() -> RequestFeatures {
    RequestFeatures {
        model: ModelIndex(0),
        estimated_tokens: 1_000,
        max_output_tokens: None,
        priority: RequestPriority::Normal,
        request_type: RequestType::Chat,
        streaming: true,
        user_region: None,
        preferences: UserPreferences::default(),
        cache_key: None,
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn instant() -> Instant {
    Instant::now()
}

fn nanos(from: Instant, to: Instant) -> u64 {
    to.duration_since(from).as_nanos() as u64
}

fn histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, 10_000_000_000, 3).expect("valid bounds")
}

/// Kinds of critical sections.
const SECTIONS: [&str; 2] = ["arrival", "end"];

/// Waiting and holding, for each kind of section.
struct Times([[Histogram<u32>; 2]; 2]);

impl Times {
    fn new() -> Self {
        Self([(); 2].map(|()| [(); 2].map(|()| histogram())))
    }

    fn add(&mut self, other: &Self) {
        for (own, others) in self.0.iter_mut().zip(&other.0) {
            for (own, other) in own.iter_mut().zip(others) {
                own.add(other).expect("histograms of one kind");
            }
        }
    }
}

/// The core, and when it began.
struct Core {
    gateway: Mutex<Gateway>,
    start: Instant,
}

impl Core {
    /// A critical section, measured.
    fn section<T>(
        &self,
        times: &mut [Histogram<u32>; 2],
        work: impl FnOnce(&mut Gateway, Timestamp) -> T,
    ) -> T {
        let asked = instant();
        let mut gateway: MutexGuard<Gateway> =
            self.gateway.lock().unwrap_or_else(PoisonError::into_inner);
        let entered = instant();
        let now = Timestamp::from_nanos(nanos(self.start, entered));
        let result = work(&mut gateway, now);
        drop(gateway);
        let left = instant();
        times[0].saturating_record(nanos(asked, entered));
        times[1].saturating_record(nanos(entered, left));
        result
    }

    /// A thread's requests: they arrive, and end when so many others are under way.
    fn drive(&self, requests: u32, first: u64) -> Times {
        let (mut times, features) = (Times::new(), features());
        let mut in_flight: VecDeque<AttemptId> = VecDeque::new();
        for nth in 0..u64::from(requests) {
            let id = RequestId(first + nth);
            let begun = self.section(&mut times.0[0], |gateway, now| {
                gateway.on_request(now, id, ClassIndex(0), &features, &mut Nobody);
                dispatched(gateway)
            });
            in_flight.extend(begun);
            if in_flight.len() > IN_FLIGHT
                && let Some(attempt) = in_flight.pop_front()
            {
                self.section(&mut times.0[1], |gateway, now| {
                    let usage = Usage::default();
                    gateway.on_ended(now, attempt, None, usage, &mut Nobody);
                    black_box(dispatched(gateway))
                });
            }
        }
        times
    }
}

/// The attempt that is to be made, if one is.
fn dispatched(gateway: &mut Gateway) -> Option<AttemptId> {
    let mut found = None;
    while let Some(action) = gateway.poll_action() {
        if let Action::Dispatch { attempt, .. } = action {
            found = Some(attempt);
        }
    }
    found
}

fn main() {
    let mut empty = histogram();
    for _ in 0..REQUESTS {
        let start = instant();
        empty.saturating_record(nanos(start, instant()));
    }
    let at = |histogram: &Histogram<u32>, q| histogram.value_at_quantile(q);
    println!(
        "The lock around the live core, ns; reading the timer takes {}",
        at(&empty, 0.5)
    );
    println!(
        "strategy       accounts  threads  section    wait P50      P99    P99.9  hold P50      \
         P99    P99.9"
    );
    for (strategy, accounts) in [
        (Strategy::Smart, 10),
        (Strategy::Smart, 1_000),
        (Strategy::RoundRobin, 10),
    ] {
        for threads in [1, 2, 4, 8] {
            let core = Core {
                gateway: Mutex::new(gateway(strategy, accounts)),
                start: instant(),
            };
            let all = Mutex::new(Times::new());
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    let (core, all) = (&core, &all);
                    scope.spawn(move || {
                        let times = core.drive(REQUESTS / threads, u64::from(thread) << 32);
                        all.lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .add(&times);
                    });
                }
            });
            let all = all.into_inner().unwrap_or_else(PoisonError::into_inner);
            for (name, [wait, hold]) in SECTIONS.iter().zip(&all.0) {
                print!(
                    "{:<15}{accounts:>8}{threads:>9}  {name:<9}",
                    strategy.name()
                );
                for histogram in [wait, hold] {
                    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| at(histogram, q));
                    print!("{p50:>10}{p99:>9}{p999:>9}");
                }
                println!();
            }
        }
    }
}
