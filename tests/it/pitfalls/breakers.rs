//! Breakers and bans: opened by the wrong thing, opened to a crowd, never closed.

use super::{arm, failed_attempts, results, scenario, share_between, success_rate};
use crate::stage::{PLAIN, Stage, account, accounts, at, features, once, secs};
use routelab::record::Strategy;
use routelab::request::{AccountIndex, FailureKind};
use routelab::routing::breaker::BreakerState;

/// 14: the client's own 4xx opens the breaker.
///
/// A hundred bad requests in a row leave breaker and health as they were. The same hundred as 500s
/// open it after five: the same test says so of a version that counts them alike.
#[test]
fn p14_the_clients_own_errors_open_nothing() {
    use FailureKind::{BadRequest, Cancelled, InternalError, ModelNotFound, TooLarge};
    for kind in [
        BadRequest,
        ModelNotFound,
        TooLarge,
        Cancelled,
        InternalError,
    ] {
        let mut stage = Stage::new(&once(Strategy::RoundRobin), &accounts(1));
        let before = stage.health(0);
        let mut served = 0;
        for i in 0..100 {
            if let Some(sent) = stage.request(at(i), &features()).sent() {
                stage.fail(at(i), sent, kind);
                served += 1;
            }
        }
        let opened = stage.transitions().len();
        if kind == InternalError {
            assert_eq!((served, opened), (5, 1));
        } else {
            assert_eq!((served, opened), (100, 0), "{kind}");
            assert_eq!(stage.health(0), before, "{kind}");
        }
    }
}

/// 14, as a scenario: half of all requests are bad, nothing opens and nothing is retried.
#[test]
fn p14_bad_requests_change_nothing_for_the_others() {
    let text = |kind: &str| {
        format!(
            r#"
            duration = "2min"
            strategies = ["smart"]
            workload = {{ arrivals = "poisson", rate = "20rps", classes = ALL }}
            [[accounts]]
            id = "a{{n}}"
            count = 3
            provider = "anthropic"
            models = ["m"]
            service = {{ total = "500ms" }}
            failures = [{{ kind = "{kind}", rate = 0.5 }}]
            "#
        )
    };
    let openings = |kind: &str| {
        let results = results(&text(kind));
        let arm = arm(&results, "smart");
        let counts = arm.replications[0].counts;
        let openings: u64 = arm.accounts.iter().map(|a| a.breaker_openings).sum();
        (openings, counts.attempts == counts.requests)
    };
    assert_eq!(openings("bad_request"), (0, true));
    let (opened, _) = openings("unavailable");
    assert!(opened > 0, "the account's own errors do open it");
}

/// 15: half-open lets everyone in.
///
/// The instant the open time is over, 200 requests arrive. One of them is the probe; the others go
/// to the healthy account until the probe is answered, under every strategy. Three answered probes
/// close it.
#[test]
fn p15_half_open_admits_one_probe() {
    for strategy in PLAIN {
        let mut pool = accounts(2);
        pool[1].max_in_flight = 1_000;
        let mut stage = Stage::new(&once(strategy), &pool[..1]);
        for _ in 0..5 {
            let sent = stage.send(at(0), &features());
            stage.fail(at(0), sent, FailureKind::Unavailable);
        }
        stage.gateway.upsert(at(0), pool[1].clone());
        for i in 0..50 {
            assert_eq!(stage.serve(at(i * 1_000), secs(1)), 1, "{strategy}: open");
        }
        for probe in 0..3 {
            let now = at(60_000 + probe);
            let sent: Vec<_> = (0..200).map(|_| stage.send(now, &features())).collect();
            assert_eq!(
                sent[0].account, 0,
                "{strategy}: the next request is the probe"
            );
            assert_eq!(stage.in_flight(0), 1, "{strategy}: and the only one");
            sent.into_iter()
                .for_each(|sent| drop(stage.succeed(now, sent)));
        }
        let states: Vec<_> = stage
            .transitions()
            .iter()
            .map(|t| t.transition.to)
            .collect();
        use BreakerState::{Closed, HalfOpen, Open};
        assert_eq!(states, [Open, HalfOpen, Closed], "{strategy}");
    }
}

/// 15, as a scenario: three minutes of outage cost five failures, what was in flight, and the
/// probes; with the whole crowd let in, each half-opening would cost a second's worth of requests.
#[test]
fn p15_an_outage_costs_a_handful_of_attempts() {
    let text = |probes: u32| {
        format!(
            r#"
            duration = "6min"
            strategies = ["round_robin"]
            workload = {{ arrivals = "constant", rate = "40rps", classes = ALL }}
            faults = [
                {{ kind = "outage", accounts = "a1", start = "1min", duration = "200s",
                   time_to_fail = "1s" }},
            ]
            [routing.breaker]
            half_open_max_in_flight = {probes}
            [[accounts]]
            id = "a{{n}}"
            count = 2
            provider = "anthropic"
            models = ["m"]
            service = {{ total = "200ms" }}
            "#
        )
    };
    let failed = |probes| {
        let results = results(&text(probes));
        failed_attempts(arm(&results, "round_robin"), 0, FailureKind::Unavailable)
    };
    // 4 in flight when it starts, 5 to open it, 20 sent in the second until those have failed, and
    // a probe after each of three open times.
    let (one, crowd) = (failed(1), failed(1_000));
    assert!((8..=32).contains(&one), "{one}");
    assert!(crowd > one + 60, "{crowd} against {one}");
}

/// 16: a breaker that never closes, and options that are parsed but ignored.
///
/// The settings come from a scenario's text, each different from its default, and every one shows:
/// it opens after 2 failures, for 7 s, admits 3 probes, closes after 4 successes.
#[test]
fn p16_the_breakers_options_are_obeyed_and_it_closes() {
    let scenario = scenario(
        r#"
        duration = "1min"
        strategies = ["round_robin"]
        workload = { arrivals = "poisson", rate = "1rps", classes = ALL }
        accounts = [{ id = "a", provider = "openai", models = ["m"], service = { total = "1s" } }]
        [routing]
        max_attempts = 1
        [routing.breaker]
        failures_to_open = 2
        open_time = "7s"
        half_open_max_in_flight = 3
        successes_to_close = 4
        "#,
    );
    let mut stage = Stage::new(&scenario.arms[0].routing, &[account(0)]);
    for _ in 0..2 {
        let sent = stage.send(at(0), &features());
        stage.fail(at(0), sent, FailureKind::BadGateway);
    }
    assert_eq!(stage.request(at(6_999), &features()).sent(), None);
    let probes = [0, 1, 2].map(|_| stage.send(at(7_000), &features()));
    assert_eq!(stage.request(at(7_000), &features()).sent(), None);
    for probe in probes {
        stage.succeed(at(7_000), probe);
    }
    let fourth = stage.send(at(7_000), &features());
    stage.succeed(at(7_000), fourth);
    stage.burst(50, at(7_000), &features());
    let closed = stage.transitions().last().unwrap().transition;
    assert_eq!((closed.to, closed.at), (BreakerState::Closed, at(7_000)));
}

/// 16, as a scenario: after an outage of 30 s the account is back at its even share within the open
/// time and three probes, under every strategy that spreads.
#[test]
fn p16_traffic_returns_after_an_outage() {
    let results = results(
        r#"
        duration = "5min"
        strategies = ["round_robin", "weighted_round_robin", "least_connections", "random"]
        workload = { arrivals = "poisson", rate = "20rps", classes = ALL }
        output = { timeline_window = "5s" }
        faults = [
            { kind = "outage", accounts = "a1", start = "1min", duration = "30s" },
        ]
        [[accounts]]
        id = "a{n}"
        count = 2
        provider = "anthropic"
        models = ["m"]
        service = { total = "300ms" }
        "#,
    );
    for arm in &results.strategies {
        let during = share_between(arm, 0, 65, 90);
        assert!(during < 0.01, "{}: {during}", arm.name);
        let after = share_between(arm, 0, 130, 300);
        assert!((after - 0.5).abs() < 0.05, "{}: {after}", arm.name);
    }
}

/// 26: a permanent ban that somebody has to lift by hand.
///
/// Whatever takes an account out (breaker, cool-down, account fault), it is out until a stated time
/// and not one nanosecond longer, without anybody's doing.
#[test]
fn p26_every_ban_ends_by_itself() {
    let bans = [
        (FailureKind::Overloaded, 5, 60_000),
        (FailureKind::RateLimited, 1, 5_000),
        (FailureKind::Unauthorized, 1, 600_000),
        (FailureKind::PaymentRequired, 1, 600_000),
        (FailureKind::Forbidden, 1, 600_000),
        (FailureKind::SpendCap, 1, 600_000),
    ];
    for (kind, times, until) in bans {
        for strategy in PLAIN {
            let mut stage = Stage::new(&once(strategy), &accounts(1));
            for _ in 0..times {
                let sent = stage.send(at(0), &features());
                stage.fail(at(0), sent, kind);
            }
            assert_eq!(stage.request(at(0), &features()).sent(), None, "{kind}");
            assert_eq!(
                stage.request(at(until - 1), &features()).sent(),
                None,
                "{kind}"
            );
            assert!(
                stage.request(at(until), &features()).sent().is_some(),
                "{kind} {strategy}"
            );
        }
    }
}

/// 26, as a scenario: a key is refused for a minute; the account is left alone for ten, reported,
/// and then works again. A version that waits for a person would leave it out for the whole run.
#[test]
fn p26_a_repaired_key_is_noticed() {
    let results = results(
        r#"
        duration = "20min"
        strategies = ["round_robin"]
        workload = { arrivals = "constant", rate = "2rps", classes = ALL }
        output = { timeline_window = "1min" }
        faults = [
            { kind = "errors", accounts = "a1", rate = 1, failure = "unauthorized",
              start = "1min", duration = "1min" },
        ]
        [[accounts]]
        id = "a{n}"
        count = 2
        provider = "anthropic"
        models = ["m"]
        service = { total = "300ms" }
        "#,
    );
    let arm = arm(&results, "round_robin");
    assert_eq!(success_rate(arm), 1.0, "nobody noticed");
    assert_eq!(
        (arm.accounts[0].disabled, arm.accounts[1].disabled),
        (1, 0),
        "reported"
    );
    assert_eq!(share_between(arm, 0, 120, 660), 0.0);
    assert!((share_between(arm, 0, 720, 1_200) - 0.5).abs() < 0.01);
}

/// 34: the time of ejection grows without a cap.
///
/// Fifty failed recoveries: the breaker's open time stays 60 s. Fifty unnamed rate limits in a row:
/// the cool-down doubles to 60 s and stays there, whatever base and cap are.
#[test]
fn p34_ejection_times_are_capped() {
    let mut stage = Stage::new(&once(Strategy::RoundRobin), &accounts(1));
    for _ in 0..4 {
        let sent = stage.send(at(0), &features());
        stage.fail(at(0), sent, FailureKind::Connection);
    }
    for i in 0..50 {
        let sent = stage.send(at(i * 60_000), &features());
        stage.fail(at(i * 60_000), sent, FailureKind::Connection);
        assert_eq!(
            stage.request(at(i * 60_000 + 59_999), &features()).sent(),
            None
        );
    }
}

/// 34: the same for cool-downs, which may not shrink either: the doubling must not overflow.
#[test]
fn p34_cool_downs_double_up_to_their_cap() {
    // 2^32 ns: 32 doublings of it are more than 64 bits hold.
    for (base_nanos, cap) in [(5_000_000_000, 60), (1 << 32, 60), (60_000_000_000, 86_400)] {
        let mut config = once(Strategy::RoundRobin);
        config.cool_down.base = routelab::time::Duration::from_nanos(base_nanos);
        config.cool_down.cap = secs(cap);
        let mut stage = Stage::new(&config, &accounts(1));
        let (mut now, mut expected) = (at(0), config.cool_down.base);
        for repetition in 0..70 {
            let sent = stage.send(now, &features());
            stage.limit(now, sent, None);
            let retry = stage.gateway.balancer().earliest_retry(now, &features());
            expected = expected.min(config.cool_down.cap);
            assert_eq!(
                retry,
                Some(now + expected),
                "{base_nanos} ns, repetition {repetition}"
            );
            now += expected;
            expected = expected + expected;
        }
        let (cooling, faults) = stage.gateway.balancer().pool().cool_downs(AccountIndex(0));
        assert_eq!((cooling, faults), (now.since(at(0)), 0));
    }
}
