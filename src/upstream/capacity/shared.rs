//! Attempts that run at the same time and slow each other down: processor sharing and batching.
//!
//! Each of `n` attempts runs at the same speed, a function of `n` ([`Speeds`]). The obvious way, to
//! bring the remaining work of all up to date whenever one comes or goes, costs O(n) an event.
//! Instead the station keeps one clock of *attained work*: what an attempt has attained that has
//! been there all the time. An attempt that joins when the clock shows `v` and demands `w` ends
//! when the clock shows `v + w`, however many come and go meanwhile. So milestones stand in a heap
//! by the clock and never change their order, and an event costs O(log n). (The virtual time of
//! fair queueing: Demers, Keshav and Shenker, "Analysis and simulation of a fair queueing
//! algorithm", SIGCOMM 1989.)
//!
//! All is integers: work counts in 2^-63 ns, a speed is a whole number of 2^-63, and a milestone is
//! reached at the first whole nanosecond at which the clock has passed it. So the clock is exact:
//! it does not matter how often it is read, and no work is lost or done twice. What is rounded is
//! the speed, once (see [`Speeds`]), and the moment of a milestone, up by less than a nanosecond;
//! an attempt that runs alone all the time ends exactly where it would in a slot.

use super::Admission;
use super::heap::{Entry, Heap, Positions};
use super::waiting_line::{Line, Links};
use crate::request::{AttemptId, FailureKind};
use crate::time::{Duration, Timestamp};
use crate::upstream::config::{Speed, Speeds};

/// One account's attempts that share it, and those that wait for room.
pub(in crate::upstream) struct Shared {
    speeds: Speeds,
    limit: u32,
    queue: u32,
    refusal: FailureKind,
    running: u32,
    /// Of each of those running.
    speed: Speed,
    /// What an attempt has attained by `at` that has been here all the time.
    clock: Work,
    at: Timestamp,
    milestones: Heap,
    line: Line,
}

/// Work done or to be done, in 2^-63 ns at full speed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Work(u128);

impl Work {
    /// Work of so long at full speed.
    fn of(time: Duration) -> Self {
        Self(u128::from(time.as_nanos()) << Speed::BITS)
    }
}

/// What stations keep of the attempts that share them. An attempt is in one station at most, so one
/// table by attempt does for all.
#[derive(Default)]
pub(in crate::upstream) struct Shares {
    positions: Positions,
    /// What the clock showed when it joined.
    joined: Vec<Work>,
}

impl Shares {
    fn join(&mut self, attempt: AttemptId, at: Work) {
        if self.joined.len() <= attempt.at() {
            self.joined.resize(attempt.at() + 1, Work::default());
        }
        self.joined[attempt.at()] = at;
    }
}

impl Shared {
    pub(super) fn new(speeds: Speeds, limit: u32, queue: u32, refusal: FailureKind) -> Self {
        Self {
            speeds,
            limit: limit.max(1),
            queue,
            refusal,
            running: 0,
            speed: Speed::ZERO,
            clock: Work::default(),
            at: Timestamp::ZERO,
            milestones: Heap::default(),
            line: Line::default(),
        }
    }

    pub(super) fn refusal(&self) -> Option<FailureKind> {
        let full = self.running >= self.limit && self.line.len() >= self.queue;
        full.then_some(self.refusal)
    }

    pub(super) fn admit(&mut self, attempt: AttemptId, links: &mut Links) -> Admission {
        if self.running < self.limit {
            Admission::Shares
        } else {
            self.line.push_back(attempt, links);
            Admission::Waits
        }
    }

    pub(super) fn line(&mut self) -> &mut Line {
        &mut self.line
    }

    /// The next waiting attempt, if there is one and room for it. Follow with [`Self::join`].
    #[inline(never)]
    pub(in crate::upstream) fn call_next(&mut self, links: &mut Links) -> Option<AttemptId> {
        let room = self.running < self.limit;
        room.then(|| self.line.pop_front(links)).flatten()
    }

    /// An attempt runs from now on. Follow with [`Self::set_milestone`].
    pub(in crate::upstream) fn join(
        &mut self,
        now: Timestamp,
        attempt: AttemptId,
        shares: &mut Shares,
    ) {
        self.turn(now);
        shares.join(attempt, self.clock);
        self.share_among(self.running + 1);
    }

    /// The attempt is to be heard of when it has attained so much ([`Duration::MAX`]: never), in
    /// place of what was set before. `begun` decides between milestones that are reached together.
    pub(in crate::upstream) fn set_milestone(
        &mut self,
        attempt: AttemptId,
        begun: u64,
        work: Duration,
        shares: &mut Shares,
    ) {
        if work == Duration::MAX {
            return self.mute(attempt, shares);
        }
        // Both summands are below 2^127.
        let entry = Entry {
            key: shares.joined[attempt.at()].0 + Work::of(work).0,
            order: begun,
            owner: attempt.0,
        };
        self.milestones.set(entry, &mut shares.positions);
    }

    /// The attempt is not to be heard of any more; it goes on running, and slows the others.
    pub(in crate::upstream) fn mute(&mut self, attempt: AttemptId, shares: &mut Shares) {
        self.milestones.remove(attempt.0, &mut shares.positions);
    }

    /// An attempt stops running.
    pub(in crate::upstream) fn part(
        &mut self,
        now: Timestamp,
        attempt: AttemptId,
        shares: &mut Shares,
    ) {
        self.turn(now);
        self.mute(attempt, shares);
        self.share_among(self.running.saturating_sub(1));
    }

    /// A running attempt goes on as `to`, without a milestone.
    pub(in crate::upstream) fn rename(
        &mut self,
        attempt: AttemptId,
        to: AttemptId,
        shares: &mut Shares,
    ) {
        self.mute(attempt, shares);
        shares.join(to, shares.joined[attempt.at()]);
    }

    /// When the next milestone is reached if nobody comes or goes; [`Timestamp::NEVER`] if none is.
    pub(in crate::upstream) fn next_time(&self) -> Timestamp {
        let Some(first) = self.milestones.first() else {
            return Timestamp::NEVER;
        };
        // Rounded up, with one division of 128 bits: `div_ceil` takes the remainder by another.
        let left = first.key.saturating_sub(self.clock.0);
        let speed = u128::from(self.speed.units().max(1));
        let whole = left / speed;
        let time = whole + u128::from(whole * speed < left);
        self.at + Duration::from_nanos(u64::try_from(time).unwrap_or(u64::MAX))
    }

    /// Whose milestone it is.
    pub(in crate::upstream) fn first(&self) -> Option<AttemptId> {
        self.milestones.first().map(|entry| AttemptId(entry.owner))
    }

    /// What a running attempt has attained by `now`.
    pub(in crate::upstream) fn attained(
        &self,
        now: Timestamp,
        attempt: AttemptId,
        shares: &Shares,
    ) -> Duration {
        let work = self.clock_at(now).0 - shares.joined[attempt.at()].0;
        Duration::from_nanos((work >> Speed::BITS) as u64)
    }

    fn clock_at(&self, now: Timestamp) -> Work {
        let elapsed = u128::from(now.since(self.at).as_nanos());
        Work(self.clock.0 + elapsed * u128::from(self.speed.units()))
    }

    fn turn(&mut self, now: Timestamp) {
        self.clock = self.clock_at(now);
        self.at = self.at.max(now);
    }

    fn share_among(&mut self, running: u32) {
        self.running = running;
        self.speed = if running == 0 {
            Speed::ZERO
        } else {
            self.speeds.of(running)
        };
    }
}
