//! The composition of faults, against what the module says.

use super::*;
use crate::distribution::Distribution;
use crate::request::{FailureKind, ModelIndex};
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
