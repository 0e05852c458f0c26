//! Rate limits: when they are counted, and over which stretch of time.

use super::{arm, failed_attempts, results};
use crate::stage::{Stage, USAGE, accounts, at, features, once};
use routelab::record::Strategy;
use routelab::request::{FailureKind, RequestFeatures, Usage};
use routelab::routing::account::RateLimits;

/// An account with these limits, and a gateway that minds them, or not.
fn limited(limits: RateLimits, quota_aware: bool) -> Stage {
    let mut pool = accounts(1);
    pool[0].limits = limits;
    pool[0].max_in_flight = 10_000;
    let mut config = once(Strategy::RoundRobin);
    config.quota_aware = Some(quota_aware);
    Stage::new(&config, &pool)
}

/// How many of a burst at one instant are sent.
fn sent_of(stage: &mut Stage, burst: u32, millis: u64, features: &RequestFeatures) -> u32 {
    let requests = (0..burst).map(|_| stage.request(at(millis), features));
    requests
        .map(|actions| u32::from(actions.sent().is_some()))
        .sum()
}

/// 23: tokens are counted after the answer, so a burst overshoots the quota.
///
/// A hundred requests of 1,000 tokens in and 200 out at one instant, nothing answered yet. With
/// room for 10,000 of input, or 2,000 of output, a minute, ten are sent. A gateway that counts when
/// the answer has come sees an empty count a hundred times and sends them all.
#[test]
fn p23_a_burst_is_counted_before_its_answers() {
    let request = RequestFeatures {
        max_output_tokens: Some(200),
        ..features()
    };
    let input = RateLimits {
        input_tokens_per_minute: Some(10_000),
        ..RateLimits::default()
    };
    let output = RateLimits {
        output_tokens_per_minute: Some(2_000),
        ..RateLimits::default()
    };
    for limits in [input, output] {
        let sent = sent_of(&mut limited(limits, true), 100, 0, &request);
        assert_eq!(sent, 10, "{limits:?}");
        let counted_late = sent_of(&mut limited(limits, false), 100, 0, &request);
        assert_eq!(counted_late, 100, "the fault shows");
    }
}

/// 23: what was expected is put right by the answer: neither is room lost to answers that came out
/// short, nor won by long ones.
#[test]
fn p23_the_estimate_is_put_right() {
    let limits = RateLimits {
        output_tokens_per_minute: Some(2_000),
        ..RateLimits::default()
    };
    let request = RequestFeatures {
        max_output_tokens: Some(200),
        ..features()
    };
    for (output, room) in [(100, 9), (200, 9), (400, 8)] {
        let mut stage = limited(limits, true);
        let sent = stage.send(at(0), &request);
        stage.end_using(at(0), sent, None, Usage { output, ..USAGE });
        // What the model has been seen to produce is expected from now on; the maximum caps it.
        let expected = output.min(200);
        let fits = (2_000 - output) / expected;
        let sent = sent_of(&mut stage, 2_100, 0, &request);
        assert!(
            sent.abs_diff(fits) <= 1 && sent >= room,
            "{output}: {sent}, not {fits}"
        );
    }
}

/// 23, as a scenario: the upstream counts output when it has been produced, and then refuses until
/// the debt is paid off. A gateway that reserves what it expects is refused next to never; one that
/// does not is refused hundreds of times.
#[test]
fn p23_reserving_avoids_the_refusals() {
    let results = results(
        r#"
        duration = "10min"
        strategies = [
            { name = "reserving", strategy = "round_robin", quota_aware = true },
            { name = "blind", strategy = "round_robin", quota_aware = false },
        ]
        workload = { arrivals = "poisson", rate = "3rps", classes = [
            { name = "all", model = "m", input_tokens = 100, output_tokens = 256 },
        ] }
        [routing]
        max_attempts = 1
        [[accounts]]
        id = "a"
        provider = "anthropic"
        models = ["m"]
        service = { total = "20s" }
        limits = { output_tokens_per_minute = 25_600 }
        "#,
    );
    let refused = |name| failed_attempts(arm(&results, name), 0, FailureKind::RateLimited);
    let (reserving, blind) = (refused("reserving"), refused("blind"));
    assert!(reserving <= 5, "{reserving}");
    assert!(blind > 10 * reserving.max(1), "{blind} against {reserving}");
}

/// Requests that a counter lets through which starts anew at every full minute of the clock.
fn fixed_window(limit: u32, bursts: &[(u64, u32)]) -> u32 {
    let (mut minute, mut used, mut through) = (0, 0, 0);
    for (millis, burst) in bursts {
        if millis / 60_000 != minute {
            (minute, used) = (millis / 60_000, 0);
        }
        let taken = (*burst).min(limit - used);
        used += taken;
        through += taken;
    }
    through
}

/// 24: fixed windows of clock minutes let twice the limit through around :00.
///
/// A thousand requests just before the full minute, a thousand just after it, limit 60. Routing
/// lets 60 through and 0.2 s worth of refill, none; the fixed window 120.
#[test]
fn p24_the_minute_has_no_seam() {
    let limits = RateLimits {
        requests_per_minute: Some(60),
        ..RateLimits::default()
    };
    let bursts = [(59_900, 1_000), (60_100, 1_000)];
    let mut stage = limited(limits, true);
    let through = bursts.map(|(millis, burst)| sent_of(&mut stage, burst, millis, &features()));
    assert_eq!(through, [60, 0]);
    assert_eq!(fixed_window(60, &bursts), 120, "the fault shows");
}

/// 24, upstream: around each of ten full minutes the emulated provider answers a minute's worth and
/// two seconds of refill, 62 of 400 requests.
#[test]
fn p24_the_upstream_has_no_seam_either() {
    let segments: String = (1..=10)
        .map(|minute| {
            let step = |s: u32, rate| format!("{{ start = \"{s}s\", rate = \"{rate}rps\" }}, ");
            step(60 * minute - 1, 200) + &step(60 * minute + 1, 0)
        })
        .collect();
    let results = results(&format!(
        r#"
        duration = "11min"
        strategies = ["round_robin"]
        workload = {{ arrivals = "piecewise", classes = [
            {{ name = "all", model = "m", input_tokens = 100, output_tokens = 10 }},
        ], segments = [{{ start = "0s", rate = "0rps" }}, {segments}] }}
        [routing]
        max_attempts = 1
        breaker = false
        cool_down = {{ base = "1ms", cap = "1ms" }}
        [[accounts]]
        id = "a"
        provider = "anthropic"
        models = ["m"]
        max_in_flight = 1000
        service = {{ total = "100ms" }}
        quota = {{ requests_per_minute = 60, retry_after = false }}
        "#
    ));
    let counts = arm(&results, "round_robin").replications[0].counts;
    assert!(counts.requests > 3_800);
    // Full at the first; then a minute's refill from one burst to the next.
    assert!((598..=602).contains(&counts.successes), "{counts:?}");
}
