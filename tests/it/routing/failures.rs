//! The table of failure kinds, row by row: as the code states it, and as it shows at the gateway.

mod short_retries;

use crate::stage::table::{Row, row_of};
use crate::stage::{Sent, Stage, USAGE, accounts, at, features, ms, once, retrying, secs, served};
use routelab::record::{Outcome, Strategy};
use routelab::request::{AccountIndex, Failure, FailureKind};
use routelab::routing::breaker::BreakerState;
use routelab::routing::failure::{AccountEffect, consequence};
use routelab::units::NanoUsd;

fn every(check: impl Fn(FailureKind, Row)) {
    FailureKind::ALL
        .iter()
        .for_each(|kind| check(*kind, row_of(*kind)));
}

#[test]
fn the_code_states_the_same_table() {
    every(|kind, row| {
        let code = consequence(kind);
        let stated = Row {
            retry: code.retry,
            counts: code.counts,
            sample: code.latency_sample,
            charged: code.charged,
            effect: code.account,
        };
        assert_eq!(stated, row, "{kind}");
    });
}

/// One attempt of 4 s, answered, then one that fails after `took_ms`.
fn failed_once(kind: FailureKind, took_ms: u64) -> (Stage, crate::stage::Actions) {
    let mut stage = Stage::new(&once(Strategy::RoundRobin), &accounts(1));
    stage.serve(at(0), secs(4));
    let sent = stage.send(at(10_000), &features());
    let actions = stage.fail(at(10_000 + took_ms), sent, kind);
    (stage, actions)
}

#[test]
fn retried_at_once_elsewhere_or_not_at_all() {
    every(|kind, row| {
        let mut stage = Stage::new(&retrying(Strategy::RoundRobin), &accounts(2));
        let sent = stage.send(at(0), &features());
        let actions = stage.fail(at(100), sent, kind);
        let second = actions.sent().map(|sent| sent.account);
        assert_eq!(second, row.retry.then_some(1), "{kind}");
        let outcome = actions.ended().map(|record| record.outcome);
        let failed = (!row.retry).then_some(Outcome::Failed(kind));
        assert_eq!(outcome, failed, "{kind}");
    });
}

/// Health falls by what the streak and the window say, or stays as it is.
#[test]
fn counted_in_window_and_streak() {
    every(|kind, row| {
        let (stage, _) = failed_once(kind, 1);
        // 2 of 3 with the prior success; a streak of one; 4 s of 5.
        let success = if row.counts { 2.0 / 3.0 } else { 1.0 };
        let stability = if row.counts { 0.8 } else { 1.0 };
        let expected = 0.4 * success + 0.3 * 5.0 / 9.0 + 0.2 + 0.1 * stability;
        assert!((stage.health(0) - expected).abs() < 1e-9, "{kind}");
    });
}

/// Five in a row open the breaker, where the kind counts; cool-downs are waited out.
#[test]
fn counted_by_the_breaker() {
    every(|kind, row| {
        let mut stage = Stage::new(&once(Strategy::RoundRobin), &accounts(1));
        let mut now = 0;
        for i in 0..20 {
            let Some(sent) = stage.request(at(now), &features()).sent() else {
                assert!(row.counts && i == 5, "{kind}: refused after {i}");
                break;
            };
            stage.fail(at(now), sent, kind);
            now += match row.effect {
                AccountEffect::None => 1,
                AccountEffect::CoolDown => 60_000,
                AccountEffect::Disable => 600_000,
            };
        }
        let opened = stage.transitions();
        assert_eq!(opened.len(), usize::from(row.counts), "{kind}");
        assert!(opened.iter().all(|t| t.transition.to == BreakerState::Open));
    });
}

/// A half-open breaker's probe is judged where the kind counts, else only releases its place.
#[test]
fn judged_as_a_probe() {
    every(|kind, row| {
        let mut config = once(Strategy::RoundRobin);
        config.cool_down.base = ms(1);
        config.cool_down.account_fault = ms(1);
        let mut stage = Stage::new(&config, &accounts(1));
        for _ in 0..5 {
            let sent = stage.send(at(0), &features());
            stage.fail(at(0), sent, FailureKind::Unavailable);
        }
        for _ in 0..2 {
            let probe = stage.send(at(60_000), &features());
            assert_eq!(
                stage.request(at(60_000), &features()).sent(),
                None,
                "one at a time"
            );
            stage.succeed(at(60_000), probe);
        }
        let probe = stage.send(at(60_001), &features());
        let record = stage.fail(at(60_001), probe, kind).attempt().unwrap();
        assert!(record.probe);
        let third = stage.request(at(60_002), &features()).sent();
        assert_eq!(third.is_some(), !row.counts, "{kind}");
        if let Some(third) = third {
            stage.succeed(at(60_002), third);
            let last = stage.transitions().last().unwrap().transition.to;
            assert_eq!(
                last,
                BreakerState::Closed,
                "{kind}: the two successes still count"
            );
        }
    });
}

/// A timeout says "at least so long": longer than known moves the estimate, shorter does not.
#[test]
fn sampled_as_latency() {
    every(|kind, row| {
        for took in [1_000, 9_000] {
            let (stage, _) = failed_once(kind, took);
            let sample = f64::max(4.0, took as f64 / 1_000.0);
            let dt = (10_000 + took - 4_000) as f64 / 10_000.0;
            let expected = if row.sample {
                4.0 + (1.0 - (-dt).exp()) * (sample - 4.0)
            } else {
                4.0
            };
            let response = stage.response(0).unwrap();
            assert!(
                (response - expected).abs() < 1e-6,
                "{kind} {took}: {response} {expected}"
            );
        }
    });
}

/// A timeout before the first token is a sample of the time to first token; a pause after it is
/// not. Seen by which account `fastest_response` takes next.
#[test]
fn sampled_as_time_to_first_token() {
    let stream = crate::stage::streaming();
    for kind in [FailureKind::FirstTokenTimeout, FailureKind::AttemptTimeout] {
        let mut stage = Stage::new(&once(Strategy::FastestResponse), &accounts(2));
        let answer = |stage: &mut Stage, now: u64, sent: Sent, first: u64| {
            stage.gateway.on_first_token(at(now + first), sent.attempt);
            stage.succeed(at(now + first), sent);
        };
        let first = stage.send(at(0), &stream);
        let second = stage.send(at(0), &stream);
        answer(&mut stage, 0, first, 100);
        answer(&mut stage, 0, second, 500);
        let third = stage.send(at(1_000), &stream);
        assert_eq!(third.account, first.account, "the faster one");
        stage.fail(at(9_000), third, kind);
        let next = stage.send(at(9_000), &stream);
        assert_eq!(next.account, second.account, "{kind}: no longer");
    }
}

/// The bill: $1 and $2 per million tokens, 1,000 in and 100 out are 1,200,000 nano-USD.
#[test]
fn charged() {
    every(|kind, row| {
        let mut stage = Stage::new(&once(Strategy::RoundRobin), &accounts(1));
        let sent = stage.send(at(0), &features());
        let actions = stage.fail(at(100), sent, kind);
        let (attempt, request) = (actions.attempt().unwrap(), actions.ended().unwrap());
        let cost = NanoUsd(if row.charged { 1_200_000 } else { 0 });
        assert_eq!(attempt.cost, cost, "{kind}");
        assert_eq!(
            (request.cost, request.wasted),
            (cost, cost),
            "{kind}: all of it wasted"
        );
        let usage = if row.charged {
            USAGE
        } else {
            Default::default()
        };
        assert_eq!(attempt.usage, usage, "{kind}");
    });
}

/// The whole of a request's bill is its attempts'; what did not help is waste.
#[test]
fn waste_is_apart() {
    let mut pool = accounts(2);
    pool[1].models = vec![served(0, 5.0)];
    let mut stage = Stage::new(&retrying(Strategy::RoundRobin), &pool);
    let sent = stage.send(at(0), &features());
    let second = stage
        .fail(at(100), sent, FailureKind::AttemptTimeout)
        .sent()
        .unwrap();
    let record = stage.succeed(at(200), second).ended().unwrap();
    assert_eq!(record.cost, NanoUsd(1_200_000 * 6));
    assert_eq!(record.wasted, NanoUsd(1_200_000));
    assert_eq!(record.outcome, Outcome::Success);
}

/// Cool-down, disabling, or neither: how long the account is out, and what is reported.
#[test]
fn the_account_is_left_alone() {
    every(|kind, row| {
        for named in [None, Some(secs(90))] {
            let mut stage = Stage::new(&once(Strategy::RoundRobin), &accounts(1));
            let sent = stage.send(at(0), &features());
            let failure = Failure {
                kind,
                retry_after: named,
            };
            stage.end(at(0), sent, Some(failure));
            let out = match row.effect {
                AccountEffect::None => None,
                AccountEffect::CoolDown => Some(named.unwrap_or(secs(5))),
                AccountEffect::Disable => Some(secs(600)),
            };
            let retry = stage.gateway.balancer().earliest_retry(at(0), &features());
            assert_eq!(retry, out.map(|out| at(0) + out), "{kind} {named:?}");
            assert_eq!(
                stage.request(at(0), &features()).sent().is_some(),
                out.is_none()
            );
            let pool = stage.gateway.balancer().pool();
            let disabled = u64::from(row.effect == AccountEffect::Disable);
            assert_eq!(
                pool.cool_downs(AccountIndex(0)).1,
                disabled,
                "{kind}: reported"
            );
        }
    });
}

/// Only a success of an attempt sent since the last 429 makes the next cool-down short again: one
/// sent before says nothing about the time since.
#[test]
fn an_older_success_does_not_forgive() {
    let mut stage = Stage::new(&once(Strategy::RoundRobin), &accounts(1));
    let back = |stage: &Stage, now| stage.gateway.balancer().earliest_retry(now, &features());
    let sent = stage.burst(2, at(0), &features());
    stage.limit(at(1_000), sent[0], None);
    assert_eq!(back(&stage, at(1_000)), Some(at(6_000)));
    stage.succeed(at(2_000), sent[1]);
    let next = stage.send(at(6_000), &features());
    stage.limit(at(6_000), next, None);
    assert_eq!(
        back(&stage, at(6_000)),
        Some(at(16_000)),
        "10 s: it was too old"
    );
    stage.serve(at(16_000), secs(1));
    let sent = stage.burst(2, at(17_000), &features());
    stage.limit(at(17_000), sent[0], None);
    assert_eq!(
        back(&stage, at(17_000)),
        Some(at(22_000)),
        "5 s: this one was not"
    );
    stage.succeed(at(18_000), sent[1]);
    let next = stage.send(at(22_000), &features());
    stage.limit(at(22_000), next, None);
    assert_eq!(
        back(&stage, at(22_000)),
        Some(at(27_000)),
        "nor one of the same instant"
    );
}

/// A failure counts with at least the configured latency, so that failing fast does not look fast.
#[test]
fn a_failure_counts_at_least_the_stated_latency() {
    let latency = |deadline, kind: Option<FailureKind>, took| {
        let mut config = once(Strategy::RoundRobin);
        config.deadline = deadline;
        let mut stage = Stage::new(&config, &accounts(1));
        let sent = stage.send(at(0), &features());
        let record = stage
            .end(at(0) + took, sent, kind.map(Into::into))
            .ended()
            .unwrap();
        let counted = stage.gateway.statistics().latency_of(&record);
        assert_eq!(stage.notes.latency, Some(counted));
        counted
    };
    let (limit, failed) = (Some(secs(30)), Some(FailureKind::Connection));
    assert_eq!(latency(limit, failed, ms(1)), secs(30));
    assert_eq!(latency(limit, failed, secs(31)), secs(31));
    assert_eq!(latency(limit, None, ms(1)), ms(1));
    assert_eq!(latency(None, failed, ms(1)), ms(1));
}
