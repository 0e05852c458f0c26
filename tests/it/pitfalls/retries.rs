//! Retries: storms, the wrong place, and timeouts that never fire.

use super::{arm, failed_attempts, results, success_rate};
use crate::stage::{
    PLAIN, Stage, account, accounts, at, features, ms, once, retrying, secs, streaming,
};
use routelab::record::{Outcome, Strategy};
use routelab::request::FailureKind;

/// 19: a retry storm: no jitter, no budget, retries nested in fallbacks.
///
/// Everything fails, and every request may be tried ten times. The budget holds the retries to a
/// fifth of the requests, ten a second, and the reserve of the first ten seconds; without it the
/// upstream gets ten times the traffic.
#[test]
fn p19_retries_are_bounded_by_the_budget() {
    let results = results(
        r#"
        duration = "2min"
        strategies = [
            "round_robin",
            { name = "no-budget", strategy = "round_robin", retry = { budget_per_request = 100 } },
        ]
        workload = { arrivals = "poisson", rate = "100rps", classes = ALL }
        faults = [{ kind = "outage", accounts = "all", start = "0s", duration = "3min" }]
        [routing]
        max_attempts = 10
        breaker = false
        [[accounts]]
        id = "a{n}"
        count = 12
        provider = "anthropic"
        models = ["m"]
        service = { total = "200ms" }
        "#,
    );
    let counts = |name| arm(&results, name).replications[0].counts;
    let (with, without) = (counts("round_robin"), counts("no-budget"));
    let retries = (with.attempts - with.requests) as f64;
    let allowed = 0.2 * with.requests as f64 + 10.0 * 120.0 + 100.0;
    assert!(
        retries <= allowed + 20.0 && retries > 0.9 * allowed,
        "{retries} of {allowed}"
    );
    assert!(with.budget_exhausted > with.requests / 2);
    assert_eq!(
        without.attempts,
        10 * without.requests,
        "the storm, and no nesting beyond it"
    );
}

/// 19: the budget pays for retries that are made, not for those that the deadline forbids.
///
/// There is exactly one retry. Twenty requests fail too late to wait for another try; the next one,
/// which could be sent elsewhere at once, still finds the retry there.
#[test]
fn p19_a_retry_that_is_not_made_costs_nothing() {
    let mut config = retrying(Strategy::RoundRobin);
    config.deadline = Some(ms(50));
    config.retry.backoff_base = secs(1_000);
    config.retry.backoff_cap = secs(1_000);
    config.retry.budget_per_request = 0.0;
    config.retry.budget_per_second = 0.1;
    config.breaker = None;
    let mut stage = Stage::new(&config, &accounts(1));
    for i in 0..20 {
        let sent = stage.send(at(i), &features());
        let end = stage.fail(at(i), sent, FailureKind::Unavailable).ended();
        assert!(!end.unwrap().budget_exhausted);
    }
    stage.gateway.upsert(at(20), account(1));
    let sent = stage.send(at(20), &features());
    assert!(
        stage
            .fail(at(20), sent, FailureKind::Unavailable)
            .sent()
            .is_some()
    );
}

/// 19: five hundred requests that fail at one instant do not come back at one instant.
///
/// Nobody else is there, so each waits a time of its own, uniform up to 100 ms: a chi-square over
/// ten parts (9 degrees of freedom, 33.7 is the 99.99 % point). Without jitter all fall into one.
#[test]
fn p19_retries_are_spread_by_jitter() {
    let mut config = retrying(Strategy::RoundRobin);
    config.retry.budget_per_second = 1_000.0;
    config.breaker = None;
    let mut pool = accounts(1);
    pool[0].max_in_flight = 1_000;
    let mut stage = Stage::new(&config, &pool);
    let sent: Vec<_> = (0..500).map(|_| stage.send(at(0), &features())).collect();
    for sent in sent {
        assert_eq!(
            stage.fail(at(0), sent, FailureKind::Unavailable).sent(),
            None
        );
    }
    let mut parts = [0u32; 10];
    while stage.in_flight(0) < 500 {
        let now = stage.gateway.next_timer();
        let sent = stage.timer(now).0.len();
        assert_eq!(sent, 1, "two at one nanosecond");
        parts[(now.as_nanos() / 10_000_000) as usize] += 1;
    }
    let chi: f64 = parts
        .iter()
        .map(|n| (f64::from(*n) - 50.0).powi(2) / 50.0)
        .sum();
    assert!(chi < 33.7, "{parts:?}");
}

/// 20: the retry goes to the account that just failed.
///
/// Three accounts, each of which fails: under every strategy the three attempts go to three
/// accounts. Fast failure makes the failed one the least busy and leaves it the fastest, so a
/// version that just picks again comes back to it.
#[test]
fn p20_a_retry_goes_elsewhere() {
    for strategy in PLAIN {
        for seed in 0..20 {
            let geography = routelab::routing::geography::Geography::default();
            let config = retrying(strategy);
            let mut stage = Stage::seeded(&config, &accounts(3), geography, seed);
            stage.measure(at(0), &[ms(100), ms(200), ms(300)]);
            let first = stage.send(at(1_000), &features());
            let second = stage
                .fail(at(1_010), first, FailureKind::Overloaded)
                .sent()
                .unwrap();
            let third = stage
                .fail(at(1_020), second, FailureKind::Overloaded)
                .sent()
                .unwrap();
            let mut all = [first, second, third].map(|sent| sent.account);
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2], "{strategy}, seed {seed}");
            let end = stage.fail(at(1_030), third, FailureKind::Overloaded);
            assert_eq!(end.ended().map(|record| record.attempts), Some(3));
        }
    }
}

/// 20: after an account fault never again to the same account, even where it is back from its time
/// out before the request's back-off is over: the key has been refused, and the same request would
/// only be refused again. Any other kind may come back to the only account there is.
#[test]
fn p20_a_refused_key_is_not_asked_twice() {
    for kind in [
        FailureKind::Unauthorized,
        FailureKind::SpendCap,
        FailureKind::Connection,
    ] {
        let mut config = retrying(Strategy::RoundRobin);
        config.cool_down.account_fault = ms(0);
        let mut stage = Stage::new(&config, &accounts(1));
        let sent = stage.send(at(0), &features());
        assert_eq!(stage.fail(at(0), sent, kind).sent(), None, "it backs off");
        let due = stage.gateway.next_timer();
        let back = stage.timer(due).sent().is_some();
        assert_eq!(back, kind == FailureKind::Connection, "{kind}");
    }
}

/// 20, as a scenario: one of two accounts always fails and no breaker helps. Two attempts are
/// enough for everybody; with one that may come back to the same account a good part would fail.
#[test]
fn p20_two_attempts_are_enough_when_one_account_works() {
    let results = results(
        r#"
        duration = "2min"
        strategies = ["random", { name = "single", strategy = "random", max_attempts = 1 }]
        workload = { arrivals = "poisson", rate = "20rps", classes = ALL }
        accounts = [
            { id = "good", provider = "anthropic", models = ["m"], service = { total = "1s" } },
            { id = "bad", provider = "anthropic", models = ["m"], service = { total = "1s" },
              failures = [{ kind = "unavailable", rate = 1 }] },
        ]
        [routing]
        max_attempts = 2
        breaker = false
        retry = { budget_per_request = 1 }
        "#,
    );
    let arm_of = |name| arm(&results, name);
    assert_eq!(success_rate(arm_of("random")), 1.0);
    assert!(failed_attempts(arm_of("random"), 1, FailureKind::Unavailable) > 1_000);
    assert!((success_rate(arm_of("single")) - 0.5).abs() < 0.05);
}

/// 32: the timeout is not applied to the first token, or keep-alive frames reset it.
///
/// An upstream accepts the request and sends nothing but keep-alives. Two seconds later the attempt
/// is given up and the request goes elsewhere; a timeout that any byte resets would wait for the
/// deadline.
#[test]
fn p32_keep_alives_do_not_reset_the_first_token_timeout() {
    for idle_timeout in [None, Some(ms(500)), Some(secs(10))] {
        let mut config = retrying(Strategy::RoundRobin);
        config.first_token_timeout = Some(secs(2));
        config.idle_timeout = idle_timeout;
        let mut stage = Stage::new(&config, &accounts(2));
        let sent = stage.send(at(0), &streaming());
        for i in 1..20 {
            stage.gateway.on_progress(at(i * 100), sent.attempt);
            assert_eq!(stage.timer(at(i * 100)).0, [], "{idle_timeout:?}");
        }
        assert_eq!(stage.gateway.next_timer(), at(2_000));
        let cancels = stage.timer(at(2_000)).cancels();
        assert_eq!(cancels, [(sent.attempt, FailureKind::FirstTokenTimeout)]);
        let next = stage.fail(at(2_000), sent, FailureKind::FirstTokenTimeout);
        assert_eq!(next.sent().map(|sent| sent.account), Some(1));
    }
}

/// 32: a keep-alive before the first token does not start the stream's own timeout, and the first
/// token after it does.
#[test]
fn p32_the_idle_timeout_starts_with_the_first_token() {
    let mut config = once(Strategy::RoundRobin);
    config.idle_timeout = Some(secs(1));
    let mut stage = Stage::new(&config, &accounts(1));
    let sent = stage.send(at(0), &streaming());
    stage.gateway.on_progress(at(3_000), sent.attempt);
    assert_eq!(stage.timer(at(4_500)).0, []);
    stage.gateway.on_first_token(at(5_000), sent.attempt);
    stage.gateway.on_progress(at(5_500), sent.attempt);
    assert_eq!(stage.gateway.next_timer(), at(6_500));
    let cancels = stage.timer(at(6_500)).cancels();
    assert_eq!(cancels, [(sent.attempt, FailureKind::IdleTimeout)]);
}

/// 32, as a scenario: one of two accounts hangs in half of its streams. With a first-token timeout
/// everybody has the first token within it and another second; without, the deadline is all that
/// ends the wait.
#[test]
fn p32_hanging_streams_move_on() {
    let results = results(
        r#"
        duration = "2min"
        strategies = [
            "round_robin",
            { name = "patient", strategy = "round_robin", first_token_timeout = "none" },
        ]
        workload = { arrivals = "constant", rate = "5rps", classes = [
            { name = "all", model = "m", input_tokens = 100, output_tokens = 10,
              streaming_share = 1 },
        ] }
        accounts = [
            { id = "good", provider = "anthropic", models = ["m"] },
            { id = "hangs", provider = "anthropic", models = ["m"],
              failures = [{ kind = "hang", rate = 0.5 }] },
        ]
        [routing]
        first_token_timeout = "2s"
        breaker = false
        retry = { budget_per_request = 1 }
        [models.m]
        service = { first_token = "1s", per_output_token = "10ms" }
        "#,
    );
    let timed_out = |name| failed_attempts(arm(&results, name), 1, FailureKind::FirstTokenTimeout);
    assert_eq!(success_rate(arm(&results, "round_robin")), 1.0);
    let slowest = arm(&results, "round_robin")
        .latency
        .first_token_ok
        .quantile(1.0);
    assert!(slowest.unwrap() <= ms(3_001), "{slowest:?}");
    assert!(timed_out("round_robin") > 100);
    assert_eq!(timed_out("patient"), 0);
    assert!(success_rate(arm(&results, "patient")) < 0.9);
}

/// 32: once a token has reached the client there is no second attempt: it would be sent twice.
#[test]
fn p32_nothing_is_retried_after_the_first_token() {
    for kind in FailureKind::ALL {
        let mut stage = Stage::new(&retrying(Strategy::RoundRobin), &accounts(2));
        let sent = stage.send(at(0), &streaming());
        stage.gateway.on_first_token(at(500), sent.attempt);
        let actions = stage.fail(at(900), sent, *kind);
        assert_eq!(actions.sent(), None, "{kind}");
        assert_eq!(actions.ended().unwrap().outcome, Outcome::Failed(*kind));
    }
}
