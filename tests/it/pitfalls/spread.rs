//! Who is chosen at all: bursts, old metrics, recovered accounts, starvation, empty scores.

use super::{arm, results, share, share_between};
use crate::stage::{PLAIN, Stage, accounts, at, features, once, secs};
use routelab::experiment::metric::Metric;
use routelab::record::Strategy;
use routelab::request::{ModelIndex, RegionIndex, RequestFeatures};
use routelab::routing::geography::Geography;

/// 4: a burst is routed on one stale snapshot, and all of it goes to the account that was the least
/// loaded in it.
///
/// One of five equal accounts is idle, the others have one attempt each; then a hundred requests
/// arrive at one instant. Strategies that look at load fill the gap and spread the rest evenly. The
/// faulty version asks a copy of the balancer as it was before the burst, a hundred times.
#[test]
fn p04_a_burst_is_spread_though_nothing_has_been_answered() {
    use Strategy::{Adaptive, Geographic, HealthBased, LeastConnections};
    for strategy in [LeastConnections, HealthBased, Adaptive, Geographic] {
        let mut stage = Stage::new(&once(strategy), &accounts(5));
        stage.measure(at(0), &[secs(1); 5]);
        let sent = stage.burst(5, at(2_000), &features());
        let idle = sent[0].account;
        stage.succeed(at(3_000), sent[0]);
        let before = stage.gateway.balancer().clone();
        for _ in 0..100 {
            let pick = before.clone().pick(at(3_000), strategy, &features());
            assert_eq!(pick.unwrap().at(), idle, "{strategy}: the stale snapshot");
        }
        stage.burst(100, at(3_000), &features());
        let loads = [0, 1, 2, 3, 4].map(|account| stage.in_flight(account));
        assert!(
            loads.iter().all(|n| (20..=21).contains(n)),
            "{strategy}: {loads:?}"
        );
    }
}

/// 4: strategies that do not look at load spread a burst by order, exactly.
#[test]
fn p04_order_spreads_a_burst_exactly() {
    for strategy in [Strategy::RoundRobin, Strategy::WeightedRoundRobin] {
        let mut stage = Stage::new(&once(strategy), &accounts(5));
        stage.burst(100, at(0), &features());
        let loads = [0, 1, 2, 3, 4].map(|account| stage.in_flight(account));
        assert_eq!(loads, [20; 5], "{strategy}");
    }
}

/// Accounts whose last sign of life is at most a minute old, or all the others count as saturated.
fn taken_by_the_naive(ages_s: &[u64]) -> usize {
    ages_s.iter().filter(|age| **age <= 60).count()
}

/// 5: stale metrics are read as "saturated", and a small pool blacks out.
///
/// Both accounts of a small pool were full, answered late, and have then been idle for ten minutes.
/// Load is counted, not scraped: at the first request both are free, under every strategy, and take
/// all that their limits allow. A version that distrusts old figures finds nobody.
#[test]
fn p05_an_idle_account_is_not_saturated() {
    for strategy in PLAIN {
        let mut stage = Stage::new(&once(strategy), &accounts(2));
        let sent = stage.burst(200, at(0), &features());
        assert_eq!(stage.request(at(0), &features()).sent(), None, "full");
        for sent in sent {
            stage.succeed(at(20_000), sent);
        }
        let later = at(620_000);
        stage.burst(200, later, &features());
        assert_eq!([0, 1].map(|a| stage.in_flight(a)), [100; 2], "{strategy}");
        assert_eq!(taken_by_the_naive(&[600, 600]), 0);
    }
}

/// 5: nor is an account avoided for ever because of a figure that is old.
///
/// One account was slow once and gets nothing since, so nothing corrects its figure. After
/// `forget_after` it is tried again; with a figure that is never forgotten it is not.
#[test]
fn p05_an_old_figure_is_forgotten() {
    let tried_again = |forget_s: u64| {
        let mut config = once(Strategy::FastestResponse);
        config.metrics.forget_after = secs(forget_s);
        let mut stage = Stage::new(&config, &accounts(2));
        stage.measure(at(0), &[secs(1), secs(9)]);
        (10..130).any(|s| stage.serve(at(s * 1_000), secs(0)) == 1)
    };
    assert!(tried_again(60));
    assert!(!tried_again(1_000_000), "the fault shows");
}

/// 27: a recovered account draws all traffic, which then flips back and forth.
///
/// One of three accounts is out for a minute and comes back. Its share returns to a third, once,
/// and stays there in every later window of 20 s; its breaker does not open again. `unsteady` is
/// what a ranking by nothing but the latest answers does, with memory of half a second: all goes to
/// one account, then to another.
#[test]
fn p27_traffic_returns_once_and_stays() {
    let results = results(
        r#"
        duration = "8min"
        strategies = [
            "round_robin", "weighted_round_robin", "least_connections", "health_based", "adaptive",
            "random", "smart",
            { name = "unsteady", strategy = "fastest_response",
              metrics = { latency_tau = "500ms" } },
        ]
        workload = { arrivals = "poisson", rate = "20rps", classes = ALL }
        output = { timeline_window = "10s" }
        faults = [{ kind = "outage", accounts = "a1", start = "1min", duration = "1min" }]
        [[accounts]]
        id = "a{n}"
        count = 3
        provider = "anthropic"
        models = ["m"]
        service = { total = { kind = "lognormal", median = "2s", sigma = 0.3 } }
        max_in_flight = 40
        "#,
    );
    let shares = |name: &str| -> Vec<f64> {
        let arm = arm(&results, name);
        let windows = (0..13).map(|i| 210 + 20 * i);
        windows
            .map(|from| share_between(arm, 0, from, from + 20))
            .collect()
    };
    for arm in &results.strategies {
        let shares = shares(&arm.name);
        if arm.name == "unsteady" {
            let out = |share: &&f64| !(0.2..0.47).contains(*share);
            assert!(shares.iter().filter(out).count() > 5, "{shares:?}");
            continue;
        }
        assert!(arm.accounts[0].breaker_openings <= 3, "{}", arm.name);
        let steady = shares.iter().all(|share| (0.2..0.47).contains(share));
        assert!(steady, "{}: {shares:?}", arm.name);
    }
}

/// 29: "most recently used first" starves the rest.
///
/// Eight equal accounts, at a load that one of them could carry. Whatever the strategy, nobody is
/// starved. By Jain's index those that do not score are fair to 99 %, those that score, in which a
/// few lucky answers count, to 95 %. `fastest_response` prefers by what it has measured, which is
/// its purpose, to 50 %. What most recently used first would do needs no
/// simulation: the account used last always has room, so it gets everything, an index of 1/8.
#[test]
fn p29_nobody_is_starved() {
    let results = results(
        r#"
        duration = "20min"
        strategies = [
            "round_robin", "weighted_round_robin", "least_connections", "fastest_response",
            "health_based", "adaptive", "geographic", "random", "smart",
        ]
        workload = { arrivals = "poisson", rate = "10rps", classes = ALL }
        [[accounts]]
        id = "a{n}"
        count = 8
        provider = "anthropic"
        models = ["m"]
        service = { total = { kind = "lognormal", median = "1s", sigma = 0.3 } }
        "#,
    );
    for arm in &results.strategies {
        let metrics = &arm.replications[0].metrics;
        let jain = metrics[Metric::FairnessJain];
        let least = match arm.name.as_str() {
            "fastest_response" => 0.5,
            "health_based" | "adaptive" | "smart" => 0.95,
            _ => 0.99,
        };
        assert!(jain > least, "{}: {jain}", arm.name);
        assert_eq!(metrics[Metric::StarvedAccounts], 0.0, "{}", arm.name);
    }
}

/// 30: the next tier is used only when all of a tier are out.
///
/// Regions are the tiers that there are. The near one has two accounts for ten attempts each; when
/// one of them is out, the other takes no more than its own limit and the far region has the rest,
/// so that nobody is refused. A version that stays until all of a tier are out would refuse 20.
#[test]
fn p30_a_tier_overflows_before_all_of_it_is_out() {
    let mut pool = accounts(3);
    for (account, (region, limit)) in pool.iter_mut().zip([(0, 10), (0, 10), (1, 100)]) {
        account.region = Some(RegionIndex(region));
        account.max_in_flight = limit;
    }
    let geography = Geography::new(&[1, 80, 80, 1].map(crate::stage::ms), 2);
    let near = RequestFeatures {
        user_region: Some(RegionIndex(0)),
        ..features()
    };
    let mut stage = Stage::seeded(&once(Strategy::Geographic), &pool, geography, 1);
    let loads = |stage: &Stage| [0, 1, 2].map(|account| stage.in_flight(account));
    let sent = stage.burst(30, at(0), &near);
    let [one, two, far] = loads(&stage);
    assert!(one + two >= 18 && far >= 10, "{one} {two} {far}");
    for sent in sent {
        let failure =
            (sent.account == 0).then(|| routelab::request::FailureKind::Overloaded.into());
        stage.end(at(1_000), sent, failure);
    }
    stage.burst(30, at(2_000), &near);
    let [out, left, far] = loads(&stage);
    assert_eq!((out, left + far), (0, 30), "nobody is refused");
    assert!((8..=10).contains(&left), "{left}");
}

/// 33: a "smart" score without what users feel: no latency in it.
///
/// One of two accounts takes eight times as long. Whatever scores, gives it clearly less than half;
/// with the weight of the answer time moved to the success rate it gets half of everything.
#[test]
fn p33_scores_know_the_latency() {
    let results = results(
        r#"
        duration = "5min"
        strategies = [
            "health_based", "adaptive", "smart",
            { name = "blind-health", strategy = "health_based",
              health = { success = 0.9, response = 0, connections = 0, stability = 0.1 } },
            { name = "blind-adaptive", strategy = "adaptive",
              health = { success = 0.9, response = 0, connections = 0, stability = 0.1 },
              adaptive = { success = 0.6, response = 0, load = 0 } },
        ]
        workload = { arrivals = "poisson", rate = "10rps", classes = ALL }
        accounts = [
            { id = "quick", provider = "google", models = ["m"], service = { total = "1s" } },
            { id = "slow", provider = "google", models = ["m"], service = { total = "8s" } },
        ]
        "#,
    );
    for arm in &results.strategies {
        let slow = share(arm, 1);
        let blind = arm.name.starts_with("blind");
        assert!(slow < 0.3 || blind, "{}: {slow}", arm.name);
        assert!((slow - 0.5).abs() < 0.05 || !blind, "{}: {slow}", arm.name);
    }
}

/// 33: nor without the cost: who says that money matters does not get the dear account, and who
/// does not say so gets either.
#[test]
fn p33_the_router_knows_the_cost() {
    let mut pool = accounts(2);
    pool[1].models = vec![crate::stage::served(0, 4.0)];
    let dear = |cost_sensitivity: Option<f64>| {
        let mut stage = Stage::new(&once(Strategy::Smart), &pool);
        let mut features = features();
        features.model = ModelIndex(0);
        features.preferences.cost_sensitivity = cost_sensitivity;
        let sent = (0..100).map(|i| {
            let sent = stage.send(at(i * 10_000), &features);
            stage.succeed(at(i * 10_000 + 1_000), sent);
            sent
        });
        sent.filter(|sent| sent.account == 1).count()
    };
    assert_eq!(dear(Some(1.0)), 0);
    assert!((35..=65).contains(&dear(None)), "{}", dear(None));
}
