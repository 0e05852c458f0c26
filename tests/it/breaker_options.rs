//! The breaker's options, each from a scenario's text to what it does to the traffic, against the
//! same world without it. (The state machine itself is held against a naive model in its module.)

use crate::stage::{Stage, account, accounts, at, features, ms, once, secs};
use crate::support::{results, scenario};
use routelab::experiment::results::{ScenarioResults, StrategyResults};
use routelab::record::Strategy;
use routelab::request::FailureKind;
use routelab::routing::config::{BreakerConfig, SlowStart};
use std::fmt::Write;

/// Two accounts under 40 requests per second; the first is the faster one.
fn world(minutes: u32, arms: &str, faults: &str) -> ScenarioResults {
    let text = format!(
        r#"
        question = "q"
        expectation = "e"
        replications = 1
        duration = "{minutes}min"
        strategies = [{arms}]
        faults = [{faults}]
        output = {{ timeline_window = "1s" }}
        [models.m]
        [workload]
        arrivals = "poisson"
        rate = "40rps"
        classes = [{{ name = "c", model = "m", input_tokens = 100, output_tokens = 10 }}]
        [templates.t]
        provider = "anthropic"
        models = ["m"]
        [[accounts]]
        id = "a"
        template = "t"
        service = {{ total = "200ms" }}
        [[accounts]]
        id = "b"
        template = "t"
        service = {{ total = "300ms" }}
        "#
    );
    results(&scenario("options", &text), 1)
}

/// Share of the dispatches that the first account got in these seconds.
fn share(arm: &StrategyResults, from: u64, to: u64) -> f64 {
    let rows = arm.timeline.dispatches.chunks(2);
    let rows = rows.skip(from as usize).take((to - from) as usize);
    let (mut first, mut all) = (0, 0);
    for row in rows {
        first += row[0];
        all += row[0] + row[1];
    }
    first as f64 / all as f64
}

const STRATEGIES: [&str; 9] = [
    "round_robin",
    "weighted_round_robin",
    "least_connections",
    "fastest_response",
    "health_based",
    "adaptive",
    "geographic",
    "random",
    "smart",
];

/// The second in which the breaker closed for the last time.
fn closed_at(arm: &StrategyResults) -> u64 {
    let last = arm.breaker_spans.last().expect("it has opened");
    assert!(last.half_open, "{}: it has closed", arm.name);
    last.end.as_secs_f64().ceil() as u64
}

/// After an outage the account's traffic rises slowly under every strategy; under those that would
/// give it its part at once, or all, that is the slow start's doing; in the end it has its part.
/// (One failure opens, or strategies that go by scores would turn away before five.)
#[test]
fn slow_start_acts_under_every_strategy() {
    let mut arms = String::new();
    for strategy in STRATEGIES {
        let _ = write!(
            arms,
            r#"{{ name = "{strategy}", strategy = "{strategy}",
                  breaker = {{ failures_to_open = 1, open_time = "10s" }} }},
               {{ name = "{strategy}-slow", strategy = "{strategy}", breaker = {{
                  failures_to_open = 1, open_time = "10s",
                  slow_start = {{ window = "1min", floor = 0.1 }} }} }},"#
        );
    }
    let outage = r#"{ kind = "outage", accounts = "a", start = "1min", duration = "25s" }"#;
    let results = world(5, &arms, outage);
    for pair in results.strategies.chunks(2) {
        let [at_once, slow] = pair else {
            panic!("arms come in pairs");
        };
        let from = closed_at(slow);
        let early = share(slow, from, from + 10);
        // 0.1 to 0.25 of the requests may choose it.
        assert!(early < 0.28, "{}: {early}", slow.name);
        let from = closed_at(at_once);
        let without = share(at_once, from, from + 10);
        let spreads = ["round_robin", "least_connections", "random", "geographic"];
        if spreads.contains(&at_once.name.as_str()) {
            assert!(without > 0.4, "{}: {without}", at_once.name);
        }
        if at_once.name == "fastest_response" {
            assert!(without > 0.9, "{without}");
        }
        if spreads.contains(&at_once.name.as_str()) {
            let (end, before) = (share(slow, 240, 300), share(slow, 10, 60));
            assert!(
                (end - before).abs() < 0.06,
                "{}: {end}, {before}",
                slow.name
            );
        }
    }
}

/// Its part of two idle accounts, while it is a candidate for every so many-th request: half of
/// those where ties are even, and one in every 1 + r where they take turns. In the end, and where
/// nobody else is there, it takes all that it always did.
#[test]
fn slow_start_follows_its_line() {
    type Part = fn(f64) -> f64;
    const N: u64 = 4_000;
    let half = |r: f64| r / 2.0;
    let turns = |r: f64| r / (1.0 + r);
    let cases: [(Strategy, Part); 3] = [
        (Strategy::Random, half),
        (Strategy::LeastConnections, half),
        (Strategy::RoundRobin, turns),
    ];
    for (strategy, part) in cases {
        let mut config = once(strategy);
        config.breaker = Some(BreakerConfig {
            failures_to_open: 1,
            successes_to_close: 1,
            slow_start: Some(SlowStart {
                window: secs(40),
                floor: 0.2,
            }),
            ..BreakerConfig::default()
        });
        let mut stage = Stage::new(&config, &accounts(1));
        let sent = stage.send(at(0), &features());
        stage.fail(at(0), sent, FailureKind::Unavailable);
        let alone = (0..20).filter(|_| stage.serve(at(60_000), ms(0)) == 0);
        assert_eq!(alone.count(), 20, "{strategy}");
        stage.gateway.upsert(at(60_000), account(1));
        for (millis, candidate) in [(60_000, 0.2), (80_000, 0.6), (99_999, 1.0), (160_000, 1.0)] {
            let own = (0..N).filter(|_| stage.serve(at(millis), ms(0)) == 0);
            let share = own.count() as f64 / N as f64;
            let expected = part(candidate);
            let sigma = (expected * (1.0 - expected) / N as f64).sqrt();
            let off = (share - expected).abs();
            assert!(
                off < 5.0 * sigma,
                "{strategy} at {millis} ms: {share}, not {expected}"
            );
        }
    }
}

/// An outage of half an hour, looked at every 10 s, or 10 s, 20, 40, 80 and then every 160 s: 4
/// openings in the first 150 s, and one in each 160 s of the rest. Once over, the account is back
/// within the cap.
#[test]
fn a_growing_open_time_costs_fewer_probes() {
    let arms = r#"
        { name = "constant", strategy = "round_robin", breaker = { open_time = "10s" } },
        { name = "growing", strategy = "round_robin", breaker = { open_time = "10s",
          open_time_growth = { factor = 2, cap = "160s" } } },
    "#;
    let outage = r#"{ kind = "outage", accounts = "a", start = "1min", duration = "30min",
                      time_to_fail = "100ms" }"#;
    let results = world(36, arms, outage);
    let openings = |arm: usize| results.strategies[arm].accounts[0].breaker_openings;
    assert!((170..=180).contains(&openings(0)), "{}", openings(0));
    assert!((14..=15).contains(&openings(1)), "{}", openings(1));
    let back = share(&results.strategies[1], 31 * 60 + 170, 36 * 60);
    assert!((back - 0.5).abs() < 0.02, "{back}");
}

/// An account that is down for 6 s of every 30: each time it comes back and fails again, so less
/// and less is sent to it; an hour of calm, and it starts anew.
#[test]
fn a_flapping_account_is_left_alone_longer_and_longer() {
    let arms = r#"
        { name = "constant", strategy = "round_robin", breaker = { open_time = "5s" } },
        { name = "growing", strategy = "round_robin", breaker = { open_time = "5s",
          open_time_growth = { factor = 3, cap = "2min", reset_after = "3min" } } },
    "#;
    let mut faults = String::new();
    for start in (60..660).step_by(30).chain([1_500]) {
        let _ = write!(
            faults,
            r#"{{ kind = "outage", accounts = "a", start = "{start}s", duration = "6s" }},"#
        );
    }
    let results = world(30, arms, &faults);
    let failed = |arm: usize| {
        let kinds = results.strategies[arm].accounts[0].failed_attempts;
        kinds.iter().sum::<u64>()
    };
    assert!(failed(1) * 2 < failed(0), "{} of {}", failed(1), failed(0));
    let last = results.strategies[1].breaker_spans.iter().rev();
    let last = last
        .filter(|span| !span.half_open)
        .map(|span| span.end.since(span.start));
    let lengths: Vec<_> = last.collect();
    assert!(
        lengths.contains(&secs(120)),
        "the cap is reached: {lengths:?}"
    );
    let alone = lengths.iter().rposition(|length| *length == secs(120));
    assert!(
        alone.is_some_and(|at| at > 0),
        "it starts anew: {lengths:?}"
    );
    assert!(
        lengths[..2].contains(&secs(5)),
        "after a quarter of an hour: {lengths:?}"
    );
}

/// Four of ten attempts fail, hardly ever five in a row: by the share of failures the account is
/// left alone as soon as the window says so and at almost every look, by the row it keeps its
/// traffic.
#[test]
fn a_failure_rate_stops_an_account_that_fails_now_and_then() {
    let arms = r#"
        { name = "row", strategy = "round_robin", breaker = { failures_to_open = 20 } },
        { name = "share", strategy = "round_robin", breaker = { failures_to_open = 20,
          failure_rate = { share = 0.25, window = "20s", least_attempts = 30 } } },
    "#;
    let errors = r#"{ kind = "errors", accounts = "a", rate = 0.4, start = "1min",
                      duration = "9min" }"#;
    let results = world(10, arms, errors);
    let [row, by_share] = [0, 1].map(|at| share(&results.strategies[at], 60, 600));
    assert!(row > 0.4, "{row}");
    assert!(by_share < 0.1, "{by_share}");
    let first = results.strategies[1].breaker_spans[0].start.as_secs_f64();
    // Of the window's 20 s, five eighths have to be of the time of trouble.
    assert!((68.0..78.0).contains(&first), "{first}");
}
