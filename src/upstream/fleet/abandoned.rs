//! Attempts that clients have given up and accounts go on with.
//!
//! A gateway uses an attempt's id again as soon as it has given the attempt up, often at once, for
//! the retry. So the attempt moves to a place of its own in the table, under an id that its client
//! has not used, and moves again if the client comes to use that one: rarely, since clients use few
//! ids over and over. A second kind of id would have to be told apart at every event.
//!
//! What hangs has no natural end. It goes when its client goes, as everywhere else.

use super::Fleet;
use super::attempt::{Attempt, Hold, Phase};
use crate::request::AttemptId;
use crate::time::{Duration, Timestamp};
use crate::upstream::config::Abandoned;

impl Fleet {
    /// Whether an account goes on with an attempt whose client leaves at `now`. Not if there is
    /// nothing that it occupies, or nothing left to do: its answer is on the way, or was never to
    /// be heard of.
    pub(super) fn goes_on(&self, now: Timestamp, attempt: AttemptId) -> bool {
        let state = &self.attempts[attempt.at()];
        let account = self.accounts.get(state.account.at());
        let continues = account.is_some_and(|it| it.abandoned == Abandoned::Continues);
        if !continues || state.plan.demand.end == Duration::MAX {
            return false;
        }
        match (state.phase, state.holds) {
            (Phase::Waiting, _) => true,
            (Phase::Started, Hold::Slot) => now < state.done_at,
            (Phase::Started, Hold::Share) => self.attained(now, attempt) < state.plan.demand.end,
            (Phase::Vacant | Phase::Broken, _) | (Phase::Started, Hold::Nothing) => false,
        }
    }

    /// The client of an attempt that goes on, and was moved here, has left.
    pub(super) fn abandon(&mut self, attempt: AttemptId) {
        let state = &mut self.attempts[attempt.at()];
        state.abandon();
        self.resume(attempt);
    }

    /// A client begins an attempt under an id that is in use: by one of its own, which counts as
    /// cancelled, or by an abandoned one, which makes room.
    #[cold]
    pub(super) fn clear(&mut self, now: Timestamp, attempt: AttemptId) {
        if self.attempts[attempt.at()].abandoned {
            let place = self.spare_place();
            self.relocate(attempt, place);
            self.resume(place);
        } else {
            self.cancel(now, attempt);
        }
    }

    /// A place that its client has not used so far.
    pub(super) fn spare_place(&mut self) -> AttemptId {
        while let Some(place) = self.spare.pop() {
            let state = &self.attempts[place.at()];
            // A place that a client uses keeps the number of its last attempt.
            if state.phase == Phase::Vacant && state.begun == 0 {
                return place;
            }
        }
        self.attempts.push(Attempt::VACANT);
        AttemptId(self.attempts.len() as u32 - 1)
    }

    /// Moves an attempt and its place in the line or the station to another id. What is to happen
    /// to it is taken back: [`Self::resume`] is to follow, unless it was abandoned and is now in
    /// use.
    pub(super) fn relocate(&mut self, attempt: AttemptId, to: AttemptId) {
        self.queue.cancel(attempt);
        self.attempts[to.at()] = self.attempts[attempt.at()].clone();
        let state = &mut self.attempts[attempt.at()];
        let station = &mut self.accounts[state.account.at()].station;
        if state.phase == Phase::Waiting {
            station.rename_waiting(attempt, to, &mut self.links);
        } else if state.holds == Hold::Share
            && let Some(station) = station.shared_mut()
        {
            station.rename(attempt, to, &mut self.shares);
        }
        state.phase = Phase::Vacant;
        state.abandoned = false;
    }

    /// Sets what happens next to an abandoned attempt that was moved.
    fn resume(&mut self, attempt: AttemptId) {
        let state = &self.attempts[attempt.at()];
        match (state.phase, state.holds) {
            (Phase::Started, Hold::Share) => self.await_milestone(attempt),
            (Phase::Started, _) => self.schedule(attempt),
            _ => (),
        }
    }

    /// An abandoned attempt has come to its end.
    pub(super) fn forget(&mut self, attempt: AttemptId) {
        self.attempts[attempt.at()] = Attempt::VACANT;
        self.spare.push(attempt);
    }
}
