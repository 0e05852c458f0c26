//! What goes wrong on a schedule: which faults an account is under, and what that means at its
//! door.
//!
//! A fault is in force from its start, inclusive, to its end, exclusive, for the accounts that it
//! names and, if it names one, for a single model. Faults that overlap on an attempt compose in the
//! order in which the attempt would meet them on its way:
//!
//! 1. a partition: it cannot even connect;
//! 2. a blackhole: not even an error comes back;
//! 3. outages, flapping ones too: nothing else is reached. Of several, the first in the scenario's
//!    order says how attempts fail; each breaks off what is in flight when it is full;
//! 4. fast errors, at the edge;
//! 5. errors, behind quota and room;
//! 6. brownouts and cold starts multiply; so do the cuts of a quota (`rate_limit`), the changes of
//!    a price, and whoever removes an account removes it.
//!
//! Where a fault strikes a share of the attempts (errors, and all others while their ramp lasts),
//! it is the share of what those before it let through: rates `a` and `b` fail `1 - (1 - a)(1 - b)`
//! together. All of them share one uniform number of the attempt's own stream.
//!
//! At one instant ends come before starts, and starts in the order above. Every account keeps the
//! short list of the faults that it is under, changed at the boundaries, instead of asking the
//! whole schedule at every attempt: in calm weather the question costs one load.
//!
//! - `boundary`: when a fault starts, changes and ends
//! - `weather`: what the faults in force mean together
//! - `incidents`: faults that come by chance

mod boundary;
mod incidents;
mod weather;

pub use incidents::Generated;

pub(super) use weather::{FaultyAnswer, Sent, Weather};

use super::config::{Fault, FaultKind};
use crate::request::AccountIndex;
use crate::time::Timestamp;
use boundary::{Boundary, STEPS, Turn};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// All faults, and which of them are in force.
pub(super) struct Faults {
    /// In the order in which they compose.
    faults: Vec<Fault>,
    /// The next boundary of each fault that is not over.
    upcoming: BinaryHeap<Reverse<Boundary>>,
    /// Time of the next; [`Timestamp::NEVER`] if there is none.
    next_at: Timestamp,
    /// By account: positions in `faults` of those in force, in rising order.
    in_force: Vec<Vec<u32>>,
    /// Cuts of quotas in force: position in `faults`, and what they leave.
    cuts: Vec<(u32, f64)>,
}

/// What a boundary means for what is already there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Strike {
    /// The attempts in flight that it concerns break off.
    BreakOff(FaultNumber),
    /// The attempts in flight that it concerns fall silent.
    Silence(FaultNumber),
    /// The quotas of the accounts that it names change.
    Quotas(FaultNumber),
}

/// Position of a fault in the order of composition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FaultNumber(u32);

impl Faults {
    /// The schedule, before its first boundary. Faults that end before they start are left out, and
    /// those that the upstream does not notice.
    pub(super) fn new(faults: impl Iterator<Item = Fault>, accounts: usize) -> Self {
        let noticed = |fault: &Fault| {
            let told = matches!(
                fault.kind,
                FaultKind::PriceChange { .. } | FaultKind::Absent
            );
            fault.start < fault.end && !told
        };
        let mut faults: Vec<Fault> = faults.filter(noticed).collect();
        faults.sort_by_key(|fault| weather::stage(&fault.kind));
        let mut named = vec![0; accounts];
        for account in faults.iter().flat_map(|fault| &fault.accounts) {
            if let Some(count) = named.get_mut(account.at()) {
                *count = EXPECTED_AT_A_TIME.min(*count + 1);
            }
        }
        let first = |(fault, number): (&Fault, u32)| Boundary::of(fault, number, 0).map(Reverse);
        let mut schedule = Self {
            upcoming: faults.iter().zip(0..).filter_map(first).collect(),
            next_at: Timestamp::NEVER,
            in_force: named.into_iter().map(Vec::with_capacity).collect(),
            cuts: Vec::new(),
            faults,
        };
        schedule.look_ahead();
        schedule
    }

    /// When the next fault starts, changes or ends; [`Timestamp::NEVER`] if none does.
    #[inline]
    pub(super) const fn next_boundary(&self) -> Timestamp {
        self.next_at
    }

    /// Carries out the next boundary. Returns what it does to what is already there.
    pub(super) fn pass_boundary(&mut self) -> Option<Strike> {
        let Reverse(boundary) = self.upcoming.pop()?;
        let Boundary {
            turn, fault, nth, ..
        } = boundary;
        let next = Boundary::of(&self.faults[fault as usize], fault, nth + 1);
        self.upcoming.extend(next.map(Reverse));
        self.look_ahead();
        if let FaultKind::RateLimit { factor } = self.faults[fault as usize].kind {
            self.cut(fault, factor, turn, nth);
            return Some(Strike::Quotas(FaultNumber(fault)));
        }
        if !matches!(turn, Turn::Step { .. }) {
            self.list(fault, matches!(turn, Turn::Start { .. }));
        }
        let (Turn::Start { full: true } | Turn::Step { full: true }) = turn else {
            return None;
        };
        match self.faults[fault as usize].kind {
            FaultKind::Blackhole | FaultKind::Partition { .. } => {
                Some(Strike::Silence(FaultNumber(fault)))
            }
            FaultKind::Outage { .. } | FaultKind::Flapping { .. } => {
                Some(Strike::BreakOff(FaultNumber(fault)))
            }
            _ => None,
        }
    }

    fn look_ahead(&mut self) {
        let next = self.upcoming.peek();
        self.next_at = next.map_or(Timestamp::NEVER, |Reverse(boundary)| boundary.time);
    }

    /// Enters a fault in the lists of its accounts, or strikes it off.
    fn list(&mut self, fault: u32, enter: bool) {
        for account in &self.faults[fault as usize].accounts {
            let Some(in_force) = self.in_force.get_mut(account.at()) else {
                continue;
            };
            match (enter, in_force.binary_search(&fault)) {
                (false, Ok(place)) => drop(in_force.remove(place)),
                (true, Err(place)) => in_force.insert(place, fault),
                _ => (),
            }
        }
    }

    /// Notes what a cut leaves of the quotas after its `nth` boundary. Each step of its ramp holds
    /// the mean of the straight line that it stands for.
    fn cut(&mut self, fault: u32, factor: f64, turn: Turn, nth: u64) {
        self.cuts.retain(|(cut, _)| *cut != fault);
        let intensity = match turn {
            Turn::End => return,
            Turn::Start { full: true } | Turn::Step { full: true } => 1.0,
            _ => (nth as f64 + 0.5) / STEPS as f64,
        };
        self.cuts
            .push((fault, factor + (1.0 - factor) * (1.0 - intensity)));
        // Products of floating-point numbers depend on their order.
        self.cuts.sort_unstable_by_key(|(cut, _)| *cut);
    }

    /// The cuts in force: the accounts whose quotas they concern, and what they leave of these.
    pub(super) fn cuts(&self) -> impl Iterator<Item = (&[AccountIndex], f64)> {
        let cuts = self.cuts.iter();
        cuts.map(|&(fault, left)| (&self.faults[fault as usize].accounts[..], left))
    }

    /// Accounts that a fault names.
    pub(super) fn accounts(&self, FaultNumber(fault): FaultNumber) -> &[AccountIndex] {
        &self.faults[fault as usize].accounts
    }

    /// Whether a fault is in force for such an attempt at this account.
    pub(super) fn concerns(
        &self,
        FaultNumber(fault): FaultNumber,
        account: AccountIndex,
        sent: Sent,
    ) -> bool {
        let in_force = self.in_force.get(account.at());
        in_force.is_some_and(|faults| faults.binary_search(&fault).is_ok())
            && weather::concerns(&self.faults[fault as usize], sent)
    }

    /// What the faults in force mean for an attempt that comes to the door now and drew `u`,
    /// uniform in [0, 1), against faults that strike a share.
    #[inline]
    pub(super) fn weather(
        &self,
        now: Timestamp,
        account: AccountIndex,
        sent: impl FnOnce() -> Sent,
        u: f64,
    ) -> Weather<'_> {
        match self.in_force.get(account.at()) {
            Some(numbers) if !numbers.is_empty() => self.compose(numbers, now, sent(), u),
            _ => Weather::CALM,
        }
    }

    #[cold]
    fn compose(&self, numbers: &[u32], now: Timestamp, sent: Sent, u: f64) -> Weather<'_> {
        let in_force = numbers.iter().map(|&number| &self.faults[number as usize]);
        weather::compose(in_force, now, sent, u)
    }
}

/// Faults of one account that room is made for beforehand.
const EXPECTED_AT_A_TIME: usize = 8;

#[cfg(test)]
mod tests;
