//! Rate limits: token buckets for requests, input tokens and output tokens per minute.
//!
//! Continuously refilled, as Anthropic states of its limits ("token bucket algorithm ... capacity
//! is continuously replenished"), not reset at the full minute: a fixed window lets two minutes'
//! worth through around each boundary. Each bucket is as deep as one minute's worth and starts
//! full.
//!
//! - All three are asked at the door, and either all are taken from or none: a refused attempt
//!   costs nothing.
//! - Input counts without the part read from the prompt cache, as Anthropic does.
//! - Output is not known at the door, and `max_tokens` does not matter (Anthropic, 2026: output is
//!   counted as it is produced). So an attempt is let in if one output token is left, and what it
//!   produced is taken when it ends, finished, broken off or cancelled. The level may fall below
//!   zero: a burst overshoots, and the account then refuses until the debt is paid off. Providers
//!   count while they produce; taking it at the end lets a burst of long answers in for longer, by
//!   at most the length of one answer, and spares an event per token.
//! - A fault may cut the limits for a time (`rate_limit`); what an organisation's accounts share is
//!   cut for all of them.
//! - An attempt that needs more than a whole bucket is refused for ever, as with the real limits;
//!   no `Retry-After` is given then, for no wait would help.
//!
//! Exact integers instead of floating point: with one token as 60,000,000,000 units, a limit of `L`
//! per minute refills `L` units per nanosecond, whatever `L`. Nothing is rounded but `Retry-After`.

use super::config::Quota;
use crate::request::Usage;
use crate::time::{Duration, Timestamp};

/// The buckets of one quota; accounts of one organisation may share them.
pub(super) struct Buckets {
    requests: Option<Bucket>,
    input: Option<Bucket>,
    output: Option<Bucket>,
    retry_after: bool,
}

/// A 429: how long the upstream asks to wait, if it says so. Whole seconds, rounded up (RFC 9110,
/// 10.2.3: delay-seconds is an integer).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RateLimited {
    pub(super) retry_after: Option<Duration>,
}

/// What is left of a quota, as a provider's headers tell it; `None` = no limit.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct QuotaLeft {
    /// Requests.
    pub requests: Option<LimitLeft>,
    /// Input tokens.
    pub input: Option<LimitLeft>,
    /// Output tokens.
    pub output: Option<LimitLeft>,
}

/// What is left of one limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LimitLeft {
    /// Limit per minute in force.
    pub limit: u64,
    /// What could be taken now, in whole requests or tokens; 0 while there is a debt.
    pub remaining: u64,
    /// Time until the limit is there in full; [`Duration::MAX`] if it never will be.
    pub full_in: Duration,
}

impl Buckets {
    /// What is left at `now`.
    pub(super) fn left(&self, now: Timestamp) -> QuotaLeft {
        let left = |bucket: &Option<Bucket>| Some(bucket.as_ref()?.left(now));
        QuotaLeft {
            requests: left(&self.requests),
            input: left(&self.input),
            output: left(&self.output),
        }
    }

    /// Full buckets.
    pub(super) fn new(quota: &Quota) -> Self {
        Self {
            requests: quota.requests_per_minute.map(Bucket::new),
            input: quota.input_tokens_per_minute.map(Bucket::new),
            output: quota.output_tokens_per_minute.map(Bucket::new),
            retry_after: quota.retry_after,
        }
    }

    /// From `now` on, `factor` of the limits stated: rate and depth. What no longer fits into a
    /// bucket is lost; when the limits are back, it fills up again from where it is.
    pub(super) fn scale(&mut self, now: Timestamp, factor: f64) {
        let buckets = [&mut self.requests, &mut self.input, &mut self.output];
        for bucket in buckets.into_iter().flatten() {
            bucket.refill(now);
            bucket.per_minute = (bucket.stated as f64 * factor + 0.5) as i128;
            bucket.refill(now);
        }
    }

    /// An attempt comes to the door: takes one request and its input tokens, or refuses it.
    pub(super) fn admit(&mut self, now: Timestamp, tokens: Usage) -> Result<(), RateLimited> {
        let fresh = u64::from(tokens.input.saturating_sub(tokens.cached_input));
        let mut needs = [
            (&mut self.requests, 1, 1),
            (&mut self.input, fresh, fresh),
            (&mut self.output, 1, 0),
        ];
        let mut wait = Some(Duration::ZERO);
        for (bucket, room, _) in &mut needs {
            if let Some(bucket) = bucket {
                bucket.refill(now);
                wait = wait.zip(bucket.wait_for(*room)).map(|(a, b)| a.max(b));
            }
        }
        if wait != Some(Duration::ZERO) {
            return Err(RateLimited {
                retry_after: wait.filter(|_| self.retry_after).map(whole_seconds),
            });
        }
        for (bucket, _, taken) in needs {
            if let Some(bucket) = bucket {
                bucket.take(taken);
            }
        }
        Ok(())
    }

    /// An attempt has ended and produced `output` tokens.
    pub(super) fn charge_output(&mut self, now: Timestamp, output: u32) {
        if let Some(bucket) = &mut self.output {
            bucket.refill(now);
            bucket.take(u64::from(output));
        }
    }
}

fn whole_seconds(wait: Duration) -> Duration {
    Duration::from_secs(wait.as_nanos().div_ceil(1_000_000_000))
}

/// Units to one token: nanoseconds of a minute.
const TOKEN: i128 = 60_000_000_000;

struct Bucket {
    /// Limit per minute as stated.
    stated: u64,
    /// Limit per minute in force: depth in tokens, and refill in units per nanosecond.
    per_minute: i128,
    /// In units; below zero is debt.
    level: i128,
    /// When `level` was right.
    at: Timestamp,
}

impl Bucket {
    fn new(per_minute: u64) -> Self {
        Self {
            stated: per_minute,
            per_minute: i128::from(per_minute),
            level: i128::from(per_minute) * TOKEN,
            at: Timestamp::ZERO,
        }
    }

    fn refill(&mut self, now: Timestamp) {
        self.level = self.level_at(now);
        self.at = self.at.max(now);
    }

    fn level_at(&self, now: Timestamp) -> i128 {
        let passed = i128::from(now.since(self.at).as_nanos());
        let depth = self.per_minute * TOKEN;
        let refilled = passed.saturating_mul(self.per_minute);
        self.level.saturating_add(refilled).min(depth)
    }

    fn left(&self, now: Timestamp) -> LimitLeft {
        let level = self.level_at(now);
        let missing = self.per_minute * TOKEN - level;
        let nanos = match self.per_minute {
            0 => i128::MAX,
            per_minute => missing.saturating_add(per_minute - 1) / per_minute,
        };
        LimitLeft {
            limit: u64::try_from(self.per_minute).unwrap_or(u64::MAX),
            remaining: u64::try_from(level.max(0) / TOKEN).unwrap_or(u64::MAX),
            full_in: Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)),
        }
    }

    fn take(&mut self, tokens: u64) {
        self.level = self.level.saturating_sub(i128::from(tokens) * TOKEN);
    }

    /// Time until `tokens` are there, rounded up to a nanosecond; `None` = never. Refill first.
    fn wait_for(&self, tokens: u64) -> Option<Duration> {
        let missing = i128::from(tokens) * TOKEN - self.level;
        if missing <= 0 {
            return Some(Duration::ZERO);
        }
        if i128::from(tokens) > self.per_minute || self.per_minute == 0 {
            return None;
        }
        let nanos = (missing + self.per_minute - 1) / self.per_minute;
        Some(Duration::from_nanos(
            u64::try_from(nanos).unwrap_or(u64::MAX),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usage(input: u32, cached_input: u32) -> Usage {
        Usage {
            input,
            cached_input,
            output: 0,
        }
    }

    fn quota(requests: Option<u64>, input: Option<u64>, output: Option<u64>) -> Quota {
        Quota {
            requests_per_minute: requests,
            input_tokens_per_minute: input,
            output_tokens_per_minute: output,
            retry_after: true,
        }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_millis(millis)
    }

    fn refused(seconds: u64) -> Result<(), RateLimited> {
        let retry_after = Some(Duration::from_secs(seconds));
        Err(RateLimited { retry_after })
    }

    #[test]
    fn requests_refill_continuously() {
        let mut buckets = Buckets::new(&quota(Some(30), None, None));
        for _ in 0..30 {
            assert_eq!(buckets.admit(at(0), usage(0, 0)), Ok(()));
        }
        assert_eq!(buckets.admit(at(0), usage(0, 0)), refused(2));
        assert_eq!(buckets.admit(at(1_500), usage(0, 0)), refused(1));
        assert_eq!(buckets.admit(at(2_000), usage(0, 0)), Ok(()));
        assert_eq!(buckets.admit(at(2_000), usage(0, 0)), refused(2));
    }

    #[test]
    fn cached_input_is_free_and_a_refusal_takes_nothing() {
        let mut buckets = Buckets::new(&quota(Some(2), Some(600), None));
        assert_eq!(buckets.admit(at(0), usage(10_500, 10_000)), Ok(()));
        // 100 are left, 10 come per second: 5 s for 150. The request bucket keeps its token.
        assert_eq!(buckets.admit(at(0), usage(150, 0)), refused(5));
        assert_eq!(buckets.admit(at(0), usage(100, 0)), Ok(()));
        // Now both are empty: the longer wait counts, 30 s for a request against 10 s.
        assert_eq!(buckets.admit(at(0), usage(100, 0)), refused(30));
    }

    #[test]
    fn output_is_charged_when_it_is_known_and_may_overshoot() {
        let mut buckets = Buckets::new(&quota(None, None, Some(60)));
        assert_eq!(buckets.admit(at(0), usage(5, 0)), Ok(()));
        assert_eq!(buckets.admit(at(0), usage(5, 0)), Ok(()));
        buckets.charge_output(at(0), 70);
        buckets.charge_output(at(0), 20);
        // 30 of debt and the one token asked for, at one per second.
        assert_eq!(buckets.admit(at(0), usage(5, 0)), refused(31));
        assert_eq!(buckets.admit(at(31_000), usage(5, 0)), Ok(()));
    }

    #[test]
    fn what_is_left_is_what_can_be_taken() {
        let mut buckets = Buckets::new(&quota(Some(30), Some(600), None));
        assert_eq!(buckets.admit(at(0), usage(150, 30)), Ok(()));
        let left = |limit, remaining, millis| {
            let full_in = Duration::from_millis(millis);
            Some(LimitLeft {
                limit,
                remaining,
                full_in,
            })
        };
        let expected = |requests, input| QuotaLeft {
            requests,
            input,
            output: None,
        };
        let start = expected(left(30, 29, 2_000), left(600, 480, 12_000));
        assert_eq!(buckets.left(at(0)), start);
        let later = expected(left(30, 29, 500), left(600, 495, 10_500));
        assert_eq!(buckets.left(at(1_500)), later);
        // Looking changes nothing.
        assert_eq!(buckets.left(at(0)), start);
        buckets.scale(at(60_000), 0.0);
        let closed = buckets.left(at(60_000)).requests.unwrap();
        assert_eq!(
            (closed.remaining, closed.full_in),
            (0, Duration::MAX),
            "a closed bucket never fills"
        );
    }

    #[test]
    fn what_can_never_fit_names_no_wait() {
        let never = Err(RateLimited { retry_after: None });
        let mut buckets = Buckets::new(&quota(None, Some(100), None));
        assert_eq!(buckets.admit(at(0), usage(101, 0)), never);
        assert_eq!(buckets.admit(at(0), usage(100, 0)), Ok(()));
        let mut closed = Buckets::new(&quota(Some(0), None, None));
        assert_eq!(closed.admit(at(0), usage(0, 0)), never);
        let mut silent = Buckets::new(&Quota {
            retry_after: false,
            ..quota(Some(1), None, None)
        });
        assert_eq!(silent.admit(at(0), usage(0, 0)), Ok(()));
        assert_eq!(silent.admit(at(0), usage(0, 0)), never);
    }

    #[test]
    fn extremes_do_not_overflow() {
        let mut buckets = Buckets::new(&quota(Some(u64::MAX), Some(u64::MAX), Some(u64::MAX)));
        for now in [Timestamp::ZERO, Timestamp::NEVER, Timestamp::ZERO] {
            assert_eq!(buckets.admit(now, usage(u32::MAX, 0)), Ok(()));
            buckets.charge_output(now, u32::MAX);
        }
        let mut slow = Buckets::new(&quota(None, None, Some(1_000_000)));
        for _ in 0..1_000 {
            slow.charge_output(Timestamp::ZERO, u32::MAX);
        }
        assert!(slow.admit(Timestamp::ZERO, usage(0, 0)).is_err());
        assert_eq!(slow.admit(Timestamp::NEVER, usage(0, 0)), Ok(()));
    }

    /// One step of the fluid model: (milliseconds passed, input, output charged before).
    type Step = (u64, u32, Option<u32>);

    /// The oracle: the level of a bucket as the fraction `level / 60000` of a token, with time in
    /// whole milliseconds, recomputed from the whole history of what was taken.
    #[derive(Default)]
    struct Fluid {
        taken: Vec<(u64, i128)>,
    }

    impl Fluid {
        const TOKEN: i128 = 60_000;

        fn level(&self, limit: u64, now: u64) -> i128 {
            let (mut level, mut at) = (i128::from(limit) * Self::TOKEN, 0);
            for (when, amount) in self.taken.iter().copied().chain([(now, 0)]) {
                level += i128::from(when - at) * i128::from(limit);
                level = level.min(i128::from(limit) * Self::TOKEN) - amount * Self::TOKEN;
                at = when;
            }
            level
        }

        fn has(&self, limit: u64, now: u64, tokens: u32) -> bool {
            self.level(limit, now) >= i128::from(tokens) * Self::TOKEN
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_fluid_model_and_retry_after_is_tight(
            limits in (1..90u64, 1..5_000u64, 1..3_000u64),
            steps in prop::collection::vec(
                (0..20_000u64, 0..2_000u32, prop::option::of(0..1_500u32)), 1..80),
        ) {
            let steps: Vec<Step> = steps;
            let (requests, input, output) = limits;
            let mut buckets = Buckets::new(&quota(Some(requests), Some(input), Some(output)));
            let mut fluid: [Fluid; 3] = Default::default();
            let mut now = 0;
            for (passed, tokens, produced) in steps {
                now += passed;
                if let Some(produced) = produced {
                    buckets.charge_output(at(now), produced);
                    fluid[2].taken.push((now, i128::from(produced)));
                }
                let room = |fluid: &[Fluid; 3], now| {
                    fluid[0].has(requests, now, 1)
                        && fluid[1].has(input, now, tokens)
                        && fluid[2].has(output, now, 1)
                };
                match buckets.admit(at(now), usage(tokens, 0)) {
                    Ok(()) => {
                        prop_assert!(room(&fluid, now));
                        fluid[0].taken.push((now, 1));
                        fluid[1].taken.push((now, i128::from(tokens)));
                    }
                    Err(RateLimited { retry_after: None }) => {
                        prop_assert!(u64::from(tokens) > input);
                    }
                    Err(RateLimited { retry_after: Some(wait) }) => {
                        let wait = wait.as_nanos() / 1_000_000;
                        prop_assert_eq!(wait % 1_000, 0);
                        prop_assert!(room(&fluid, now + wait), "not sufficient");
                        prop_assert!(!room(&fluid, now + wait - 1_000), "over a second too long");
                    }
                }
            }
        }
    }
}
