//! The declared quotas, as far as the gateway can keep count of them itself.
//!
//! Requests and input tokens are taken from the count when an attempt is dispatched, by estimate,
//! and put right when it has ended. Output tokens are what the provider counts last, so here too
//! they are taken when the attempt has ended; until then what it is expected to produce is
//! *reserved*. A gateway that reserves nothing lets a burst overshoot the quota; one that takes the
//! output early sees its full bucket refilled meanwhile, which the provider's is not, and believes
//! from then on that it has more than it has. Accounts of one organisation at one provider share a
//! count, because that is how providers meter.

use crate::request::{FailureKind, Usage};
use crate::routing::account::RateLimits;
use crate::routing::failure::consequence;
use crate::time::{Duration, Timestamp};

/// Requests, input tokens, output tokens.
pub type Need = [f64; 3];

/// What an attempt is expected to take.
#[must_use]
pub fn need(input_tokens: u32, output_tokens: u32) -> Need {
    [1.0, f64::from(input_tokens), f64::from(output_tokens)]
}

/// Token buckets of one quota owner, each one minute deep and continuously refilled.
#[derive(Clone, Debug)]
pub struct DeclaredQuota {
    /// Per minute; infinite where nothing is declared.
    limits: Need,
    levels: Need,
    /// Output tokens expected of the attempts in flight.
    reserved: f64,
    at: Timestamp,
}

/// Position of the output tokens in a [`Need`].
const OUTPUT: usize = 2;

impl DeclaredQuota {
    /// Full buckets; `None` if nothing is declared.
    #[must_use]
    pub fn new(limits: &RateLimits) -> Option<Self> {
        let declared = [
            limits.requests_per_minute,
            limits.input_tokens_per_minute,
            limits.output_tokens_per_minute,
        ];
        let limits = declared.map(|limit| limit.map_or(f64::INFINITY, |limit| limit as f64));
        let any = declared.iter().any(Option::is_some);
        any.then_some(Self {
            limits,
            levels: limits,
            reserved: 0.0,
            at: Timestamp::ZERO,
        })
    }

    /// Takes over the limits of `new`; what has been used stays used.
    pub fn change_limits(&mut self, new: &Self) {
        for i in 0..3 {
            let used = self.limits[i] - self.levels[i];
            let used = if used.is_finite() { used } else { 0.0 };
            self.limits[i] = new.limits[i];
            self.levels[i] = new.limits[i] - used;
        }
    }

    /// Whether an attempt of this size fits now. One larger than a whole bucket fits a full one.
    #[must_use]
    pub fn has_room(&self, now: Timestamp, need: &Need) -> bool {
        let reserved = [0.0, 0.0, self.reserved];
        // Levels only rise between events: what fits as of then fits now.
        (0..3).all(|i| self.levels[i] - reserved[i] >= need[i])
            || (0..3).all(|i| self.level(i, now) - reserved[i] >= need[i].min(self.limits[i]))
    }

    /// The first time at which an attempt of this size fits, if nothing else is taken or given back
    /// until then; rounded up.
    #[must_use]
    pub fn room_from(&self, now: Timestamp, need: &Need) -> Timestamp {
        let reserved = [0.0, 0.0, self.reserved];
        let wait = |i: usize| {
            let missing = need[i].min(self.limits[i]) + reserved[i] - self.level(i, now);
            60.0 * missing / self.limits[i]
        };
        // Of an unlimited kind nothing is missing: infinity minus infinity is NaN, which no maximum
        // takes over.
        let seconds = (0..3).map(wait).fold(0.0, f64::max);
        let rounding = Duration::from_nanos(1);
        now + Duration::from_secs_f64(seconds) + rounding
    }

    /// Takes what an attempt is expected to use, and reserves what it is expected to produce.
    pub fn take(&mut self, now: Timestamp, need: &Need) {
        self.refill(now);
        self.levels[0] -= need[0];
        self.levels[1] -= need[1];
        self.reserved += need[OUTPUT];
    }

    /// Puts the estimate right after the attempt. A refused one, as by a 429, used nothing. Of one
    /// that failed within the provider the input was most likely counted, though it is not billed:
    /// to give that back would let the count drift away from the provider's with every failure.
    pub fn correct(
        &mut self,
        now: Timestamp,
        expected: &Need,
        used: Usage,
        failure: Option<FailureKind>,
    ) {
        self.refill(now);
        let mut input = f64::from(used.input.saturating_sub(used.cached_input));
        if failure.is_some_and(|kind| consequence(kind).counts) {
            input = input.max(expected[1]);
        }
        self.levels[1] = (self.levels[1] + expected[1] - input).min(self.limits[1]);
        self.levels[OUTPUT] -= f64::from(used.output);
        self.reserved -= expected[OUTPUT];
    }

    fn refill(&mut self, now: Timestamp) {
        self.levels = std::array::from_fn(|i| self.level(i, now));
        self.at = now;
    }

    fn level(&self, i: usize, now: Timestamp) -> f64 {
        if self.limits[i].is_infinite() {
            return f64::INFINITY;
        }
        let minutes = now.since(self.at).as_secs_f64() / 60.0;
        (self.levels[i] + self.limits[i] * minutes).min(self.limits[i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_stopped_before_it_overshoots() {
        let limits = RateLimits {
            input_tokens_per_minute: Some(60_000),
            ..RateLimits::default()
        };
        let mut quota = DeclaredQuota::new(&limits).unwrap();
        let need = need(10_000, 500);
        let mut now = Timestamp::ZERO;
        let mut sent = 0;
        while quota.has_room(now, &need) {
            quota.take(now, &need);
            sent += 1;
        }
        assert_eq!(sent, 6, "a minute's worth, before any answer has come back");
        now += Duration::from_secs(10);
        assert!(quota.has_room(now, &need));
        quota.take(now, &need);
        assert!(!quota.has_room(now, &need));
        quota.correct(now, &need, Usage::default(), Some(FailureKind::Overloaded));
        assert!(!quota.has_room(now, &need), "it got in before it failed");
        quota.correct(now, &need, Usage::default(), Some(FailureKind::RateLimited));
        assert!(quota.has_room(now, &need), "a refused attempt used nothing");
    }

    /// As the provider's does not: it takes the output at the end.
    #[test]
    fn output_is_not_refilled_while_it_is_produced() {
        let limits = RateLimits {
            output_tokens_per_minute: Some(60_000),
            ..RateLimits::default()
        };
        let mut quota = DeclaredQuota::new(&limits).unwrap();
        let (start, end) = (Timestamp::ZERO, Timestamp::ZERO + Duration::from_secs(10));
        quota.take(start, &need(1, 500));
        assert!(!quota.has_room(start, &need(1, 59_501)), "500 are reserved");
        let used = Usage {
            input: 1,
            cached_input: 0,
            output: 600,
        };
        quota.correct(end, &need(1, 500), used, None);
        assert!(quota.has_room(end, &need(1, 59_400)));
        assert!(!quota.has_room(end, &need(1, 59_401)));
    }

    #[test]
    fn larger_than_the_bucket_waits_for_a_full_one() {
        let limits = RateLimits {
            input_tokens_per_minute: Some(600),
            ..RateLimits::default()
        };
        let mut quota = DeclaredQuota::new(&limits).unwrap();
        let need = need(10_000, 1);
        assert!(quota.has_room(Timestamp::ZERO, &need));
        quota.take(Timestamp::ZERO, &need);
        let later = Timestamp::ZERO + Duration::from_secs(60 * 15);
        assert!(!quota.has_room(later, &need));
        assert!(quota.has_room(Timestamp::ZERO + Duration::from_secs(60 * 17), &need));
    }

    #[test]
    fn changed_limits_keep_what_was_used() {
        let per_minute = |requests| RateLimits {
            requests_per_minute: Some(requests),
            ..RateLimits::default()
        };
        let mut quota = DeclaredQuota::new(&per_minute(2)).unwrap();
        quota.take(Timestamp::ZERO, &need(1, 1));
        quota.take(Timestamp::ZERO, &need(1, 1));
        assert!(!quota.has_room(Timestamp::ZERO, &need(1, 1)));
        quota.change_limits(&DeclaredQuota::new(&per_minute(3)).unwrap());
        assert!(quota.has_room(Timestamp::ZERO, &need(1, 1)));
        quota.take(Timestamp::ZERO, &need(1, 1));
        assert!(!quota.has_room(Timestamp::ZERO, &need(1, 1)));
    }

    #[test]
    fn nothing_declared_is_no_quota() {
        assert!(DeclaredQuota::new(&RateLimits::default()).is_none());
    }
}
