//! Memory: nothing is allocated per request once warm, what is live does not grow with the number
//! of requests, and a week of incidents takes less than 32 MB.
//!
//! A binary of its own, because a global allocator is one for the whole binary, and one test in it,
//! because tests of one binary run side by side.

#![allow(unsafe_code, reason = "an allocator that counts has to be one")]

#[path = "../benches/support.rs"]
mod support;

use routelab::experiment::run::{RunOptions, run};
use routelab::experiment::scenario::{Overrides, load};
use routelab::record::Strategy;
use routelab::report::{self, Environment};
use routelab::request::{CacheKey, ClassIndex, RequestFeatures, RequestId, Usage};
use routelab::rng::Rng;
use routelab::routing::config::{CacheConfig, RoutingConfig, WhenNoneAvailable};
use routelab::routing::gateway::{Action, Gateway};
use routelab::routing::geography::Geography;
use routelab::routing::statistics::{Statistics, StatisticsConfig};
use routelab::time::{Duration, Timestamp};
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// The system's allocator, counted.
struct Counted;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicU64 = AtomicU64::new(0);
static PEAK: AtomicU64 = AtomicU64::new(0);

fn taken(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Relaxed);
    let live = LIVE.fetch_add(bytes as u64, Relaxed) + bytes as u64;
    PEAK.fetch_max(live, Relaxed);
}

fn given_back(bytes: usize) {
    LIVE.fetch_sub(bytes as u64, Relaxed);
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        given_back(layout.size());
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        taken(size);
        given_back(layout.size());
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static COUNTED: Counted = Counted;

/// Allocations of a run, and bytes live at its peak.
fn used(strategy: Strategy, requests: u64) -> (u64, u64) {
    let world = support::full(strategy, 10, requests);
    let (before, live) = (ALLOCATIONS.load(Relaxed), LIVE.load(Relaxed));
    PEAK.store(live, Relaxed);
    let simulated = world.run().simulated;
    assert!(simulated.abs_diff(requests) < requests / 10);
    (
        ALLOCATIONS.load(Relaxed) - before,
        PEAK.load(Relaxed) - live,
    )
}

/// Allocations of a gateway that answers so many requests, a third of them from its cache, and has
/// a line most of the time: drawn keys, 64 requests at a time, two accounts with 20 places each.
fn used_by_detours(requests: u64) -> u64 {
    let config = RoutingConfig {
        strategy: Strategy::LeastConnections,
        cache: Some(CacheConfig {
            max_entries: 1_000,
            max_output_tokens: Some(90_000),
            ttl: Duration::from_secs(5),
        }),
        when_none_available: WhenNoneAvailable::Wait,
        ..RoutingConfig::default()
    };
    let statistics = StatisticsConfig {
        since: Timestamp::ZERO,
        deadline: config.deadline,
        failure_latency: None,
        latency_objective: Duration::from_secs(1),
    };
    let statistics = Statistics::new(statistics, 0, 1);
    let (geography, policy) = (Geography::default(), Rng::from_state(1));
    let mut gateway = Gateway::new(&config, geography, statistics, policy);
    for mut account in support::accounts(2) {
        account.max_in_flight = 20;
        account.region = None;
        gateway.upsert(Timestamp::ZERO, account);
    }
    let (mut keys, mut now, mut live) = (Rng::from_state(2), Timestamp::ZERO, VecDeque::new());
    live.reserve(1_000);
    let before = ALLOCATIONS.load(Relaxed);
    for id in 0..requests {
        now += Duration::from_millis(1);
        let features = RequestFeatures {
            cache_key: Some(CacheKey::new(1 + u64::from(keys.below(3_000)))),
            ..RequestFeatures::default()
        };
        gateway.on_request(now, RequestId(id), ClassIndex(0), &features, &mut ());
        if gateway.in_flight() > 64 || id + 1 == requests {
            while let Some(attempt) = live.pop_front() {
                let usage = Usage {
                    output: 100,
                    ..Usage::default()
                };
                gateway.on_ended(now, attempt, None, usage, &mut ());
                while let Some(Action::Dispatch { attempt, .. }) = gateway.poll_action() {
                    live.push_back(attempt);
                }
            }
        }
        while let Some(Action::Dispatch { attempt, .. }) = gateway.poll_action() {
            live.push_back(attempt);
        }
    }
    let totals = gateway.statistics().totals();
    assert!(totals.cache_hits > requests / 10 && totals.coalesced > 0 && totals.waited > 0);
    ALLOCATIONS.load(Relaxed) - before
}

/// Most bytes live while the shipped scenario of a week of incidents is read, run and reported.
fn week_of_incidents(changes: &[&str], jobs: usize) -> u64 {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let live = LIVE.load(Relaxed);
    PEAK.store(live, Relaxed);
    let overrides = Overrides {
        set: changes.iter().map(|&change| change.to_owned()).collect(),
        ..Overrides::default()
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/correlated-incidents.toml");
    let scenario = load(&file, &overrides).unwrap_or_else(|found| panic!("{found}"));
    let options = RunOptions {
        jobs,
        stop: &AtomicBool::new(false),
        progress: &|_, _| {},
    };
    let results = run(&scenario.scenario, &options).expect("it runs");
    let environment = Environment {
        host: String::new(),
        os: String::new(),
        cpus: jobs,
        git_commit: None,
        started: String::new(),
        finished: String::new(),
        elapsed: Duration::ZERO,
    };
    report::write(&results, &environment, folder.path()).expect("it is written");
    PEAK.load(Relaxed) - live
}

/// The whole scenario as it is shipped, but for the number of replications, of which only the
/// metrics are kept. Then its calm days: three take no more than one, with as many windows of the
/// timeline, which are output. (Incidents are watched one by one, and what was seen of each is
/// kept.) Stacks and the program itself come on top.
fn a_week_of_incidents_stays_small() {
    const MOST: u64 = 32 << 20;
    let week = week_of_incidents(&["replications=2"], 2);
    println!("{week} bytes live at the peak of a week");
    assert!(week < MOST, "{week} bytes live at the peak of a week");
    let days = |duration: &str, window: &str| {
        let changes = [
            &format!("duration={duration}"),
            &format!("output.timeline_window={window}"),
            "workload.rate=5rps",
            "faults=[]",
            "replications=1",
            "strategies=[\"round_robin\", \"smart\"]",
            "claims=[]",
        ];
        week_of_incidents(&changes, 1)
    };
    let (one, three) = (days("1d", "1h"), days("3d", "3h"));
    println!("{one} bytes live at the peak of a day, {three} of three days");
    assert!(
        three < one + one / 20,
        "{one} bytes live at the peak of a day, {three} of three days"
    );
}

/// What still grows with the logarithm of the number of requests: the histograms' range, and the
/// most that was ever in flight.
const GROWTHS: u64 = 20;

#[test]
fn memory_stays_small() {
    for strategy in Strategy::ALL {
        let (few, _) = used(*strategy, 50_000);
        let (many, _) = used(*strategy, 100_000);
        assert!(
            many < few + GROWTHS,
            "{strategy}: {few} allocations for 50,000 requests, {many} for 100,000"
        );
    }
    let (few, many) = (used_by_detours(50_000), used_by_detours(100_000));
    assert!(
        many < few + GROWTHS,
        "{few} allocations for 50,000 requests with cache and line, {many} for 100,000"
    );
    let (_, few) = used(Strategy::Smart, 300_000);
    let (_, many) = used(Strategy::Smart, 3_000_000);
    assert!(
        many < few + few / 50,
        "{few} bytes live for 300,000 requests, {many} for 3,000,000"
    );
    a_week_of_incidents_stays_small();
}
