//! What goes wrong on a schedule: which faults an account is under, and what that means at its
//! door.
//!
//! A fault is in force from its start, inclusive, to its end, exclusive, for the accounts that it
//! names and, if it names one, for a single model. Faults that overlap on an attempt compose so:
//!
//! - a blackhole beats everything: not even an error comes back;
//! - then an outage: nothing else is reached. Of several, the first in the scenario's order says
//!   how attempts fail; each breaks off what is in flight at its own start;
//! - brownouts multiply;
//! - error faults strike one after the other in the scenario's order, each on the share that those
//!   before it let through: rates `a` and `b` fail `1 - (1 - a)(1 - b)` together.
//!
//! At one instant ends come before starts, and blackholes before other starts. Every account keeps
//! the short list of the faults that it is under, changed at the boundaries, instead of asking the
//! whole schedule at every attempt: in calm weather the question costs one load.

use super::config::{Fault, FaultKind};
use crate::distribution::Distribution;
use crate::request::{AccountIndex, FailureKind, ModelIndex};
use crate::time::Timestamp;

/// All faults, and which of them are in force.
pub(super) struct Faults {
    faults: Vec<Fault>,
    /// Starts and ends, in the order in which they are carried out.
    boundaries: Vec<Boundary>,
    /// Boundaries carried out.
    passed: usize,
    /// Time of the next; [`Timestamp::NEVER`] if there is none.
    next_at: Timestamp,
    /// By account: positions in `faults` of those in force, in rising order.
    in_force: Vec<Vec<u32>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Boundary {
    time: Timestamp,
    turn: Turn,
    fault: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    End,
    BlackholeStart,
    OtherStart,
}

/// What the faults in force mean for an attempt at the door.
pub(super) enum Weather<'a> {
    /// Nothing will ever come back.
    Blackhole,
    /// It fails without reaching the account.
    Outage(FaultyAnswer<'a>),
    /// It is let through.
    Passable {
        /// Service takes this many times as long.
        slowdown: f64,
        /// The account answers with this, if it has room at all.
        error: Option<FaultyAnswer<'a>>,
    },
}

/// A failure made by a fault.
#[derive(Clone, Copy)]
pub(super) struct FaultyAnswer<'a> {
    /// What goes wrong.
    pub(super) failure: FailureKind,
    /// Time until it does, in seconds.
    pub(super) time_to_fail: &'a Distribution,
}

/// What a fault that has just started does to attempts in flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Strike {
    /// Those that it concerns break off.
    BreakOff(FaultNumber),
    /// Those that it concerns fall silent.
    Silence(FaultNumber),
}

/// Position of a fault in the scenario.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FaultNumber(u32);

fn time_of(boundary: Option<&Boundary>) -> Timestamp {
    boundary.map_or(Timestamp::NEVER, |boundary| boundary.time)
}

impl Faults {
    /// The schedule, before its first boundary. Faults that end before they start are left out.
    pub(super) fn new(faults: &[Fault], accounts: usize) -> Self {
        let mut boundaries: Vec<Boundary> = Vec::with_capacity(2 * faults.len());
        let mut named = vec![0; accounts];
        for (fault, number) in faults.iter().zip(0..) {
            if fault.start >= fault.end {
                continue;
            }
            boundaries.extend(boundaries_of(fault, number));
            for account in &fault.accounts {
                if let Some(count) = named.get_mut(account.at()) {
                    *count += 1;
                }
            }
        }
        boundaries.sort_unstable();
        Self {
            next_at: time_of(boundaries.first()),
            faults: faults.to_vec(),
            boundaries,
            passed: 0,
            in_force: named.into_iter().map(Vec::with_capacity).collect(),
        }
    }

    /// When the next fault starts or ends; [`Timestamp::NEVER`] if none does.
    #[inline]
    pub(super) const fn next_boundary(&self) -> Timestamp {
        self.next_at
    }

    /// Carries out the next boundary. Returns what it does to attempts in flight.
    pub(super) fn pass_boundary(&mut self) -> Option<Strike> {
        let boundary = *self.boundaries.get(self.passed)?;
        self.passed += 1;
        self.next_at = time_of(self.boundaries.get(self.passed));
        let fault = &self.faults[boundary.fault as usize];
        for account in &fault.accounts {
            let Some(in_force) = self.in_force.get_mut(account.at()) else {
                continue;
            };
            match (boundary.turn, in_force.binary_search(&boundary.fault)) {
                (Turn::End, Ok(place)) => drop(in_force.remove(place)),
                (Turn::BlackholeStart | Turn::OtherStart, Err(place)) => {
                    in_force.insert(place, boundary.fault);
                }
                _ => (),
            }
        }
        match (boundary.turn, &fault.kind) {
            (Turn::BlackholeStart, _) => Some(Strike::Silence(FaultNumber(boundary.fault))),
            (Turn::OtherStart, FaultKind::Outage { .. }) => {
                Some(Strike::BreakOff(FaultNumber(boundary.fault)))
            }
            _ => None,
        }
    }

    /// Accounts that a fault names.
    pub(super) fn accounts(&self, FaultNumber(fault): FaultNumber) -> &[AccountIndex] {
        &self.faults[fault as usize].accounts
    }

    /// Whether a fault is in force for this account and model.
    pub(super) fn concerns(
        &self,
        FaultNumber(fault): FaultNumber,
        account: AccountIndex,
        model: ModelIndex,
    ) -> bool {
        let in_force = self.in_force.get(account.at());
        in_force.is_some_and(|faults| faults.binary_search(&fault).is_ok())
            && concerns_model(&self.faults[fault as usize], model)
    }

    /// What the faults in force mean for an attempt that comes to the door now and drew `u`,
    /// uniform in [0, 1), against error faults.
    #[inline]
    pub(super) fn weather(&self, account: AccountIndex, model: ModelIndex, u: f64) -> Weather<'_> {
        let in_force = self.in_force.get(account.at());
        match in_force {
            Some(numbers) if !numbers.is_empty() => self.compose(numbers, model, u),
            _ => Weather::Passable {
                slowdown: 1.0,
                error: None,
            },
        }
    }

    fn compose(&self, numbers: &[u32], model: ModelIndex, u: f64) -> Weather<'_> {
        let (mut slowdown, mut left, mut outage, mut error) = (1.0, u, None, None);
        let faults = numbers.iter().map(|&number| &self.faults[number as usize]);
        for fault in faults.filter(|fault| concerns_model(fault, model)) {
            match &fault.kind {
                FaultKind::Blackhole => return Weather::Blackhole,
                FaultKind::Outage {
                    failure,
                    time_to_fail,
                } => outage = outage.or(Some(answer(*failure, time_to_fail))),
                FaultKind::Brownout { factor } => slowdown *= factor,
                FaultKind::Errors {
                    rate,
                    failure,
                    time_to_fail,
                } if error.is_none() => {
                    if left < *rate {
                        error = Some(answer(*failure, time_to_fail));
                    } else {
                        // Uniform again, given that this fault let it through.
                        left = (left - rate) / (1.0 - rate);
                    }
                }
                FaultKind::Errors { .. } => (),
            }
        }
        match outage {
            Some(answer) => Weather::Outage(answer),
            None => Weather::Passable { slowdown, error },
        }
    }
}

fn answer(failure: FailureKind, time_to_fail: &Distribution) -> FaultyAnswer<'_> {
    FaultyAnswer {
        failure,
        time_to_fail,
    }
}

fn concerns_model(fault: &Fault, model: ModelIndex) -> bool {
    fault.model.is_none_or(|only| only == model)
}

/// Start and end of a fault; no end if it never ends.
fn boundaries_of(fault: &Fault, number: u32) -> impl Iterator<Item = Boundary> {
    let turn = match fault.kind {
        FaultKind::Blackhole => Turn::BlackholeStart,
        FaultKind::Outage { .. } | FaultKind::Brownout { .. } | FaultKind::Errors { .. } => {
            Turn::OtherStart
        }
    };
    [(fault.start, turn), (fault.end, Turn::End)]
        .into_iter()
        .filter(|(time, _)| *time != Timestamp::NEVER)
        .map(move |(time, turn)| Boundary {
            time,
            turn,
            fault: number,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let mut faults = Faults::new(faults, 1);
        while faults.next_boundary() <= at(seconds) {
            faults.pass_boundary();
        }
        match faults.weather(AccountIndex(0), ModelIndex(0), u) {
            Weather::Blackhole => "blackhole".into(),
            Weather::Outage(answer) => format!("outage {}", answer.failure),
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
        let mut faults = Faults::new(&[scoped], 3);
        let strike = faults.pass_boundary();
        assert_eq!(strike, Some(Strike::BreakOff(FaultNumber(0))));
        for (account, model) in [(0, 0), (0, 1), (1, 0), (1, 1), (2, 1), (7, 1)] {
            let (account, model) = (AccountIndex(account), ModelIndex(model));
            let hit = faults.concerns(FaultNumber(0), account, model);
            assert_eq!(hit, (account.0, model.0) == (1, 1));
            let weather = faults.weather(account, model, 0.0);
            assert_eq!(matches!(weather, Weather::Outage(_)), hit);
        }
    }

    #[test]
    fn at_one_instant_ends_come_first_then_blackholes() {
        let mut faults = Faults::new(
            &[
                fault(outage(FailureKind::Connection), &[0], 5, 9),
                fault(FaultKind::Blackhole, &[0], 5, 9),
                fault(FaultKind::Brownout { factor: 2.0 }, &[0], 1, 5),
                fault(FaultKind::Blackhole, &[0], 3, 3),
            ],
            1,
        );
        let mut order = Vec::new();
        while faults.next_boundary() < Timestamp::NEVER {
            order.push((faults.next_boundary(), faults.pass_boundary()));
        }
        let expected = [
            (at(1), None),
            (at(5), None),
            (at(5), Some(Strike::Silence(FaultNumber(1)))),
            (at(5), Some(Strike::BreakOff(FaultNumber(0)))),
            (at(9), None),
            (at(9), None),
        ];
        assert_eq!(order, expected);
        assert_eq!(faults.pass_boundary(), None);
    }
}
