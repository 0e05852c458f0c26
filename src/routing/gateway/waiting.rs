//! Requests that nobody can take now: refused, in line, or sent to the least bad.
//!
//! Where everything is open or cooling down at once, to refuse is to make an outage of what may be
//! over in seconds, although the time is known (a Retry-After, the end of an open time). The line
//! is first in, first out, bounded, and each leaves it at its own deadline. Who comes back is found
//! out when it does: at the end of an attempt, and when the pool next changes by time alone. Then
//! those in line are sent one by one, each by an ordinary decision at that moment, until nobody is
//! available again: so a half-open breaker gets its one probe and not the whole line.
//!
//! Who has too little time left for an answer to come surely is passed over. Were it sent, a probe
//! or a place would go to the one in line that can make the least of it, then to the next that is
//! about to give up: under overload everybody is served just too late, and a half-open breaker
//! never sees a probe come to its end. (Queues that drop what has waited too long, or serve the
//! newest first, are for the same: Maurer, "Fail at Scale", ACM Queue 2015.) Whoever has more than
//! half of its time left is never passed over, so that an estimate that is far too high cannot
//! starve the line; and a deadline that ends an attempt out of the line before an answer could be
//! expected is not held against the account.
//!
//! Nobody waits in vain: where all who could take a request come back only after its deadline, it
//! is refused at once, as without a line. Those in line are asked that again when their owner
//! describes an account anew (takes it out, say), and leave at that moment: to let them stand until
//! their deadline, while a newcomer is told at once, would cost their users seconds for nothing. A
//! breaker that opens for longer, or a longer cool-down, is no such moment: who is left may
//! surprise by an answer to an attempt in flight, and what is a guess costs at most the deadline.
//! One who cannot be served does not hold up those behind it that ask for something else.

use super::{Gateway, Observer, Outcome, Phase, RequestHandle, deadline_of};
use crate::record::Rejection;
use crate::request::RequestFeatures;
use crate::routing::config::WhenNoneAvailable;
use crate::routing::router::rejection;
use crate::routing::slot_list::{Links, SlotList};
use crate::time::{Duration, Timestamp};

/// How many times the expected time an answer is given that must come in time. Of exponential
/// answer times 95 % are shorter than three means; with once the mean, every third probe of a
/// half-open breaker was cut short by the deadline and opened it again, and a pool that had been
/// down for 10 s stayed down.
const SURELY: u64 = 3;

/// The line.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    links: Links,
    line: SlotList,
    /// Whether accounts have been described anew since the line was last looked through.
    described: bool,
}

impl Waiting {
    /// Whether nobody waits.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// Requests in line.
    pub const fn len(&self) -> u32 {
        self.line.len()
    }

    /// An account has been described anew.
    pub const fn account_described(&mut self) {
        self.described = true;
    }

    fn push(&mut self, slot: u32) {
        self.links.push(&mut self.line, slot);
    }

    /// Takes a request, which is in it, out of it.
    pub fn remove(&mut self, slot: u32) {
        self.links.remove(&mut self.line, slot);
    }
}

impl Gateway {
    /// Nobody can take the request now, and it has no other chance.
    #[cold]
    #[inline(never)]
    pub(super) fn nobody(
        &mut self,
        now: Timestamp,
        slot: u32,
        mut reason: Rejection,
        observer: &mut impl Observer,
    ) {
        use WhenNoneAvailable as When;
        let unavailable = reason == Rejection::NoneAvailable;
        match self.config.when_none_available {
            When::Wait if unavailable => match self.line_up(now, slot) {
                Ok(()) => return observer.request_waits(RequestHandle(slot)),
                Err(why) => reason = why,
            },
            When::LeastBad if unavailable => {
                let request = self.requests.get_mut(slot);
                let (balancer, features) = (&mut self.balancer, &request.features);
                let tried = (&request.tried[..], request.barred);
                let decision = self.router.least_bad(balancer, now, features, tried);
                if let Some(decision) = decision {
                    return self.dispatch_again(now, slot, &decision);
                }
            }
            When::Wait | When::LeastBad | When::Reject => {}
        }
        self.refuse(now, slot, reason, observer);
    }

    /// Ends a request that nobody takes: a retry with the failure that it has met.
    fn refuse(
        &mut self,
        now: Timestamp,
        slot: u32,
        reason: Rejection,
        observer: &mut impl Observer,
    ) {
        let failure = self.requests.get_mut(slot).last_failure;
        let outcome = failure.map_or(Outcome::Rejected(reason), Outcome::Failed);
        self.give_answer(now, slot, outcome, observer);
    }

    /// Puts a request at the end of the line, unless that is too long, or waiting is in vain.
    fn line_up(&mut self, now: Timestamp, slot: u32) -> Result<(), Rejection> {
        if !self.has_hope(now, slot) {
            return Err(Rejection::NoneAvailable);
        }
        if self.waiting.len() >= self.config.max_waiting {
            return Err(Rejection::TooManyWaiting);
        }
        let request = self.requests.get_mut(slot);
        request.phase = Phase::Waiting;
        request.waited = true;
        request.late = true;
        self.waiting.push(slot);
        let quota = self.balancer.quota_from(now, &request.features);
        self.wake_at(now, self.timers.wake.min(quota));
        Ok(())
    }

    /// Whether somebody may take the request before its deadline.
    fn has_hope(&mut self, now: Timestamp, slot: u32) -> bool {
        let deadline = self.deadline_at(slot);
        let request = self.requests.get_mut(slot);
        let barred = &request.tried[..request.barred];
        self.balancer
            .may_serve_before(deadline, now, &request.features, barred)
    }

    /// Refuses those in line whom nobody can serve in time any more.
    #[cold]
    fn dismiss_the_hopeless(&mut self, now: Timestamp, observer: &mut impl Observer) {
        let mut next = self.waiting.line.first();
        while let Some(slot) = next {
            next = self.waiting.links.after(slot);
            if !self.has_hope(now, slot) {
                self.waiting.remove(slot);
                let features = &self.requests.get_mut(slot).features;
                let reason = rejection(&self.balancer, features);
                self.refuse(now, slot, reason, observer);
            }
        }
    }

    /// Sends whoever in line can be served now, in order. Whoever follows one that is refused is
    /// only noted, see [`Self::start_promoted`].
    #[inline(never)]
    pub(super) fn wake(&mut self, now: Timestamp, observer: &mut impl Observer) {
        self.balancer.pool_mut().advance(now);
        if std::mem::take(&mut self.waiting.described) {
            self.dismiss_the_hopeless(now, observer);
        }
        let mut quota = Timestamp::NEVER;
        let mut next = self.waiting.line.first();
        // What nobody takes now, nobody takes later in this pass: to send makes less room, not
        // more.
        let mut taken_by_nobody = None;
        while let Some(slot) = next
            && self.balancer.pool().sets().anybody_admits()
        {
            next = self.waiting.links.after(slot);
            let model = self.requests.get_mut(slot).features.model;
            if taken_by_nobody == Some(model) {
                continue;
            }
            if !self.balancer.pool().sets().admits(model) {
                taken_by_nobody = Some(model);
                continue;
            }
            if self.has_time(now, slot)
                && let Ok(decision) = self.choose(now, slot)
            {
                self.waiting.remove(slot);
                self.dispatch_again(now, slot, &decision);
            } else {
                let features = &self.requests.get_mut(slot).features;
                quota = quota.min(self.balancer.quota_from(now, features));
            }
        }
        self.wake_at(now, quota);
    }

    /// Whether the fastest who is available can be expected to answer before the deadline. (At its
    /// deadline a request ends, by its timer.)
    fn has_time(&mut self, now: Timestamp, slot: u32) -> bool {
        let deadline = self.deadline_at(slot);
        let features = self.requests.get_mut(slot).features;
        now < deadline && now + self.time_needed(&features) <= deadline
    }

    /// The least time that a late request must have left to be sent: three times what the fastest
    /// who is available is expected to take, but at most half of the deadline.
    pub(super) fn time_needed(&self, features: &RequestFeatures) -> Duration {
        let limit = self.config.deadline.map_or(0, Duration::as_nanos);
        let half = Duration::from_nanos(limit / 2);
        let soonest = self.balancer.soonest_answer(features).as_nanos();
        Duration::from_nanos(soonest.saturating_mul(SURELY)).min(half)
    }

    /// The line is looked through again when somebody may come back by time alone, or at `quota`.
    /// If nobody ever does, there is no such time: a driver without deadlines then sees that these
    /// requests never end.
    fn wake_at(&mut self, now: Timestamp, quota: Timestamp) {
        self.timers.wake = if self.waiting.is_empty() {
            Timestamp::NEVER
        } else {
            let change = self.balancer.pool().next_wake().min(quota);
            change.max(now + Duration::from_nanos(1))
        };
    }

    pub(super) fn deadline_at(&mut self, slot: u32) -> Timestamp {
        deadline_of(&self.config, self.requests.get_mut(slot).arrived)
    }
}
