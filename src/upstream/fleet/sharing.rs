//! Attempts that share a station: milestones instead of times.
//!
//! When such an attempt comes to its first token and its end depends on who comes and goes
//! meanwhile, so the station tells, one milestone after the other, and each gives the attempt's
//! timeline one of its times. What follows from these, the way to the client above all, is the
//! queue's business as for any other attempt.
//!
//! Where streams are to be reported to go on, the queue looks at an attempt every so often, and if
//! it has produced nothing since, the next token is its next milestone.

use super::attempt::{Hold, Phase, Step, Stream};
use super::{Fleet, UpstreamEvent};
use crate::request::{AccountIndex, AttemptId};
use crate::time::{Duration, Timestamp};
use crate::upstream::capacity::{Entry, Heap, Positions};

/// When which station comes to its next milestone. At one instant they come in order of accounts.
#[derive(Default)]
pub(super) struct Agenda {
    heap: Heap,
    positions: Positions,
}

impl Agenda {
    /// The time of the first; [`Timestamp::NEVER`] if there is none.
    pub(super) fn first_time(&self) -> Timestamp {
        let time = self.heap.first().map(|first| first.key as u64);
        time.map_or(Timestamp::NEVER, Timestamp::from_nanos)
    }

    fn first(&self) -> Option<AccountIndex> {
        self.heap.first().map(|first| AccountIndex(first.owner))
    }

    fn set(&mut self, account: AccountIndex, time: Timestamp) {
        if time == Timestamp::NEVER {
            return self.heap.remove(account.0, &mut self.positions);
        }
        let entry = Entry {
            key: time.as_nanos().into(),
            order: 0,
            owner: account.0,
        };
        self.heap.set(entry, &mut self.positions);
    }
}

impl Fleet {
    /// Service starts, together with others.
    #[inline(never)]
    pub(super) fn share(&mut self, now: Timestamp, attempt: AttemptId) {
        let state = &mut self.attempts[attempt.at()];
        state.phase = Phase::Started;
        state.started = now;
        state.first_token_at = Timestamp::NEVER;
        state.done_at = Timestamp::NEVER;
        state.progress_at = Timestamp::NEVER;
        state.awaits_token = false;
        state.reported = 1;
        state.holds = Hold::Share;
        if let Some(station) = self.accounts[state.account.at()].station.shared_mut() {
            station.join(now, attempt, &mut self.shares);
        }
        self.await_milestone(attempt);
    }

    /// An attempt stops sharing its station. Follow with [`Self::call_sharing`].
    #[inline(never)]
    pub(super) fn leave_share(&mut self, now: Timestamp, attempt: AttemptId) {
        let state = &mut self.attempts[attempt.at()];
        state.holds = Hold::Nothing;
        if let Some(station) = self.accounts[state.account.at()].station.shared_mut() {
            station.part(now, attempt, &mut self.shares);
        }
    }

    /// Starts attempts that wait for a share while there is room.
    #[inline(never)]
    pub(super) fn call_sharing(&mut self, now: Timestamp, account: AccountIndex) {
        while let Some(far_end) = self.accounts.get_mut(account.at())
            && let Some(station) = far_end.station.shared_mut()
            && let Some(next) = station.call_next(&mut self.links)
        {
            self.share(now, next);
        }
        self.note_milestone(account);
    }

    /// Tells the station the next milestone of an attempt.
    pub(super) fn await_milestone(&mut self, attempt: AttemptId) {
        let state = &self.attempts[attempt.at()];
        let account = state.account;
        let work = if state.silent {
            Duration::MAX
        } else {
            state.next_milestone()
        };
        if let Some(station) = self.accounts[account.at()].station.shared_mut() {
            station.set_milestone(attempt, state.begun, work, &mut self.shares);
        }
        self.note_milestone(account);
    }

    /// A station has changed: the time of its next milestone may have, too.
    pub(super) fn note_milestone(&mut self, account: AccountIndex) {
        let station = self.accounts.get(account.at());
        if let Some(station) = station.and_then(|far_end| far_end.station.shared()) {
            self.agenda.set(account, station.next_time());
            self.look_ahead();
        }
    }

    /// An attempt is not to be heard of any more, if it shares a station.
    pub(super) fn mute(&mut self, attempt: AttemptId) {
        let state = &self.attempts[attempt.at()];
        let account = state.account;
        if state.holds == Hold::Share
            && let Some(station) = self.accounts[account.at()].station.shared_mut()
        {
            station.mute(attempt, &mut self.shares);
            self.note_milestone(account);
        }
    }

    /// The work that an attempt has attained that shares a station.
    pub(super) fn attained(&self, now: Timestamp, attempt: AttemptId) -> Duration {
        let account = self.attempts[attempt.at()].account;
        let station = self.accounts[account.at()].station.shared();
        station.map_or(Duration::ZERO, |it| it.attained(now, attempt, &self.shares))
    }

    /// Carries out the next milestone of the first station of the agenda, which is due at `due`.
    #[inline(never)]
    pub(super) fn milestone(&mut self, due: Timestamp) -> Option<UpstreamEvent> {
        let account = self.agenda.first()?;
        let attempt = self.accounts[account.at()].station.shared()?.first()?;
        let state = &mut self.attempts[attempt.at()];
        if state.awaits_first_token() {
            state.first_token_at = due;
            self.await_milestone(attempt);
            return self.step(due, attempt);
        }
        if state.awaits_token {
            state.awaits_token = false;
            state.reported = state.reported.saturating_add(1);
            state.progress_at = due + state.round_trip;
            self.await_milestone(attempt);
            return self.step(due, attempt);
        }
        state.done_at = due;
        self.free_place(due, attempt);
        if self.attempts[attempt.at()].abandoned {
            self.forget(attempt);
            return None;
        }
        self.step(due, attempt)
    }

    /// The timeline of an attempt has a new time: carries out what follows from it at once, and
    /// leaves the rest to the queue.
    fn step(&mut self, due: Timestamp, attempt: AttemptId) -> Option<UpstreamEvent> {
        let state = &mut self.attempts[attempt.at()];
        let event = match state.next_step() {
            (time, Step::FirstToken) if time <= due => {
                state.stream = Stream::Flowing;
                UpstreamEvent::FirstToken { attempt }
            }
            (time, Step::Progress) if time <= due => UpstreamEvent::Progress { attempt },
            (time, Step::End) if time <= due => {
                self.queue.cancel(attempt);
                return Some(self.end(due, attempt));
            }
            _ => {
                self.schedule(attempt);
                return None;
            }
        };
        state.progressed(due, self.progress_every);
        self.schedule(attempt);
        Some(event)
    }

    /// Whether a stream that shares a station has produced something since it was last reported to
    /// go on. If not, its next token is awaited.
    pub(super) fn has_progressed(&mut self, now: Timestamp, attempt: AttemptId) -> bool {
        let produced = self.usage_by(now, attempt).output;
        let state = &mut self.attempts[attempt.at()];
        if produced > state.reported {
            state.reported = produced;
            return true;
        }
        state.awaits_token = true;
        state.progress_at = Timestamp::NEVER;
        self.queue.pop();
        self.await_milestone(attempt);
        false
    }
}
