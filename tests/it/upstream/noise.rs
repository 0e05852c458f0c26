//! Randomness: rates as stated, and the same demand for the same attempt whatever else goes on.

use super::*;
use routelab::upstream::config::{CalmFailure, Fault, FaultKind, Trouble};
use std::collections::BTreeMap;

fn noisy() -> Service {
    Service::Tokens {
        first_token: Distribution::lognormal(0.4, 0.5).unwrap(),
        first_token_per_1k_input: Duration::from_millis(20),
        per_output_token: Distribution::gamma(0.02, 0.3).unwrap(),
    }
}

fn troubles() -> Vec<CalmFailure> {
    let failure = |trouble, rate| CalmFailure {
        trouble,
        rate,
        time_to_fail: Distribution::exponential(0.2).unwrap(),
    };
    vec![
        failure(Trouble::Fails(FailureKind::Overloaded), 0.04),
        failure(Trouble::Fails(FailureKind::BrokenStream), 0.03),
        failure(Trouble::Hangs, 0.02),
        failure(Trouble::Fails(FailureKind::BadRequest), 0.01),
    ]
}

/// Runs `(time in ms, account)` per attempt; gives the last event and its time after the beginning.
fn outcomes(config: &UpstreamConfig, begins: &[(u64, u32)]) -> Vec<Option<(u64, String)>> {
    let mut fleet = Fleet::new(config, Streams::new(3, 1));
    let mut ends = vec![None; begins.len()];
    let mut run_to = |fleet: &mut Fleet, now: Timestamp| {
        while let Some(time) = fleet.next_event().filter(|time| *time <= now) {
            if let Some(event) = fleet.advance(time) {
                let (UpstreamEvent::FirstToken { attempt }
                | UpstreamEvent::Progress { attempt }
                | UpstreamEvent::Finished { attempt, .. }
                | UpstreamEvent::Failed { attempt, .. }) = event;
                let after = time.since(ms(begins[attempt.at()].0)).as_nanos();
                ends[attempt.at()] = Some((after, describe(event)));
            }
        }
    };
    for (&(millis, to), id) in begins.iter().zip(0..) {
        run_to(&mut fleet, ms(millis));
        let request = request(u64::from(id), true);
        fleet.begin(ms(millis), AttemptId(id), AccountIndex(to), 0, &request);
    }
    run_to(&mut fleet, Timestamp::NEVER);
    ends
}

#[test]
fn calm_failures_come_at_their_rates() {
    const N: u32 = 40_000;
    let mut config = config(noisy(), vec![account(Capacity::Unlimited)]);
    config.accounts[0].failures = troubles();
    let begins: Vec<(u64, u32)> = (0..N).map(|id| (u64::from(id), 0)).collect();
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for outcome in outcomes(&config, &begins) {
        let word = outcome.map_or("hangs".into(), |(_, text)| {
            text.split(' ').nth(1).unwrap_or_default().to_owned()
        });
        *counts.entry(word).or_default() += 1;
    }
    let rates = [
        ("overloaded", 0.04),
        ("broken_stream", 0.03),
        ("hangs", 0.02),
        ("bad_request", 0.01),
        ("finished", 0.9),
    ];
    for (word, rate) in rates {
        // 4.5 standard deviations of the binomial distribution.
        let mean = f64::from(N) * rate;
        let bound = 4.5 * (mean * (1.0 - rate)).sqrt();
        let count = f64::from(counts[word]);
        assert!(
            (count - mean).abs() <= bound,
            "{word}: {count}, expected {mean}"
        );
    }
    assert_eq!(counts.len(), rates.len(), "{counts:?}");
}

#[test]
fn an_attempt_meets_the_same_demand_whatever_else_goes_on() {
    let mut calm = config(noisy(), vec![account(Capacity::Unlimited); 3]);
    for account in &mut calm.accounts {
        account.failures = troubles();
    }
    let alone: Vec<(u64, u32)> = (0..400).map(|id| (id * 100_000, 0)).collect();
    let crowded: Vec<(u64, u32)> = (0..400).map(|id| (id * 3, 0)).collect();
    let elsewhere: Vec<(u64, u32)> = (0..400).map(|id| (id * 3, (id % 2) as u32)).collect();
    let expected = outcomes(&calm, &alone);
    assert_eq!(outcomes(&calm, &crowded), expected);
    let shared = outcomes(&calm, &elsewhere);
    for id in (0..400).step_by(2) {
        assert_eq!(shared[id], expected[id], "attempt {id}");
        // On another account the same request meets other noise.
        assert_ne!(shared[id + 1], expected[id + 1]);
    }
    // An error fault turns a share into errors and leaves the rest as they were.
    let mut faulty = calm.clone();
    faulty.faults = vec![Fault {
        kind: FaultKind::Errors {
            rate: 0.5,
            failure: FailureKind::BadGateway,
            time_to_fail: Distribution::exponential(0.1).unwrap(),
        },
        accounts: vec![AccountIndex(0)],
        model: None,
        start: Timestamp::ZERO,
        end: Timestamp::NEVER,
        ramp: Duration::ZERO,
    }];
    let struck = outcomes(&faulty, &crowded);
    let spared = struck.iter().zip(&expected).filter(|(a, b)| a == b).count();
    assert!((150..250).contains(&spared), "{spared}");
    for (a, b) in struck.iter().zip(&expected) {
        let failed = a
            .as_ref()
            .is_some_and(|(_, text)| text.contains("bad_gateway"));
        assert!(failed || a == b);
    }
    // A brownout stretches what they meet, and nothing else.
    faulty.faults[0].kind = FaultKind::Brownout { factor: 2.0 };
    for (a, b) in outcomes(&faulty, &crowded).iter().zip(&expected) {
        let (Some((slow, text)), Some((usual, same))) = (a, b) else {
            assert_eq!(a, b);
            continue;
        };
        assert_eq!(text, same);
        if text.contains("finished") {
            assert!(slow.abs_diff(2 * usual) <= 1, "{slow} {usual}");
        }
    }
}

#[test]
fn the_nth_try_is_another_draw() {
    let config = config(noisy(), vec![account(Capacity::Unlimited)]);
    let mut ends = Vec::new();
    for nth in [0, 1, 2, 0] {
        let mut fleet = Fleet::new(&config, Streams::new(3, 1));
        fleet.begin(
            ms(0),
            AttemptId(0),
            AccountIndex(0),
            nth,
            &request(5, false),
        );
        ends.push(fleet.next_event());
    }
    assert_eq!(ends[0], ends[3]);
    assert!(ends[0] != ends[1] && ends[1] != ends[2] && ends[0] != ends[2]);
}
