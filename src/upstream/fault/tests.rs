//! The composition of faults, against what the module says.

use super::*;
use crate::distribution::Distribution;
use crate::request::{FailureKind, ModelIndex, RegionIndex};
use crate::time::Duration;

fn constant(value: f64) -> Distribution {
    Distribution::constant(value).unwrap()
}

fn fault(kind: FaultKind, accounts: &[u32], start: u64, end: u64) -> Fault {
    Fault {
        kind,
        accounts: accounts.iter().copied().map(AccountIndex).collect(),
        model: None,
        start: at(start),
        end: at(end),
        ramp: Duration::ZERO,
    }
}

fn sent(model: u16) -> Sent {
    Sent {
        model: ModelIndex(model),
        from: None,
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(seconds)
}

fn outage(failure: FailureKind) -> FaultKind {
    FaultKind::Outage {
        failure,
        time_to_fail: constant(0.1),
    }
}

fn errors(rate: f64, failure: FailureKind) -> FaultKind {
    FaultKind::Errors {
        rate,
        failure,
        time_to_fail: constant(0.1),
    }
}

/// The weather of account 0 and model 0 after all boundaries up to `seconds`, as text.
fn weather(faults: &[Fault], seconds: u64, u: f64) -> String {
    let mut faults = Faults::new(faults.iter().cloned(), 1);
    while faults.next_boundary() <= at(seconds) {
        faults.pass_boundary();
    }
    match faults.weather(at(seconds), AccountIndex(0), || sent(0), u) {
        Weather::Unreachable(_) => "unreachable".into(),
        Weather::Lost => "blackhole".into(),
        Weather::Refused(answer) => format!("outage {}", answer.failure),
        Weather::Passable { slowdown, error } => {
            let error = error.map_or("none", |answer| answer.failure.name());
            format!("slow {slowdown} error {error}")
        }
    }
}

#[test]
fn in_force_from_the_start_to_just_before_the_end() {
    let faults = [fault(FaultKind::Brownout { factor: 3.0 }, &[0], 5, 8)];
    assert_eq!(weather(&faults, 4, 0.5), "slow 1 error none");
    assert_eq!(weather(&faults, 5, 0.5), "slow 3 error none");
    assert_eq!(weather(&faults, 7, 0.5), "slow 3 error none");
    assert_eq!(weather(&faults, 8, 0.5), "slow 1 error none");
}

#[test]
fn overlapping_faults_compose() {
    let faults = [
        fault(FaultKind::Brownout { factor: 3.0 }, &[0], 0, 10),
        fault(FaultKind::Brownout { factor: 0.5 }, &[0, 0], 1, 10),
        fault(outage(FailureKind::Connection), &[0], 2, 6),
        fault(outage(FailureKind::Unavailable), &[0], 1, 8),
        fault(FaultKind::Blackhole, &[0], 4, 5),
    ];
    let expected = [
        "slow 3 error none",
        "outage unavailable",
        "outage connection",
        "outage connection",
        "blackhole",
        "outage connection",
        "outage unavailable",
        "outage unavailable",
        "slow 1.5 error none",
    ];
    for (seconds, expected) in (0..).zip(expected) {
        assert_eq!(weather(&faults, seconds, 0.5), expected, "at {seconds} s");
    }
    assert_eq!(weather(&faults, 10, 0.5), "slow 1 error none");
}

#[test]
fn error_faults_share_one_draw_as_if_they_were_independent() {
    let faults = [
        fault(errors(0.5, FailureKind::Overloaded), &[0], 0, 9),
        fault(errors(0.5, FailureKind::BadGateway), &[0], 0, 9),
        fault(errors(0.0, FailureKind::InternalError), &[0], 0, 9),
    ];
    let of = |u| weather(&faults, 0, u);
    assert_eq!(of(0.0), "slow 1 error overloaded");
    assert_eq!(of(0.499), "slow 1 error overloaded");
    assert_eq!(of(0.5), "slow 1 error bad_gateway");
    assert_eq!(of(0.749), "slow 1 error bad_gateway");
    assert_eq!(of(0.75), "slow 1 error none");
    let certain = [
        fault(errors(1.0, FailureKind::Overloaded), &[0], 0, 9),
        fault(errors(1.0, FailureKind::BadGateway), &[0], 0, 9),
    ];
    assert_eq!(weather(&certain, 0, 0.999), "slow 1 error overloaded");
}

#[test]
fn only_the_named_model_and_accounts_are_concerned() {
    let mut scoped = fault(outage(FailureKind::Connection), &[1, 7], 0, 9);
    scoped.model = Some(ModelIndex(1));
    let mut faults = Faults::new([scoped].into_iter(), 3);
    let strike = faults.pass_boundary();
    assert_eq!(strike, Some(Strike::BreakOff(FaultNumber(0))));
    for (account, model) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (7, 1)] {
        let hit = faults.concerns(FaultNumber(0), AccountIndex(account), sent(model));
        assert_eq!(hit, (account, model) == (1, 1));
        let weather = faults.weather(at(0), AccountIndex(account), || sent(model), 0.0);
        assert_eq!(matches!(weather, Weather::Refused(_)), hit);
    }
}

#[test]
fn at_one_instant_ends_come_first_then_blackholes() {
    let mut faults = Faults::new(
        [
            fault(outage(FailureKind::Connection), &[0], 5, 9),
            fault(FaultKind::Blackhole, &[0], 5, 9),
            fault(FaultKind::Brownout { factor: 2.0 }, &[0], 1, 5),
            fault(FaultKind::Blackhole, &[0], 3, 3),
        ]
        .into_iter(),
        1,
    );
    let mut order = Vec::new();
    while faults.next_boundary() < Timestamp::NEVER {
        order.push((faults.next_boundary(), faults.pass_boundary()));
    }
    let expected = [
        (at(1), None),
        (at(5), None),
        (at(5), Some(Strike::Silence(FaultNumber(0)))),
        (at(5), Some(Strike::BreakOff(FaultNumber(1)))),
        (at(9), None),
        (at(9), None),
    ];
    assert_eq!(order, expected);
    assert_eq!(faults.pass_boundary(), None);
}

/// The intensity of a ramp from 10 s to 20 s, by its definition.
fn ramped(kind: FaultKind) -> Vec<Fault> {
    let mut fault = fault(kind, &[0], 10, 40);
    fault.ramp = Duration::from_secs(10);
    vec![fault]
}

#[test]
fn a_ramp_scales_what_each_kind_does() {
    let slow = ramped(FaultKind::Brownout { factor: 5.0 });
    assert_eq!(weather(&slow, 10, 0.0), "slow 1 error none");
    assert_eq!(weather(&slow, 15, 0.0), "slow 3 error none");
    assert_eq!(weather(&slow, 20, 0.0), "slow 5 error none");
    let out = ramped(outage(FailureKind::Connection));
    assert_eq!(weather(&out, 14, 0.39), "outage connection");
    assert_eq!(weather(&out, 14, 0.41), "slow 1 error none");
    assert_eq!(weather(&out, 20, 0.999), "outage connection");
    let some = ramped(errors(0.5, FailureKind::Overloaded));
    assert_eq!(weather(&some, 15, 0.249), "slow 1 error overloaded");
    assert_eq!(weather(&some, 15, 0.251), "slow 1 error none");
    let cold = [fault(FaultKind::ColdStart { factor: 3.0 }, &[0], 10, 20)];
    for (seconds, slow) in [(9, 1.0), (10, 3.0), (15, 2.0), (20, 1.0)] {
        assert_eq!(
            weather(&cold, seconds, 0.0),
            format!("slow {slow} error none")
        );
    }
}

/// Attempts in flight are struck when the ramp is over, and not at all if the fault ends before.
#[test]
fn a_ramp_strikes_at_its_end() {
    let strikes = |faults: &[Fault]| {
        let mut faults = Faults::new(faults.iter().cloned(), 1);
        let mut strikes = Vec::new();
        while faults.next_boundary() < Timestamp::NEVER {
            let time = faults.next_boundary();
            strikes.extend(faults.pass_boundary().map(|_| time));
        }
        strikes
    };
    let mut ramp = ramped(FaultKind::Blackhole);
    assert_eq!(strikes(&ramp), [at(20)]);
    ramp[0].ramp = Duration::from_secs(30);
    assert_eq!(strikes(&ramp), []);
    ramp[0].ramp = Duration::ZERO;
    assert_eq!(strikes(&ramp), [at(10)]);
}

/// A quota's cut grows in sixteen steps, whose mean is that of the straight line.
#[test]
fn a_cut_grows_in_steps() {
    let mut faults = Faults::new(ramped(FaultKind::RateLimit { factor: 0.2 }).into_iter(), 1);
    let mut left = Vec::new();
    while faults.next_boundary() < Timestamp::NEVER {
        let time = faults.next_boundary();
        let strike = faults.pass_boundary();
        assert_eq!(strike, Some(Strike::Quotas(FaultNumber(0))));
        let (_, factor) = faults.cuts().next().unwrap_or((&[], 1.0));
        left.push((time, factor));
    }
    assert_eq!(left.len(), 18);
    assert_eq!(left[16], (at(20), 0.2));
    assert_eq!(left[17], (at(40), 1.0));
    let mean = left[..16].iter().map(|(_, factor)| factor).sum::<f64>() / 16.0;
    assert!((mean - 0.6).abs() < 1e-12, "{mean}");
    assert!(left[..17].is_sorted_by(|a, b| a.0 < b.0 && a.1 > b.1));
}

/// Down for the first part of each period; with a ramp for more and more of it. The oracle asks the
/// definition at every tenth of a second.
#[test]
fn flapping_is_down_as_defined() {
    for ramp in [0, 12] {
        let mut fault = fault(
            FaultKind::Flapping {
                period: Duration::from_secs(4),
                duty: 0.5,
                failure: FailureKind::Unavailable,
                time_to_fail: constant(0.1),
            },
            &[0],
            10,
            31,
        );
        fault.ramp = Duration::from_secs(ramp);
        let mut faults = Faults::new([fault].into_iter(), 1);
        for tenth in 0..400u64 {
            let now = Timestamp::ZERO + Duration::from_millis(100 * tenth);
            while faults.next_boundary() <= now {
                faults.pass_boundary();
            }
            let weather = faults.weather(now, AccountIndex(0), || sent(0), 0.9);
            let passed = tenth as i64 - 100;
            let reached = if ramp == 0 {
                1.0
            } else {
                ((passed / 40 + 1) as f64 * 4.0 / ramp as f64).min(1.0)
            };
            let down = (0..210).contains(&passed) && ((passed % 40) as f64) < 20.0 * reached - 1e-9;
            assert_eq!(
                matches!(weather, Weather::Refused(_)),
                down,
                "{ramp}: {tenth}"
            );
        }
    }
}

/// What an attempt meets first on its way counts, and a partition only from where it is.
#[test]
fn kinds_compose_in_the_order_of_the_way() {
    let partition = FaultKind::Partition {
        from: Some(vec![RegionIndex(1)]),
        time_to_fail: constant(10.0),
    };
    let fast = FaultKind::FastErrors {
        rate: 1.0,
        failure: FailureKind::BadGateway,
        time_to_fail: constant(0.005),
    };
    let faults = [
        fault(errors(1.0, FailureKind::Overloaded), &[0], 0, 9),
        fault(fast, &[0], 1, 9),
        fault(outage(FailureKind::Unavailable), &[0], 2, 9),
        fault(FaultKind::Blackhole, &[0], 3, 9),
        fault(partition, &[0], 4, 9),
    ];
    let expected = [
        "error overloaded",
        "bad_gateway",
        "unavailable",
        "blackhole",
        "blackhole",
    ];
    for (seconds, expected) in (0..).zip(expected) {
        let weather = weather(&faults, seconds, 0.5);
        assert!(weather.ends_with(expected), "{weather} at {seconds}");
    }
    let mut faults = Faults::new(faults.into_iter(), 1);
    while faults.next_boundary() <= at(4) {
        faults.pass_boundary();
    }
    let there = || Sent {
        from: Some(RegionIndex(1)),
        ..sent(0)
    };
    let weather = faults.weather(at(4), AccountIndex(0), there, 0.5);
    assert!(matches!(weather, Weather::Unreachable(_)));
}
