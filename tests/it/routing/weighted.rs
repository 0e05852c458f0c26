//! Weighted round robin vectors, dynamic weights, and even choices by chance.

use crate::stage::{PLAIN, Stage, accounts, at, features, once, secs};
use routelab::record::Strategy;
use routelab::request::FailureKind;
use routelab::routing::account::Account;

fn weighted(weights: &[u32]) -> Vec<Account> {
    let mut pool = accounts(weights.len());
    for (account, weight) in pool.iter_mut().zip(weights) {
        account.weight = *weight;
    }
    pool
}

/// Picks in order, one letter an account.
fn picks(weights: &[u32], dynamic: bool, count: usize) -> String {
    let mut config = once(Strategy::WeightedRoundRobin);
    config.dynamic_weights = dynamic;
    let mut stage = Stage::new(&config, &weighted(weights));
    let next = |_| char::from(b'a' + stage.send(at(0), &features()).account as u8);
    (0..count).map(next).collect()
}

/// The published vectors: nginx's (5, 1, 1), and (3, 2, 1); ties in account order.
#[test]
fn the_vectors_of_smooth_weighted_round_robin() {
    assert_eq!(picks(&[5, 1, 1], false, 14), "aabacaaaabacaa");
    assert_eq!(picks(&[3, 2, 1], false, 12), "abacbaabacba");
    assert_eq!(picks(&[1, 1, 1], false, 6), "abcabc");
    assert_eq!(picks(&[7], false, 3), "aaa");
}

/// A weight counts as many thousandths as the health has, and a tenth of it at least.
///
/// Account 0 is healthy (0.85 with nothing measured), account 1 has failed twice: of three with the
/// prior one succeeded, the streak is two. Requests end at once, by a kind that teaches nothing.
#[test]
fn dynamic_weights_are_scaled_by_health() {
    let mut stage = Stage::new(&once(Strategy::WeightedRoundRobin), &weighted(&[1, 1]));
    let mut failures = 0;
    while failures < 2 {
        let sent = stage.send(at(0), &features());
        let bad = sent.account == 1;
        failures += u32::from(bad);
        let kind = if bad {
            FailureKind::BadGateway
        } else {
            FailureKind::BadRequest
        };
        stage.fail(at(0), sent, kind);
    }
    let health = 0.4 / 3.0 + 0.15 + 0.2 + 0.06;
    assert!((stage.health(1) - health).abs() < 1e-12);
    let (good, bad) = (850.0, f64::round(1_000.0 * health));
    let mut counts = [0u32; 2];
    for _ in 0..10_000 {
        let sent = stage.send(at(1), &features());
        counts[sent.account] += 1;
        stage.fail(at(1), sent, FailureKind::BadRequest);
    }
    let share = 10_000.0 * bad / (good + bad);
    assert!(
        (f64::from(counts[1]) - share).abs() <= 2.0,
        "{counts:?} {share}"
    );
}

/// However bad an account is, it keeps a tenth of its weight: with weights 10 and 1 the bad heavy
/// one and the good light one are about even.
#[test]
fn dynamic_weights_have_a_floor() {
    let mut config = once(Strategy::WeightedRoundRobin);
    config.breaker = None;
    config.health.success = 1.0;
    config.health.response = 0.0;
    config.health.connections = 0.0;
    config.health.stability = 0.0;
    let mut stage = Stage::new(&config, &weighted(&[10, 1]));
    for _ in 0..1_000 {
        let sent = stage.send(at(0), &features());
        let bad = sent.account == 0;
        let kind = if bad {
            FailureKind::BadGateway
        } else {
            FailureKind::BadRequest
        };
        stage.fail(at(0), sent, kind);
    }
    assert!(stage.health(0) < 0.01);
    let mut counts = [0u32; 2];
    for _ in 0..1_000 {
        let sent = stage.send(at(1), &features());
        counts[sent.account] += 1;
        stage.fail(at(1), sent, FailureKind::BadRequest);
    }
    assert_eq!(counts, [500, 500], "10 x 100 against 1 x 1000");
}

/// 23.5 is the 99.99 % point of chi-square with 4 degrees of freedom.
fn is_even(counts: [u32; 5]) -> bool {
    let mean = f64::from(counts.iter().sum::<u32>()) / 5.0;
    let chi: f64 = counts
        .iter()
        .map(|n| (f64::from(*n) - mean).powi(2) / mean)
        .sum();
    chi < 23.5
}

/// Nothing is known: strategies that look at latency choose evenly whom to measure first; those
/// that look at load find all equal; random is uniform.
#[test]
fn cold_accounts_are_measured_in_an_even_order() {
    for strategy in PLAIN {
        if matches!(
            strategy,
            Strategy::RoundRobin | Strategy::WeightedRoundRobin
        ) {
            continue;
        }
        let stage = Stage::new(&once(strategy), &accounts(5));
        let mut balancer = stage.gateway.balancer().clone();
        let mut counts = [0; 5];
        for _ in 0..10_000 {
            counts[balancer.pick(at(0), strategy, &features()).unwrap().at()] += 1;
        }
        assert!(is_even(counts), "{strategy}: {counts:?}");
    }
}

/// Five half-open accounts beside a sixth that works: the probe goes to any of the five, evenly,
/// under every strategy.
#[test]
fn half_open_accounts_get_the_next_request_evenly() {
    for strategy in PLAIN {
        let mut stage = Stage::new(&once(strategy), &accounts(5));
        while let Some(sent) = stage.request(at(0), &features()).sent() {
            stage.fail(at(0), sent, FailureKind::Unavailable);
        }
        stage.gateway.upsert(at(0), crate::stage::account(5));
        stage.serve(at(30_000), secs(1));
        let mut balancer = stage.gateway.balancer().clone();
        let mut counts = [0; 5];
        for _ in 0..10_000 {
            counts[balancer
                .pick(at(60_000), strategy, &features())
                .unwrap()
                .at()] += 1;
        }
        assert!(is_even(counts), "{strategy}: {counts:?}");
    }
}
