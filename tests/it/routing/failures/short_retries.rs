//! Retries that their request's deadline ends: judged only if the account had its usual time.

use crate::stage::{Stage, accounts, at, features, ms, retrying, secs};
use routelab::record::Strategy;
use routelab::request::{AccountIndex, FailureKind};

/// A request that the first account refuses until `left` of its 30 s remain, and that they end at
/// the second one.
fn run_out(stage: &mut Stage, from: u64, left: u64) {
    let sent = stage.send(at(from), &features());
    assert_eq!(sent.account, 0);
    let refused = at(from + 30_000 - left);
    let second = stage.limit(refused, sent, Some(ms(0))).sent().unwrap();
    let (end, kind) = (at(from + 30_000), FailureKind::DeadlineExceeded);
    assert_eq!(stage.timer(end).cancels(), [(second.attempt, kind)]);
    stage.fail(end, second, kind);
}

/// The deadline of a retry counts against the account if it had the time that it usually takes (5 s
/// where nobody knows); where it had less, the time was spent elsewhere, and is no sample either. A
/// first attempt had it all.
#[test]
fn the_deadline_of_a_retry_counts_by_the_time_it_had() {
    let new = || Stage::new(&retrying(Strategy::RoundRobin), &accounts(2));
    let judged = |stage: &Stage| {
        let learned = stage.gateway.get_all_metrics(at(40_000))[1].1.learned;
        let streak = learned.error_streak;
        assert_eq!(learned.last_failure.is_some(), streak > 0);
        assert_eq!(learned.success_rate < 1.0, streak > 0);
        streak > 0
    };
    for (left, counts) in [(3_999, false), (4_000, true), (29_000, true)] {
        let mut stage = new();
        stage.measure(at(0), &[secs(4); 2]);
        run_out(&mut stage, 10_000, left);
        assert_eq!(judged(&stage), counts, "{left} ms of 4 s");
    }
    for (left, counts) in [(4_999, false), (5_000, true)] {
        let mut stage = new();
        run_out(&mut stage, 10_000, left);
        assert_eq!(judged(&stage), counts, "unmeasured, {left} ms");
        assert_eq!(stage.response(1).is_some(), counts, "a sample if it counts");
    }
    let mut stage = new();
    let first = stage.burst(2, at(10_000), &features())[1];
    stage.fail(at(40_000), first, FailureKind::DeadlineExceeded);
    assert!(judged(&stage), "a first attempt");
}

/// The breaker judges by the same rule: any number of short retries opens nothing, five that had
/// time do.
#[test]
fn short_retries_open_no_breaker() {
    let mut stage = Stage::new(&retrying(Strategy::RoundRobin), &accounts(2));
    (0..10).for_each(|i| run_out(&mut stage, i * 30_000, 3_000 - i));
    assert_eq!(stage.transitions(), []);
    (10..15).for_each(|i| run_out(&mut stage, i * 30_000, 10_000 + i));
    let opened: Vec<_> = stage.transitions().iter().map(|t| t.account).collect();
    assert_eq!(opened, [AccountIndex(1)]);
}
