//! Requests and the response cache: answers found, shared, and not got.
//!
//! A request that finds its answer costs nothing: no attempt, no retry for the budget. One that
//! asks for what another has asked for already follows it. What happens to those who follow:
//!
//! - The leader has an answer: they all get it, each with its own latency, and a streamed one at
//!   once as a whole. (To pass the leader's stream on as it comes would tie them to it: where it
//!   breaks off, nobody could be sent elsewhere any more.)
//! - The leader fails for good, runs out of time or leaves: whoever has followed for longest leads
//!   from then on, as if it had just come, with its own deadline and attempts. So one failure does
//!   not fail them all, and they do not fall upon a struggling upstream all at once. Who has too
//!   little time left for an answer is passed over and goes on following: when the first leader's
//!   time is over that of those who came right after it nearly is, and one after the other would
//!   lead for a moment, and be cut short, for ever.
//! - The request itself is at fault (400, 404, 413): all asked the same, so they all get that
//!   failure. One after the other they would only find it out again.
//!
//! A leader that leaves takes its attempt with it, even if others follow: an attempt belongs to one
//! request, whose deadline and budget it was started under.

use super::{
    AnswerSource, CacheUse, Gateway, Observer, Outcome, Phase, RequestHandle, deadline_of,
};
use crate::record::RequestRecord;
use crate::request::FailureKind;
use crate::routing::cache::{Found, ResponseCache};
use crate::time::Timestamp;

impl Gateway {
    /// Looks a new request up. True if that is all for now: it has ended, or it follows another.
    #[inline(never)]
    pub(super) fn ask_cache(
        &mut self,
        now: Timestamp,
        slot: u32,
        observer: &mut impl Observer,
    ) -> bool {
        let request = self.requests.get_mut(slot);
        let (Some(cache), Some(key)) = (&mut self.cache, request.features.cache_key) else {
            return false;
        };
        let found = cache.ask(now, key, slot);
        self.tell_dropped(observer);
        let request = self.requests.get_mut(slot);
        match found {
            Found::Nothing => request.cache = CacheUse::Miss,
            Found::Awaited => {
                request.cache = CacheUse::Coalesced;
                request.phase = Phase::Following;
            }
            Found::Kept(place) => {
                request.cache = CacheUse::Hit;
                observer.answer_copied(AnswerSource::Cache(place), RequestHandle(slot));
                self.give_answer(now, slot, Outcome::Success, observer);
            }
        }
        found != Found::Nothing
    }

    /// A request ends that was looked up: completes its record, and sees to those who follow it.
    #[inline(never)]
    pub(super) fn settle_with_cache(
        &mut self,
        now: Timestamp,
        slot: u32,
        record: &mut RequestRecord,
        tokens: u64,
        observer: &mut impl Observer,
    ) {
        if record.cache == CacheUse::Miss {
            self.hand_on(now, slot, record.outcome, tokens, observer);
        } else if record.succeeded() {
            record.first_token = record.streaming.then_some(now);
        }
    }

    /// The end of a leader. `tokens` is the length of its answer.
    fn hand_on(
        &mut self,
        now: Timestamp,
        slot: u32,
        outcome: Outcome,
        tokens: u64,
        observer: &mut impl Observer,
    ) {
        let features = &self.requests.get_mut(slot).features;
        let (Some(cache), Some(key)) = (&mut self.cache, features.cache_key) else {
            return;
        };
        let mut followers = match outcome {
            Outcome::Success => {
                let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
                let (place, followers) = cache.answered(now, key, tokens);
                self.tell_dropped(observer);
                if let Some(place) = place {
                    observer.answer_kept(RequestHandle(slot), place);
                }
                followers
            }
            Outcome::Failed(kind) if is_of_the_request(kind) => cache.dismiss(key),
            Outcome::Failed(_) | Outcome::Rejected(_) => return self.hand_over(now, slot),
        };
        let source = AnswerSource::Request(RequestHandle(slot));
        while let Some(follower) = self.cache.as_mut().and_then(|c| c.next_of(&mut followers)) {
            observer.answer_copied(source, RequestHandle(follower));
            self.give_answer(now, follower, outcome, observer);
        }
    }

    /// A leader has no answer: another leads, the first that has the time for one.
    fn hand_over(&mut self, now: Timestamp, slot: u32) {
        self.balancer.pool_mut().advance(now);
        let features = self.requests.get_mut(slot).features;
        let needed = now + self.time_needed(&features);
        let (requests, config) = (&self.requests, &self.config);
        let has_time = |follower: u32| {
            let request = requests.get(follower);
            let deadline = request.map(|request| deadline_of(config, request.arrived));
            deadline.is_some_and(|deadline| now < deadline && needed <= deadline)
        };
        if let (Some(cache), Some(key)) = (&mut self.cache, features.cache_key)
            && let Some(next) = cache.not_answered(key, has_time)
        {
            self.promote(next);
        }
    }

    fn tell_dropped(&mut self, observer: &mut impl Observer) {
        while let Some(place) = self.cache.as_mut().and_then(ResponseCache::next_dropped) {
            observer.answer_dropped(place);
        }
    }

    /// A request follows no longer: it has to ask itself. It is only noted here, because asking may
    /// fail at once and promote the next, and so on through all who follow.
    fn promote(&mut self, slot: u32) {
        let request = self.requests.get_mut(slot);
        request.cache = CacheUse::Miss;
        request.late = true;
        request.phase = Phase::Idle;
        self.promoted.push_back(slot);
    }

    /// Lets those ask who have been promoted.
    #[inline(never)]
    pub(super) fn start_promoted(&mut self, now: Timestamp, observer: &mut impl Observer) {
        while let Some(slot) = self.promoted.pop_front() {
            if now >= self.deadline_at(slot) {
                let late = Outcome::Failed(FailureKind::DeadlineExceeded);
                self.give_answer(now, slot, late, observer);
                continue;
            }
            self.budget.deposit(now);
            self.start(now, slot, observer);
        }
    }

    /// A request that follows another ends by itself.
    pub(super) fn stop_following(&mut self, slot: u32) {
        let key = self.requests.get_mut(slot).features.cache_key;
        if let (Some(cache), Some(key)) = (&mut self.cache, key) {
            cache.leave(key, slot);
        }
    }
}

/// Whether a failure is the request's own doing, so that every other like it would meet it too.
const fn is_of_the_request(kind: FailureKind) -> bool {
    use FailureKind::{BadRequest, ModelNotFound, TooLarge};
    matches!(kind, BadRequest | ModelNotFound | TooLarge)
}
