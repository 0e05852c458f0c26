//! What every strategy does in two worlds, pinned: work on speed must not change a single count.
//!
//! One number for each (strategy, pool): a hash over every count that a run yields. It changes only
//! when semantics change, and then says so; put the printed value in its place with the change that
//! meant it.

#[path = "../../benches/support.rs"]
mod support;

use routelab::distribution::Distribution;
use routelab::histogram::Histogram;
use routelab::record::Strategy;
use routelab::request::{AccountIndex, FailureKind, Provider, RequestPriority};
use routelab::routing::statistics::Dimension;
use routelab::sim::Run;
use routelab::time::{Duration, Timestamp};
use routelab::upstream::config::{
    AccountBehaviour, CalmFailure, Capacity, Fault, FaultKind, Quota, Trouble,
};
use support::World;

/// FNV-1a over words.
struct Hash(u64);

impl Hash {
    fn word(&mut self, word: u64) {
        for byte in word.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn words<const N: usize>(&mut self, words: [u64; N]) {
        words.iter().for_each(|word| self.word(*word));
    }

    fn histogram(&mut self, histogram: &Histogram) {
        self.word(histogram.count());
        for (highest, count) in histogram.buckets() {
            self.word(highest.as_nanos());
            self.word(count);
        }
    }
}

fn hash(run: &Run) -> u64 {
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    let (totals, latency) = (run.statistics.totals(), run.statistics.latency());
    let counts = [
        run.simulated,
        run.end.as_nanos(),
        totals.requests,
        totals.successes,
        totals.within_objective,
        totals.failures,
        totals.rejections,
        totals.attempts,
        totals.budget_exhausted,
        totals.cost.0,
        totals.wasted.0,
    ];
    hash.words(counts);
    let times = [&latency.ok, &latency.all, &latency.first_token_ok];
    for times in times.into_iter().chain([&latency.first_token_all]) {
        hash.histogram(&times.histogram);
        hash.word(times.sum_nanos as u64);
    }
    for account in run.statistics.accounts() {
        let (tokens, cost) = (account.input_tokens ^ account.output_tokens, account.cost.0);
        hash.words([account.attempts, account.successes, tokens, cost]);
        hash.words(account.failures);
        hash.histogram(&account.latency);
    }
    let calibration = run.statistics.calibration();
    hash.word(calibration.brier_score().map_or(0, f64::to_bits));
    hash.word(calibration.calibration_error().map_or(0, f64::to_bits));
    segments(&mut hash, run);
    course(&mut hash, run);
    hash.0
}

fn segments(hash: &mut Hash, run: &Run) {
    use Dimension as D;
    for dimension in [D::Priority, D::Region, D::Model, D::Provider, D::Strategy] {
        for (value, segment) in run.statistics.by(dimension) {
            hash.words([value as u64, segment.requests, segment.successes]);
            hash.word(segment.cost.0);
            hash.histogram(&segment.latency_all);
        }
    }
}

fn course(hash: &mut Hash, run: &Run) {
    for window in &run.timeline.windows {
        hash.words([
            window.requests,
            window.successes,
            window.within_objective,
            window.rejections,
            window.attempts,
            window.cost.0,
        ]);
        hash.histogram(&window.latency_all);
    }
    let by_lane = run
        .timeline
        .dispatches
        .iter()
        .chain(&run.timeline.open_nanos);
    by_lane.for_each(|count| hash.word(*count));
    for breaker in &run.breakers {
        hash.word(breaker.openings);
        hash.word(breaker.open.as_nanos());
    }
    for span in &run.breaker_spans {
        let (account, half_open) = (span.account as u64, u64::from(span.half_open));
        hash.words([
            account,
            half_open,
            span.start.as_nanos(),
            span.end.as_nanos(),
        ]);
    }
    for (cooling, faults) in &run.cool_downs {
        hash.word(cooling.as_nanos());
        hash.word(*faults);
    }
}

/// Everything that can go wrong does: slots, quotas, hangs, rate limits, account faults, outages,
/// timeouts, back-offs, preferences that nobody meets.
fn storm(strategy: Strategy, accounts: usize, requests: u64) -> World {
    let mut world = support::full(strategy, accounts, requests);
    let failure = |trouble, rate| CalmFailure {
        trouble,
        rate,
        time_to_fail: Distribution::exponential(0.3).unwrap(),
    };
    let fails = |kind, rate| failure(Trouble::Fails(kind), rate);
    for (index, behaviour) in world.upstream.accounts.iter_mut().enumerate() {
        *behaviour = troubled(behaviour, index);
        behaviour.failures = vec![
            fails(
                FailureKind::Overloaded,
                0.02 + 0.3 * f64::from(u8::from(index % 4 == 1)),
            ),
            fails(FailureKind::RateLimited, 0.01),
            fails(FailureKind::BrokenStream, 0.02),
            fails(FailureKind::Unauthorized, 0.001),
            fails(FailureKind::BadRequest, 0.005),
            failure(Trouble::Hangs, 0.01),
        ];
    }
    world.upstream.quotas = vec![Quota {
        requests_per_minute: Some(40 * accounts as u64),
        input_tokens_per_minute: Some(40_000 * accounts as u64),
        output_tokens_per_minute: Some(8_000 * accounts as u64),
        retry_after: true,
    }];
    let third = world.duration.as_nanos() / 3;
    world.upstream.faults = vec![Fault {
        kind: FaultKind::Outage {
            failure: FailureKind::Unavailable,
            time_to_fail: Distribution::constant(0.05).unwrap(),
        },
        accounts: (0..accounts as u32 / 2).map(AccountIndex).collect(),
        model: None,
        start: Timestamp::from_nanos(third),
        end: Timestamp::from_nanos(2 * third),
        ramp: Duration::ZERO,
    }];
    ask_for_much(&mut world);
    world
}

fn troubled(behaviour: &AccountBehaviour, index: usize) -> AccountBehaviour {
    AccountBehaviour {
        capacity: if index.is_multiple_of(3) {
            Capacity::Slots {
                servers: 3,
                queue: 2,
                refusal: FailureKind::Unavailable,
            }
        } else {
            Capacity::Unlimited
        },
        quota: index.is_multiple_of(2).then_some(0),
        ..behaviour.clone()
    }
}

fn ask_for_much(world: &mut World) {
    let class = world.workload.classes[0].clone();
    for priority in RequestPriority::ALL {
        let mut class = class.clone();
        class.priority = *priority;
        class.cached_input_share = 0.25;
        class.preferences.provider = (priority.at() == 1).then_some(Provider::Google);
        class.preferences.latency_tolerance = (priority.at() < 3).then(|| Duration::from_secs(2));
        class.preferences.cost_sensitivity = (priority.at() == 2).then_some(0.8);
        class.max_output_tokens = (priority.at() == 3).then_some(100);
        world.workload.classes.push(class);
    }
    for (index, account) in world.accounts.iter_mut().enumerate() {
        account.max_in_flight = 5;
        account.limits.requests_per_minute = index.is_multiple_of(5).then_some(60);
    }
    let routing = &mut world.routing;
    routing.attempt_timeout = Some(Duration::from_secs(8));
    routing.first_token_timeout = Some(Duration::from_secs(2));
    routing.idle_timeout = Some(Duration::from_secs(5));
}

fn assert_pinned(world: impl Fn(Strategy, usize) -> World, pinned: &[[u64; 2]]) {
    let found: Vec<[u64; 2]> = Strategy::ALL
        .iter()
        .map(|strategy| [10, 1_000].map(|accounts| hash(&world(*strategy, accounts).run())))
        .collect();
    let rows = found
        .iter()
        .map(|[a, b]| format!("    [{a:#018x}, {b:#018x}],\n"));
    assert_eq!(found, pinned, "found:\n{}", rows.collect::<String>());
}

#[test]
fn calm() {
    assert_pinned(
        |strategy, accounts| support::full(strategy, accounts, 20_000),
        &CALM,
    );
}

#[test]
fn stormy() {
    assert_pinned(
        |strategy, accounts| storm(strategy, accounts, 20_000),
        &STORMY,
    );
}

#[test]
fn bare() {
    let found = hash(&support::bare_customer(20_000).run());
    assert_eq!(found, BARE, "found: {found:#018x}");
}

const BARE: u64 = 0x89e0_3088_53ce_157a;
const CALM: [[u64; 2]; 9] = [
    [0xedd073f1548b3350, 0xdc761c379cb8b1a6],
    [0x158c2afb75803c41, 0x6339c1ba16440567],
    [0x6079dc764946b265, 0x2e4ddab0972972a7],
    [0x10150468bfa6b8a6, 0x9172c05e0e95329d],
    [0x3c9f818171f34cc2, 0xaef7c39923d2e425],
    [0xdeddd1324fa02cac, 0x6cf19669924d1f65],
    [0x30823221320a1ac2, 0x90189c004cf23b73],
    [0x54ae9a5992b8053d, 0xbbd39fb40bbd7ce1],
    [0x4ba2edb0a43da462, 0x127efcfcf068b95a],
];
const STORMY: [[u64; 2]; 9] = [
    [0x6b7157e02b0d0137, 0x9363f340f16422d9],
    [0x900acb15cea72bb1, 0x48b00fbbcb3a68e1],
    [0xf62ab2d6239f84ff, 0x51e1354d830a9286],
    [0xab721834d92f9784, 0x702e17c4f5c7bb03],
    [0xd5c51bd9e434b2ec, 0x8f5ee1e31fb7889b],
    [0xb3f4d4bc4f466143, 0xfb1c81ba811894cf],
    [0xef2e2506e93596de, 0x951dc8f12ad7d7ec],
    [0xbc341f04ed83020b, 0x9693104a68496026],
    [0x839da6f4759c1a82, 0x0aadcfcb47592fd8],
];
