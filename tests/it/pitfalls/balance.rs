//! Who gets how much: ties, counters, weights, order.

use super::{arm, failed_attempts, results, success_rate};
use crate::stage::{PLAIN, Sent, Stage, account, accounts, at, features, once, secs, served};
use proptest::prelude::*;
use routelab::record::Strategy;
use routelab::request::{FailureKind, ModelIndex};
use routelab::routing::account::{Account, Availability};

/// 6: ties go to the first in the list.
///
/// Equal accounts under every strategy that ranks: each gets its share. Chi-square with 4 degrees
/// of freedom, 23.5 is the 99.99 % point; a version that keeps the first gives 40,000.
#[test]
fn p06_ties_are_broken_evenly() {
    for strategy in PLAIN {
        if matches!(
            strategy,
            Strategy::RoundRobin | Strategy::WeightedRoundRobin
        ) {
            continue; // fair by order
        }
        let mut stage = Stage::new(&once(strategy), &accounts(5));
        stage.measure(at(0), &[secs(1); 5]);
        let balancer = stage.gateway.balancer();
        let mut counts = [0u32; 5];
        let mut balancer = balancer.clone();
        for _ in 0..10_000 {
            let pick = balancer.pick(at(2_000), strategy, &features()).unwrap();
            counts[pick.at()] += 1;
        }
        let chi: f64 = counts
            .iter()
            .map(|n| (f64::from(*n) - 2_000.0).powi(2) / 2_000.0)
            .sum();
        // The even success windows of `measure` may leave fewer than five tied.
        let tied = counts.iter().filter(|n| **n > 0).count();
        assert!(tied == 5 && chi < 23.5, "{strategy}: {counts:?}");
    }
}

/// 7: the in-flight counter is updated late, leaked, or never.
///
/// It moves at dispatch, before any answer, and comes back to zero after every kind of end. A late
/// counter would send the whole burst to one account; a leak shows in the last line.
#[test]
fn p07_in_flight_counts_at_dispatch_and_after_every_end() {
    let ends = FailureKind::ALL
        .iter()
        .map(|kind| Some(*kind))
        .chain([None]);
    for end in ends {
        let mut stage = Stage::new(&once(Strategy::LeastConnections), &accounts(4));
        let sent: Vec<Sent> = (0..8).map(|_| stage.send(at(0), &features())).collect();
        assert_eq!([0, 1, 2, 3].map(|a| stage.in_flight(a)), [2; 4]);
        for (done, sent) in sent.into_iter().enumerate() {
            stage.end(at(10), sent, end.map(Into::into));
            let left: u32 = (0..4).map(|a| stage.in_flight(a)).sum();
            assert_eq!(left as usize, 7 - done, "{end:?}");
        }
        assert_eq!(stage.gateway.in_flight(), 0);
    }
}

/// 9: least busy picks an unhealthy account, because it is idle, then falls back to random.
///
/// An account that fails in a millisecond is always the least busy. With the breaker it gets next
/// to nothing, without it most of the attempts; that is what the test would say of a balancer that
/// looks at load alone.
#[test]
fn p09_idle_because_broken_does_not_win() {
    let results = results(
        r#"
        duration = "5min"
        strategies = [
            "least_connections",
            { name = "load-alone", strategy = "least_connections", breaker = false },
        ]
        workload = { arrivals = "poisson", rate = "10rps", classes = ALL }
        faults = [
            { kind = "outage", accounts = "a2", start = "0s", duration = "5min",
              time_to_fail = "1ms" },
        ]
        [routing]
        max_attempts = 1
        [[accounts]]
        id = "a{n}"
        count = 4
        provider = "anthropic"
        models = ["m"]
        service = { total = "2s" }
        "#,
    );
    let (good, naive) = (
        arm(&results, "least_connections"),
        arm(&results, "load-alone"),
    );
    assert!(failed_attempts(good, 1, FailureKind::Unavailable) <= 5 + 5);
    assert!(success_rate(good) > 0.99);
    assert!(success_rate(naive) < 0.5, "{}", success_rate(naive));
}

/// 9: the rest is still ranked by load, not at random.
#[test]
fn p09_the_rest_is_still_ranked() {
    let mut stage = Stage::new(&once(Strategy::LeastConnections), &accounts(4));
    let mut failures = 0;
    while failures < 5 {
        let sent = stage.send(at(0), &features());
        if sent.account == 2 {
            stage.fail(at(0), sent, FailureKind::Overloaded);
            failures += 1;
        } else {
            stage.succeed(at(0), sent);
        }
    }
    stage.burst(90, at(1_000), &features());
    assert_eq!([0, 1, 2, 3].map(|a| stage.in_flight(a)), [30, 30, 0, 30]);
}

/// All orders of a list.
fn permutations(list: &[Account]) -> Vec<Vec<Account>> {
    if list.len() <= 1 {
        return vec![list.to_vec()];
    }
    let mut all = vec![];
    for first in 0..list.len() {
        let mut rest = list.to_vec();
        let first = rest.remove(first);
        for mut tail in permutations(&rest) {
            tail.insert(0, first.clone());
            all.push(tail);
        }
    }
    all
}

/// 10: weights are ignored depending on the order of the list after filtering.
///
/// Weights 5, 3, 1, 1 and one account that is filtered out (draining, or without the model), in all
/// 120 orders: over 100 requests everybody gets exactly its weight, by credits and by load. A
/// version that looks weights up by the position after filtering mixes them up in most orders.
#[test]
fn p10_weights_hold_in_every_order() {
    for out in 0..2 {
        let mut pool = accounts(5);
        for (account, weight) in pool.iter_mut().zip([5, 3, 1, 1, 7]) {
            account.weight = weight;
        }
        match out {
            0 => pool[4].availability = Availability::Draining,
            _ => pool[4].models = vec![served(1, 1.0)],
        }
        for order in permutations(&pool) {
            for strategy in [Strategy::WeightedRoundRobin, Strategy::LeastConnections] {
                let mut config = once(strategy);
                config.dynamic_weights = false;
                let mut stage = Stage::new(&config, &order);
                stage.burst(100, at(0), &features());
                for (at, account) in order.iter().enumerate() {
                    let due = if account.id == "a4" {
                        0
                    } else {
                        10 * account.weight
                    };
                    assert_eq!(stage.in_flight(at), due, "{strategy} {}", account.id);
                }
            }
        }
    }
}

/// What a cursor that counts requests does: `count % candidates`, or back to 0 on a change.
fn naive_round_robin(count: usize, candidates: &[usize]) -> usize {
    candidates[count % candidates.len()]
}

/// 11: round robin restarts at 0, or skips, when the candidate set changes.
///
/// One of four accounts comes and goes at every request, as cool-downs do. Whoever is always there
/// must be picked once in every round: between two picks of one, every other is picked exactly
/// once. Counting requests modulo the candidates starves one of them altogether.
#[test]
fn p11_round_robin_is_fair_while_the_set_changes() {
    let mut stage = Stage::new(&once(Strategy::RoundRobin), &accounts(4));
    let (mut picks, mut naive) = ([0u32; 4], [0u32; 4]);
    for i in 0..600 {
        let mut flapping = account(0);
        if i % 2 == 0 {
            flapping.availability = Availability::Disabled;
        }
        stage.gateway.upsert(at(i), flapping);
        let sent = stage.send(at(i), &features());
        picks[sent.account] += 1;
        stage.succeed(at(i), sent);
        let candidates: &[usize] = if i % 2 == 0 {
            &[1, 2, 3]
        } else {
            &[0, 1, 2, 3]
        };
        naive[naive_round_robin(i as usize, candidates)] += 1;
    }
    let spread = |p: [u32; 4]| p[1..].iter().max().unwrap() - p[1..].iter().min().unwrap();
    assert!(spread(picks) <= 1, "{picks:?}");
    assert!(
        spread(naive) > 50,
        "the naive cursor shows the fault: {naive:?}"
    );
}

proptest! {
    /// 11: whatever the sets look like, nobody who was there all the time is passed over: of two
    /// accounts that were candidates throughout, each is picked exactly once between two picks of
    /// the other.
    #[test]
    fn p11_nobody_is_passed_over(
        sets in prop::collection::vec(prop::collection::vec(any::<bool>(), 6), 1..80),
    ) {
        let mut stage = Stage::new(&once(Strategy::RoundRobin), &accounts(6));
        let mut log: Vec<(Vec<bool>, usize)> = vec![];
        for (i, set) in sets.into_iter().enumerate() {
            let now = at(i as u64);
            for (n, there) in set.iter().enumerate() {
                let mut it = account(n);
                if !there {
                    it.availability = Availability::Disabled;
                }
                stage.gateway.upsert(now, it);
            }
            let Some(sent) = stage.request(now, &features()).sent() else {
                prop_assert!(set.iter().all(|there| !there));
                continue;
            };
            prop_assert!(set[sent.account]);
            stage.succeed(now, sent);
            let last = log.iter().rposition(|(_, pick)| *pick == sent.account);
            if let Some(last) = last {
                for other in (0..6).filter(|other| *other != sent.account) {
                    let between = &log[last + 1..];
                    let both = |(set, _): &(Vec<bool>, usize)| set[other] && set[sent.account];
                    if set[other] && log[last..].iter().all(both) {
                        let times = between.iter().filter(|(_, pick)| *pick == other).count();
                        prop_assert_eq!(times, 1, "account {}", other);
                    }
                }
            }
            log.push((set, sent.account));
        }
    }
}

/// 11: two kinds of request that choose from different accounts do not pull one cursor back and
/// forth: each kind is spread evenly over its own.
#[test]
fn p11_models_do_not_share_a_cursor() {
    let mut pool = accounts(4);
    pool[0].models.push(served(1, 1.0));
    pool[1].models.push(served(1, 1.0));
    let mut stage = Stage::new(&once(Strategy::RoundRobin), &pool);
    let other = routelab::request::RequestFeatures {
        model: ModelIndex(1),
        ..features()
    };
    let mut counts = [[0; 4]; 2];
    for i in 0..40 {
        counts[0][stage.send(at(i), &features()).account] += 1;
        counts[1][stage.send(at(i), &other).account] += 1;
    }
    assert_eq!(counts, [[10, 10, 10, 10], [20, 20, 0, 0]]);
}
