//! What a fault's start does to the attempts in flight.
//!
//! Starts of faults are rare, so the attempts concerned are found by a search through all in
//! flight, and nothing has to be kept per account for it.

use super::Fleet;
use super::attempt::{Attempt, Hold, Phase};
use crate::request::{AccountIndex, AttemptId};
use crate::time::Timestamp;
use crate::upstream::fault::{FaultNumber, Sent, Strike};
use std::collections::{BTreeMap, BTreeSet};

impl Fleet {
    /// Carries out the next start, step or end of a fault, which is due at `due`.
    pub(super) fn pass_boundary(&mut self, due: Timestamp) {
        match self.faults.pass_boundary() {
            Some(Strike::Silence(fault)) => self.silence(fault),
            Some(Strike::BreakOff(fault)) => self.break_off(due, fault),
            Some(Strike::Quotas(fault)) => self.cut_quotas(due, fault),
            None => (),
        }
    }

    /// A cut of quotas has started, changed or ended. Cuts that overlap multiply; one that names
    /// several accounts of an organisation cuts what these share once.
    fn cut_quotas(&mut self, now: Timestamp, fault: FaultNumber) {
        let quotas_of = |accounts: &[AccountIndex]| -> BTreeSet<usize> {
            let quota = |account: &AccountIndex| self.accounts.get(account.at())?.quota;
            accounts.iter().filter_map(quota).collect()
        };
        let concerned = quotas_of(self.faults.accounts(fault)).into_iter();
        let mut factors: BTreeMap<usize, f64> = concerned.map(|quota| (quota, 1.0)).collect();
        for (accounts, left) in self.faults.cuts() {
            for quota in quotas_of(accounts) {
                factors.entry(quota).and_modify(|factor| *factor *= left);
            }
        }
        for (quota, factor) in factors {
            if let Some(buckets) = self.quotas.get_mut(quota) {
                buckets.scale(now, factor);
            }
        }
    }

    /// A blackhole or partition is there in full: the attempts concerned never report again. They
    /// keep their slots and places, for to the account they are connections like others, until the
    /// client hangs up; until then the account also goes on producing, and charging.
    fn silence(&mut self, fault: FaultNumber) {
        for attempt in self.concerned(fault) {
            let state = &mut self.attempts[attempt.at()];
            if !state.abandoned {
                state.silent = true;
                self.queue.cancel(attempt);
                self.mute(attempt);
            }
        }
    }

    /// An outage is there in full: the attempts concerned are broken off, and reported one by one,
    /// in the order in which they began. All leave before anyone takes their places, so that nobody
    /// is started who is about to break off.
    fn break_off(&mut self, now: Timestamp, fault: FaultNumber) {
        let concerned = self.concerned(fault);
        for &attempt in &concerned {
            let usage = self.usage_by(now, attempt);
            self.withdraw(attempt);
            self.vacate(now, attempt);
            let state = &mut self.attempts[attempt.at()];
            if state.abandoned {
                self.forget(attempt);
            } else {
                state.break_off(usage);
                self.broken.push_back((attempt, state.begun));
            }
        }
        self.broken_at = now;
        for place in 0..self.faults.accounts(fault).len() {
            let account = self.faults.accounts(fault)[place];
            self.call_waiting(now, account);
            self.call_sharing(now, account);
        }
    }

    /// Gives back what an attempt holds, to nobody so far.
    fn vacate(&mut self, now: Timestamp, attempt: AttemptId) {
        let state = &mut self.attempts[attempt.at()];
        match state.holds {
            Hold::Nothing => (),
            Hold::Slot => self.accounts[state.account.at()].station.leave(),
            Hold::Share => self.leave_share(now, attempt),
        }
        self.attempts[attempt.at()].holds = Hold::Nothing;
    }

    /// Attempts in flight that a fault concerns and that can still be heard of, in the order in
    /// which they began. Those that never got there are none of its business.
    fn concerned(&self, fault: FaultNumber) -> Vec<AttemptId> {
        let mut concerned: Vec<(u64, AttemptId)> = (0..)
            .zip(&self.attempts)
            .filter(|(_, attempt)| {
                matches!(attempt.phase, Phase::Waiting | Phase::Started)
                    && !attempt.silent
                    && !attempt.unsent
                    && self.faults.concerns(fault, attempt.account, sent(attempt))
            })
            .map(|(id, attempt)| (attempt.begun, AttemptId(id)))
            .collect();
        concerned.sort_unstable();
        concerned.into_iter().map(|(_, id)| id).collect()
    }

    /// Forgets broken attempts that were cancelled before they could be reported, so that the front
    /// of the line is always one to report.
    pub(super) fn drop_cancelled_broken(&mut self) {
        while let Some(&(attempt, begun)) = self.broken.front()
            && {
                let state = &self.attempts[attempt.at()];
                state.phase != Phase::Broken || state.begun != begun
            }
        {
            self.broken.pop_front();
        }
    }
}

fn sent(attempt: &Attempt) -> Sent {
    Sent {
        model: attempt.model,
        from: attempt.from,
    }
}
