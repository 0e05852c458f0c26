//! Estimates of latency: frozen, too trusted, missing, flattered, normalised.

use super::{arm, failed_attempts, results, share, share_between};
use crate::stage::{PLAIN, Stage, USAGE, account, accounts, at, features, once, secs, streaming};
use routelab::record::Strategy;
use routelab::request::{FailureKind, Usage};

/// 1: the latency window freezes at its oldest samples.
///
/// The fast account becomes twenty times slower for two minutes. A window that keeps the oldest
/// nine samples would go on calling it the fastest and leave all traffic there; here it loses
/// nearly all of it within ten seconds, and gets it back once the old figure has been forgotten.
#[test]
fn p01_the_latest_samples_count() {
    let results = results(
        r#"
        duration = "6min"
        strategies = ["fastest_response"]
        workload = { arrivals = "constant", rate = "5rps", classes = ALL }
        accounts = [
            { id = "fast", provider = "anthropic", models = ["m"], service = { total = "200ms" } },
            { id = "other", provider = "google", models = ["m"], service = { total = "500ms" } },
        ]
        faults = [
            { kind = "brownout", accounts = "fast", factor = 20,
              start = "2min", duration = "2min" },
        ]
        output = { timeline_window = "10s" }
        "#,
    );
    let arm = arm(&results, "fastest_response");
    assert!(share_between(arm, 0, 60, 120) > 0.95, "fast, and used");
    let during = share_between(arm, 0, 130, 240);
    assert!(during < 0.05, "slow, and still given {during}");
    let after = share_between(arm, 0, 310, 360);
    assert!(after > 0.95, "fast again, and given only {after}");
}

/// 2: the fastest wins everything until completions arrive.
///
/// A burst with no answer in between. Where load counts, it spreads by the arithmetic of the score:
/// answers of 1 s and 2 s differ by 0.3 (5/6 - 5/7) = 0.0357 in health, as much as 17.9 attempts in
/// flight at 0.2 / 100 each. `fastest_response` is what its name says, but only up to the account's
/// limit. A version that ranks by completed answers alone sends all 100 to the first account.
#[test]
fn p02_a_burst_does_not_flood_the_fastest() {
    let took = [secs(1), secs(2), secs(2)];
    let burst = |strategy, limit: u32| {
        let mut pool = accounts(3);
        pool.iter_mut().for_each(|a| a.max_in_flight = limit);
        let mut stage = Stage::new(&once(strategy), &pool);
        stage.measure(at(0), &took);
        stage.burst(100, at(3_000), &features());
        [0, 1, 2].map(|account| stage.in_flight(account))
    };
    let [fast, b, c] = burst(Strategy::HealthBased, 100);
    assert!(
        b.abs_diff(c) <= 1 && (17..=19).contains(&(fast - b.min(c))),
        "{fast} {b} {c}"
    );
    let even = burst(Strategy::LeastConnections, 100);
    assert!(even.iter().all(|n| n.abs_diff(33) <= 1), "{even:?}");
    let adaptive = burst(Strategy::Adaptive, 100);
    assert!(
        adaptive.iter().all(|n| (20..60).contains(n)),
        "{adaptive:?}"
    );
    let flood = burst(Strategy::FastestResponse, 100);
    assert_eq!(
        flood,
        [100, 0, 0],
        "what the strategy promises, and the others avoid"
    );
    let [fast, b, c] = burst(Strategy::FastestResponse, 40);
    assert_eq!((fast, b + c), (40, 60), "at most the limit");
}

/// 2, seen by users: what the flood costs where an account has few slots.
#[test]
fn p02_load_counts_where_slots_are_few() {
    let results = results(
        r#"
        duration = "5min"
        strategies = ["fastest_response", "adaptive"]
        workload = { arrivals = "poisson", rate = "8rps", classes = ALL }
        output = { requests = true }
        [[accounts]]
        id = "a{n}"
        count = 4
        provider = "anthropic"
        models = ["m"]
        service = { total = { kind = "exponential", mean = "1s" } }
        capacity = { slots = 4 }
        max_in_flight = 20
        "#,
    );
    let p90 = |name| arm(&results, name).latency.all.quantile(0.9).unwrap();
    let (fastest, adaptive) = (p90("fastest_response"), p90("adaptive"));
    assert!(adaptive < fastest, "{adaptive} {fastest}");
}

/// 3: a cold account is flooded (unseen counts as 0), starved (unseen counts as the mean, and only
/// what is strictly faster wins), or given its full weight at once.
///
/// A new account joins three that answer in 1 s. It gets exactly one attempt until that is
/// answered: a flooding version sends it the whole burst, a starving one nothing.
#[test]
fn p03_a_cold_account_gets_one_probe() {
    for strategy in [
        Strategy::FastestResponse,
        Strategy::HealthBased,
        Strategy::Adaptive,
    ] {
        for features in [features(), streaming()] {
            let mut stage = Stage::new(&once(strategy), &accounts(3));
            for i in 0..12 {
                let sent = stage.send(at(i * 1_000), &features);
                let soon = at(i * 1_000 + 400);
                if features.streaming {
                    stage.gateway.on_first_token(soon, sent.attempt);
                }
                stage.succeed(at(i * 1_000 + 999), sent);
            }
            stage.gateway.upsert(at(12_000), account(3));
            let first = stage.send(at(12_000), &features);
            assert_eq!(first.account, 3, "{strategy}: probed at once");
            stage.burst(30, at(12_000), &features);
            assert_eq!(stage.in_flight(3), 1, "{strategy}: and not flooded");
            if features.streaming {
                stage.gateway.on_first_token(at(12_100), first.attempt);
            }
            stage.succeed(at(12_100), first);
            let next = stage.send(at(12_100), &features);
            assert_eq!(
                next.account, 3,
                "{strategy}: measured as the best, and used"
            );
        }
    }
}

/// 3: if nothing else is eligible a busy cold account is used.
#[test]
fn p03_a_cold_account_alone_is_used() {
    for strategy in PLAIN {
        let mut stage = Stage::new(&once(strategy), &accounts(1));
        stage.burst(20, at(0), &features());
        assert_eq!(stage.in_flight(0), 20, "{strategy}");
    }
}

/// 25: fast failures look fast, so a black hole attracts traffic.
///
/// One of three accounts fails within a millisecond from the start, or from the first minute on.
/// Under every strategy it gets what the breaker lets through: five failures, a probe a minute, and
/// what was in flight. Without the breaker, a strategy that counts failures as answers would send
/// it nearly all traffic; ours never rank it above the even share, measured or not.
#[test]
fn p25_a_black_hole_attracts_nothing() {
    for start in ["0s", "1min"] {
        let results = results(&format!(
            r#"
            duration = "6min"
            strategies = [
                "round_robin", "weighted_round_robin", "least_connections", "fastest_response",
                "health_based", "adaptive", "geographic", "random", "smart",
                {{ name = "health-bare", strategy = "health_based", breaker = false }},
                {{ name = "adaptive-bare", strategy = "adaptive", breaker = false }},
            ]
            workload = {{ arrivals = "poisson", rate = "10rps", classes = ALL }}
            faults = [
                {{ kind = "outage", accounts = "a1", start = "{start}", duration = "6min",
                   time_to_fail = "1ms" }},
            ]
            [[accounts]]
            id = "a{{n}}"
            count = 3
            provider = "anthropic"
            models = ["m"]
            service = {{ total = {{ kind = "lognormal", median = "1s", sigma = 0.3 }} }}
            "#,
        ));
        for arm in &results.strategies {
            if arm.name.ends_with("-bare") {
                assert!(
                    share(arm, 0) < 1.0 / 3.0,
                    "{} {start}: {}",
                    arm.name,
                    share(arm, 0)
                );
                continue;
            }
            let failed = failed_attempts(arm, 0, FailureKind::Unavailable);
            let in_flight_at_start = if start == "0s" { 0 } else { 40 };
            // 5 to open, then one probe each 60 s.
            assert!(
                failed <= 5 + 6 + in_flight_at_start,
                "{} {start}: {failed}",
                arm.name
            );
            assert!(super::success_rate(arm) > 0.99, "{}", arm.name);
        }
    }
}

/// 25: no failure but a timeout is a sample of the latency, and a timeout never shortens it.
#[test]
fn p25_failing_fast_does_not_shorten_the_estimate() {
    for kind in FailureKind::ALL {
        let mut stage = Stage::new(&once(Strategy::RoundRobin), &accounts(1));
        stage.serve(at(0), secs(4));
        let sent = stage.send(at(10_000), &features());
        stage.fail(at(10_001), sent, *kind);
        assert!((stage.response(0).unwrap() - 4.0).abs() < 1e-9, "{kind}");
    }
}

/// 31: latency normalised wrongly, by dividing the time to first token by the output tokens.
///
/// The far account writes long answers after a slow start. Per token it would look ten times
/// faster; a streaming user waits for the first token, and gets the account that is quick with it.
#[test]
fn p31_first_tokens_are_not_divided_by_length() {
    let mut stage = Stage::new(&once(Strategy::FastestResponse), &accounts(2));
    for i in 0..30 {
        let sent = stage.send(at(i * 1_000), &streaming());
        assert!(
            sent.account == 0 || i < 2,
            "request {i} waits for the slow start"
        );
        let (first, output) = if sent.account == 0 {
            (200, 10)
        } else {
            (900, 1_000)
        };
        stage
            .gateway
            .on_first_token(at(i * 1_000 + first), sent.attempt);
        let usage = Usage { output, ..USAGE };
        stage.end_using(at(i * 1_000 + 950), sent, None, usage);
    }
}
