//! Times to detect, to mitigate and to restore, against values worked out by hand.
//!
//! Two accounts answer in 10 ms. Requests come like clockwork, the n-th at n / rate, and round
//! robin sends odd ones to `a-1`, which a fault strikes at 100 s, and even ones to `a-2`. So before
//! the fault the share of `a-1` is one half, the success rate 1 and the P99 10 ms.

use crate::support::{results, scenario};
use routelab::experiment::results::{FaultImpact, Observed};
use routelab::time::Duration;

/// What a fault did under round robin with these settings.
fn effect(fault: &str, rate: u32, settings: &str) -> FaultImpact {
    effect_within("400s", fault, rate, settings)
}

fn effect_within(duration: &str, fault: &str, rate: u32, settings: &str) -> FaultImpact {
    let arm = format!("strategy = \"round_robin\", {settings}");
    effect_of(&arm, duration, fault, rate)
}

fn effect_of(arm: &str, duration: &str, fault: &str, rate: u32) -> FaultImpact {
    let text = format!(
        r#"
        question = "Are the effects of a fault measured as defined?"
        expectation = "Yes."
        duration = "{duration}"
        replications = 1
        strategies = [{{ name = "arm", {arm} }}]
        [models.m]
        service = {{ total = "10ms" }}
        [[accounts]]
        id = "a-{{n}}"
        count = 2
        provider = "custom"
        models = ["m"]
        max_in_flight = 3
        [workload]
        arrivals = "constant"
        rate = "{rate}rps"
        [[workload.classes]]
        name = "all"
        model = "m"
        input_tokens = 1
        output_tokens = 1
        [[faults]]
        {fault}
        accounts = "a-1"
        start = "100s"
        "#
    );
    let mut results = results(&scenario("effects", &text), 1);
    results.strategies.remove(0).faults.remove(0)
}

const OUTAGE: &str = r#"kind = "outage"
                        time_to_fail = "10ms"
                        duration = "60s""#;

fn after(millis: u64) -> Observed {
    Observed::After(Duration::from_millis(millis))
}

fn not_within(secs: u64) -> Observed {
    Observed::NotWithin(Duration::from_secs(secs))
}

/// Detect, mitigate, restore, and the success rate of the requests that came meanwhile.
fn assert_effect(found: &FaultImpact, times: [Observed; 3], successes: f64) {
    let expected = [&found.detect, &found.mitigate, &found.restore].map(|runs| runs[0]);
    assert_eq!(expected, times);
    assert!(
        (found.success_rate_during[0] - successes).abs() < 1e-12,
        "{found:?}"
    );
}

/// Every other request fails to the end, the shares do not move.
#[test]
fn nobody_does_anything() {
    let effect = effect(OUTAGE, 10, "breaker = false, max_attempts = 1");
    assert_effect(&effect, [not_within(60), not_within(60), after(0)], 0.5);
}

/// The attempts of 100.1, .3, .5, .7 and .9 s fail; the breaker opens at 100.91 s. The first window
/// loses 5 requests of 100, the next one none. Probes from 161.0 s on close the breaker, so that
/// the window from 160 s on, when the fault ends, has at least 3 + 3 + 8 * 5 = 46 dispatches of 100
/// to the account: above 90 % of one half.
#[test]
fn a_breaker_opens() {
    let effect = effect(OUTAGE, 10, "breaker = true, max_attempts = 1");
    assert_effect(&effect, [after(910), after(1_000), after(0)], 595.0 / 600.0);
}

/// The breaker of the fault above keeps the account out until 160.91 s, though it is well from 130
/// s on. The window from 159 s on has at most 7 + 7 * 5 = 42 dispatches to it, that from 160 s on
/// 46.
#[test]
fn a_breaker_stays_open_after_the_end() {
    let short = OUTAGE.replace("60s", "30s");
    let effect = effect(&short, 10, "breaker = true, max_attempts = 1");
    assert_effect(
        &effect,
        [after(910), after(1_000), after(30_000)],
        295.0 / 300.0,
    );
}

/// With retries nobody fails, but those that met the outage take 20 ms. Without a breaker these are
/// all, because the retry leaves the turn to the broken account again.
#[test]
fn retries_hide_the_failures_but_not_the_time() {
    let settings = "max_attempts = 2, retry = { budget_per_second = 1000 }";
    let without = effect(OUTAGE, 30, &format!("breaker = false, {settings}"));
    assert_effect(&without, [not_within(60), not_within(60), after(0)], 1.0);

    // Requests 3001 to 3005 meet it, the fifth at 3005 / 30 s; 5 of 300 are above 1 %.
    let with = effect(OUTAGE, 30, &format!("breaker = true, {settings}"));
    let fifth = Duration::from_nanos(3_005 * 1_000_000_000 / 30 + 1 - 100_000_000_000);
    let detect = Observed::After(fifth + Duration::from_millis(10));
    assert_effect(&with, [detect, after(1_000), after(0)], 1.0);
}

/// P99 counts from 200 requests in a window on, and from 120 % of the former one.
#[test]
fn slowness_counts_if_it_is_certain() {
    let slower =
        |factor: &str| format!("kind = \"brownout\"\nfactor = {factor}\nduration = \"60s\"");
    let settings = "breaker = true, max_attempts = 1";
    for (factor, rate, mitigate) in [
        ("3", 30, not_within(60)),
        ("3", 20, not_within(60)),
        ("3", 10, after(0)),
        ("1.1", 30, after(0)),
    ] {
        let effect = effect(&slower(factor), rate, settings);
        assert_effect(&effect, [not_within(60), mitigate, after(0)], 1.0);
    }
}

/// The first 429, of the request of 100.1 s, makes the account cool down.
#[test]
fn a_cool_down_detects() {
    let limited = r#"kind = "errors"
                     rate = 1.0
                     failure = "rate_limited"
                     time_to_fail = "10ms"
                     duration = "60s""#;
    let effect = effect(limited, 10, "breaker = false, max_attempts = 1");
    assert_eq!(effect.detect, [after(110)]);
}

/// Three attempts hang and fill the account: 3 dispatches of 100 in the first window. Three failed
/// requests of 100 degrade the one window that all of them are in, and no later one.
#[test]
fn a_shift_of_shares_detects() {
    let hole = "kind = \"blackhole\"\nduration = \"60s\"";
    let settings = "breaker = false, max_attempts = 1, deadline = \"10min\"";
    let effect = effect(hole, 10, settings);
    assert_effect(
        &effect,
        [after(10_000), after(1_000), not_within(231)],
        597.0 / 600.0,
    );
}

/// Whoever chooses blindly notices nothing. Of 10 dispatches in a window, though, fewer than 2.5
/// go to the account in one window of eighteen by chance: so few show no share at all.
#[test]
fn chance_detects_nothing() {
    let blind = "strategy = \"random\", breaker = false, max_attempts = 1";
    let long = OUTAGE.replace("60s", "600s");
    for (rate, restore) in [(1, 0), (7, 0), (9, 1)] {
        let effect = effect_of(blind, "1000s", &long, rate);
        assert_eq!(effect.detect, [not_within(600)], "{rate} rps");
        assert_eq!(effect.restore.len(), restore, "{rate} rps");
    }
}

/// Arrivals stop at 130 s, in the middle of the fault: nothing is known of what came after, least
/// of all that it was mitigated.
#[test]
fn arrivals_that_stop_do_not_mitigate() {
    let effect = effect_within("130s", OUTAGE, 10, "breaker = false, max_attempts = 1");
    assert_effect(
        &effect,
        [not_within(30), not_within(30), not_within(0)],
        0.5,
    );
}
