//! When a retry may be made: a budget shared by all requests, and the delay before it.
//!
//! The budget is Finagle's (also tower's): every request adds a fraction of a retry, kept for a
//! window, and a steady trickle is added for quiet gateways; a retry takes one. So retries are at
//! most a fixed share of the traffic, and a failing upstream cannot turn them into a storm. A limit
//! per request alone would multiply the load by the number of attempts just when it hurts most.

use crate::rng::Rng;
use crate::routing::config::RetryConfig;
use crate::time::{Duration, Timestamp};

/// Buckets of the budget's window.
const BUCKETS: u64 = 10;
/// Amounts are in thousandths of a retry, so that sums are exact.
const ONE_RETRY: i64 = 1_000;

/// What may still be spent on retries.
#[derive(Clone, Debug)]
pub struct RetryBudget {
    deposits: [i64; BUCKETS as usize],
    balance: i64,
    bucket_nanos: u64,
    tick: u64,
    /// When the bucket of `tick` ends: a division for each request would be most of the work.
    tick_ends: Timestamp,
    per_request: i64,
}

impl RetryBudget {
    /// A budget as configured; the trickle's whole window is there from the start.
    #[must_use]
    pub fn new(config: &RetryConfig) -> Self {
        let reserve = config.budget_per_second * config.budget_window.as_secs_f64();
        Self {
            deposits: [0; BUCKETS as usize],
            balance: (reserve * ONE_RETRY as f64) as i64,
            bucket_nanos: (config.budget_window.as_nanos() / BUCKETS).max(1),
            tick: 0,
            tick_ends: Timestamp::ZERO,
            per_request: (config.budget_per_request * ONE_RETRY as f64) as i64,
        }
    }

    /// Notes a request.
    pub fn deposit(&mut self, now: Timestamp) {
        self.add(now, self.per_request);
    }

    /// Takes one retry; false if there is none left.
    pub fn withdraw(&mut self, now: Timestamp) -> bool {
        self.turn(now);
        if self.balance < ONE_RETRY {
            return false;
        }
        self.add(now, -ONE_RETRY);
        true
    }

    /// Puts back a retry withdrawn at this same `now`, because it is not made after all.
    pub fn give_back(&mut self, now: Timestamp) {
        self.add(now, ONE_RETRY);
    }

    fn add(&mut self, now: Timestamp, amount: i64) {
        self.turn(now);
        self.deposits[(self.tick % BUCKETS) as usize] += amount;
        self.balance += amount;
    }

    /// Lets deposits and withdrawals that are older than the window fall out of it.
    #[inline]
    fn turn(&mut self, now: Timestamp) {
        if now >= self.tick_ends {
            self.turn_to(now);
        }
    }

    #[cold]
    fn turn_to(&mut self, now: Timestamp) {
        let tick = now.as_nanos() / self.bucket_nanos;
        for step in 0..tick.saturating_sub(self.tick).min(BUCKETS) {
            let slot = ((tick - step) % BUCKETS) as usize;
            self.balance -= std::mem::take(&mut self.deposits[slot]);
        }
        self.tick = self.tick.max(tick);
        self.tick_ends = Timestamp::from_nanos((tick + 1).saturating_mul(self.bucket_nanos));
    }
}

/// Delay before retry number `retry` (from 1) when no other target is available: exponential with
/// full jitter, uniform in `[0, min(cap, base 2^(retry-1))]` (Brooker, "Exponential Backoff And
/// Jitter", AWS 2015).
pub fn backoff(config: &RetryConfig, retry: u32, rng: &mut Rng) -> Duration {
    let doubled = config
        .backoff_base
        .as_nanos()
        .checked_mul(1 << retry.saturating_sub(1).min(40));
    let ceiling = Duration::from_nanos(doubled.unwrap_or(u64::MAX)).min(config.backoff_cap);
    ceiling.scale(rng.uniform())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    proptest! {
        /// In any stretch of time the budget agrees with a list of everything that happened.
        #[test]
        fn agrees_with_a_naive_model(
            per_request in 0u32..5,
            per_second in 0u32..3,
            steps in prop::collection::vec((0u64..400, any::<bool>()), 1..400),
        ) {
            let config = RetryConfig {
                budget_per_request: f64::from(per_request) / 5.0,
                budget_per_second: f64::from(per_second),
                ..RetryConfig::default()
            };
            let mut budget = RetryBudget::new(&config);
            let (mut log, mut millis) = (Vec::<(u64, i64)>::new(), 0u64);
            for (wait, request) in steps {
                millis += wait;
                let now = Timestamp::ZERO + Duration::from_millis(millis);
                let kept = log.iter().filter(|(t, _)| millis / 1000 < t / 1000 + 10);
                let balance = i64::from(per_second) * 10_000 + kept.map(|(_, a)| a).sum::<i64>();
                if request {
                    budget.deposit(now);
                    log.push((millis, i64::from(per_request) * 200));
                } else {
                    let allowed = budget.withdraw(now);
                    prop_assert_eq!(allowed, balance >= ONE_RETRY);
                    if allowed {
                        log.push((millis, -ONE_RETRY));
                    }
                }
            }
        }
    }

    /// However much fails, retries stay below the reserve plus a fifth of the requests.
    #[test]
    fn retries_cannot_become_a_storm() {
        let mut budget = RetryBudget::new(&RetryConfig::default());
        let mut retries = 0;
        for i in 0..100_000u64 {
            let now = Timestamp::ZERO + Duration::from_millis(i);
            budget.deposit(now);
            retries += u32::from(budget.withdraw(now)) + u32::from(budget.withdraw(now));
        }
        // 100 s: a fifth of 100,000 requests, and 10 per second with a window's worth to start
        // with.
        assert!((19_000..=20_000 + 1_100).contains(&retries), "{retries}");
    }

    #[test]
    fn the_backoff_doubles_to_its_cap_with_full_jitter() {
        let config = RetryConfig::default();
        let mut rng = Rng::from_state(5);
        for (retry, ceiling_ms) in [(1, 100u64), (2, 200), (3, 400), (7, 5_000), (60, 5_000)] {
            let delays: Vec<u64> = (0..4_000)
                .map(|_| backoff(&config, retry, &mut rng).as_micros())
                .collect();
            let mean = delays.iter().sum::<u64>() as f64 / 4e3;
            assert!(delays.iter().all(|d| *d <= ceiling_ms * 1_000));
            assert!(
                (mean / (ceiling_ms as f64 * 500.0) - 1.0).abs() < 0.05,
                "{retry}: {mean}"
            );
        }
    }
}
