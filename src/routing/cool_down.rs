//! Cool-down of an account after a rate limit, and its disabling after an account fault.
//!
//! A 429 that names a time is believed. One that names none starts at a short cool-down which
//! doubles on repetition up to a cap: a fixed guess is either too long (it cost LiteLLM's users a
//! third of their throughput) or too short. One success ends the repetition. Both ends are times,
//! so that an account always comes back by itself.

use crate::routing::config::CoolDownConfig;
use crate::time::{Duration, Timestamp};

/// Until when an account is left alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct CoolDown {
    until: Timestamp,
    disabled_until: Timestamp,
    /// 429s without a named time in a row.
    repetitions: u32,
    /// When the last 429 came.
    limited_at: Timestamp,
    /// Time spent, or to be spent, cooling down after rate limits.
    cooling: Duration,
    /// Account faults so far.
    faults: u64,
}

impl CoolDown {
    /// Until when the account takes no attempts; in the past if it does.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.until.max(self.disabled_until)
    }

    /// Whether an account fault has taken it out at `now`.
    #[must_use]
    pub fn is_disabled(&self, now: Timestamp) -> bool {
        now < self.disabled_until
    }

    /// A rate limit: cools down for `retry_after`, else for the next step of the doubling time.
    /// Several 429s of one burst do not add up: those met while already cooling down without a
    /// named time do not double it again.
    pub fn rate_limited(
        &mut self,
        now: Timestamp,
        retry_after: Option<Duration>,
        config: &CoolDownConfig,
    ) {
        self.limited_at = now;
        let length = if let Some(length) = retry_after {
            length
        } else if now < self.until {
            return;
        } else {
            let doubled = config
                .base
                .as_nanos()
                .saturating_mul(1 << self.repetitions.min(32));
            self.repetitions = self.repetitions.saturating_add(1);
            Duration::from_nanos(doubled).min(config.cap)
        };
        let until = self.until.max(now + length);
        self.cooling += until.since(self.until.max(now));
        self.until = until;
    }

    /// An account fault.
    pub fn account_fault(&mut self, now: Timestamp, config: &CoolDownConfig) {
        self.disabled_until = now + config.account_fault;
        self.faults += 1;
    }

    /// Time spent, or still to be spent, cooling down after rate limits, and the number of account
    /// faults.
    #[must_use]
    pub const fn totals(&self) -> (Duration, u64) {
        (self.cooling, self.faults)
    }

    /// A success of an attempt sent at `dispatched`: the next 429 starts from the base again,
    /// unless the attempt was sent before the last one, and so says nothing about the time since.
    #[inline]
    pub fn success(&mut self, dispatched: Timestamp) {
        if dispatched >= self.limited_at {
            self.repetitions = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(secs)
    }

    #[test]
    fn without_a_named_time_it_doubles_to_the_cap_and_success_ends_that() {
        let config = CoolDownConfig::default();
        let mut cool_down = CoolDown::default();
        let mut now = at(0);
        for expected in [5, 10, 20, 40, 60, 60, 60] {
            cool_down.rate_limited(now, None, &config);
            cool_down.rate_limited(now, None, &config);
            assert_eq!(cool_down.until(), now + Duration::from_secs(expected));
            now = cool_down.until();
        }
        cool_down.success(at(0));
        assert_eq!(cool_down.repetitions, 7, "sent before the last 429");
        cool_down.success(now);
        cool_down.rate_limited(now, None, &config);
        assert_eq!(cool_down.until(), now + Duration::from_secs(5));
    }

    #[test]
    fn a_named_time_is_believed() {
        let config = CoolDownConfig::default();
        let mut cool_down = CoolDown::default();
        cool_down.rate_limited(at(0), Some(Duration::from_secs(90)), &config);
        cool_down.rate_limited(at(1), Some(Duration::from_secs(2)), &config);
        assert_eq!(cool_down.until(), at(90));
    }

    #[test]
    fn an_account_fault_ends_by_itself() {
        let config = CoolDownConfig::default();
        let mut cool_down = CoolDown::default();
        cool_down.account_fault(at(7), &config);
        assert!(cool_down.is_disabled(at(606)));
        assert!(!cool_down.is_disabled(at(607)));
    }
}
