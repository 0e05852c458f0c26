//! What a fault's start does to the attempts in flight.
//!
//! Starts of faults are rare, so the attempts concerned are found by a search through all in
//! flight, and nothing has to be kept per account for it.

use super::Fleet;
use super::attempt::Phase;
use crate::request::AttemptId;
use crate::time::Timestamp;
use crate::upstream::fault::{FaultNumber, Strike};

impl Fleet {
    /// Carries out the next start or end of a fault, which is due at `due`.
    pub(super) fn pass_boundary(&mut self, due: Timestamp) {
        match self.faults.pass_boundary() {
            Some(Strike::Silence(fault)) => self.silence(fault),
            Some(Strike::BreakOff(fault)) => self.break_off(due, fault),
            None => (),
        }
    }

    /// A blackhole has started: the attempts concerned never report again. They keep their slots
    /// and places, for to the account they are connections like others, until the client hangs up;
    /// until then the account also goes on producing, and charging.
    fn silence(&mut self, fault: FaultNumber) {
        for attempt in self.concerned(fault) {
            self.attempts[attempt.at()].silent = true;
            self.queue.cancel(attempt);
        }
    }

    /// An outage has started: the attempts concerned are broken off, and reported one by one, in
    /// the order in which they began. All leave before anyone takes their places, so that nobody is
    /// started who is about to break off.
    fn break_off(&mut self, now: Timestamp, fault: FaultNumber) {
        let concerned = self.concerned(fault);
        for &attempt in &concerned {
            let state = &mut self.attempts[attempt.at()];
            let station = &mut self.accounts[state.account.at()].station;
            if state.phase == Phase::Waiting {
                station.withdraw(attempt, &mut self.links);
            } else if state.holds_slot {
                station.leave();
            }
            state.break_off(now);
            self.queue.cancel(attempt);
            self.broken.push_back((attempt, state.begun));
        }
        self.broken_at = now;
        for place in 0..self.faults.accounts(fault).len() {
            let account = self.faults.accounts(fault)[place];
            self.call_waiting(now, account);
        }
    }

    /// Attempts in flight that a fault concerns and that can still be heard of, in the order in
    /// which they began.
    fn concerned(&self, fault: FaultNumber) -> Vec<AttemptId> {
        let mut concerned: Vec<(u64, AttemptId)> = (0..)
            .zip(&self.attempts)
            .filter(|(_, attempt)| {
                matches!(attempt.phase, Phase::Waiting | Phase::Started)
                    && !attempt.silent
                    && self.faults.concerns(fault, attempt.account, attempt.model)
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
