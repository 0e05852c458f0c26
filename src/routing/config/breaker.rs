//! The circuit breaker's settings.
//!
//! Three habits of other breakers are there as options and off by default: Envoy's outlier
//! detection ejects by success rate and for longer each time, and its clusters start slowly. Each
//! is one setting that is on or off with all its numbers, so that none can be written without
//! effect.

use crate::time::Duration;

/// Circuit breaker of a target: 5 failures, 60 s, 3 successes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BreakerConfig {
    /// Consecutive failures that open it. Default 5.
    pub failures_to_open: u32,
    /// Time that it stays open, refusing all. Default 60 s.
    pub open_time: Duration,
    /// Probes in flight at a time while half-open. Default 1: more would let a crowd in on an
    /// upstream that is still down.
    pub half_open_max_in_flight: u32,
    /// Successful probes in a row that close it. Default 3.
    pub successes_to_close: u32,
    /// A share of failures that opens it too. Default `None`: off.
    pub failure_rate: Option<FailureRate>,
    /// An open time that grows on repetition. Default `None`: always `open_time`.
    pub open_time_growth: Option<OpenTimeGrowth>,
    /// A closed-again target's way back to full traffic. Default `None`: at once.
    pub slow_start: Option<SlowStart>,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures_to_open: 5,
            open_time: Duration::from_secs(60),
            half_open_max_in_flight: 1,
            successes_to_close: 3,
            failure_rate: None,
            open_time_growth: None,
            slow_start: None,
        }
    }
}

impl BreakerConfig {
    /// Whether a breaker has to remember more than its state.
    #[must_use]
    pub const fn has_options(&self) -> bool {
        self.failure_rate.is_some() || self.open_time_growth.is_some() || self.slow_start.is_some()
    }
}

/// Opens a breaker by the share of failures: an upstream that fails every other request never
/// fails five in a row for long. A success never opens it, however bad the share.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct FailureRate {
    /// Failures among the attempts judged in the window, at least. In (0, 1]; default 0.5.
    pub share: f64,
    /// The window, in ten buckets aligned to time 0. Default 30 s.
    pub window: Duration,
    /// Attempts judged in the window, at least, since the breaker closed. Default 20: of fewer, the
    /// share says little (at a true rate of 20 %, half of 20 fail once in 400 windows).
    pub least_attempts: u32,
}

impl Default for FailureRate {
    fn default() -> Self {
        Self {
            share: 0.5,
            window: Duration::from_secs(30),
            least_attempts: 20,
        }
    }
}

/// Makes the open time grow each time that a breaker opens again, so that an upstream that is down
/// for long, or flaps, costs fewer probes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct OpenTimeGrowth {
    /// Each open time over the one before. Above 1; default 2.
    pub factor: f64,
    /// Longest open time, at least `open_time`. Default 5 min (Envoy's longest ejection): without a
    /// cap, an hour of trouble would keep an account out for the day.
    pub cap: Duration,
    /// Closed for this long, the next open time is the first again. Default 5 min, the default cap:
    /// who has been well for as long as the longest open time does not flap.
    pub reset_after: Duration,
}

impl Default for OpenTimeGrowth {
    fn default() -> Self {
        Self {
            factor: 2.0,
            cap: Duration::from_secs(300),
            reset_after: Duration::from_secs(300),
        }
    }
}

impl OpenTimeGrowth {
    /// The open time after one of this length.
    #[must_use]
    pub fn after(&self, length: Duration) -> Duration {
        length.scale(self.factor).min(self.cap)
    }
}

/// Lets a closed-again target's traffic rise little by little: a cold cache, or an autoscaler that
/// has scaled down, would fail again under all of it at once.
///
/// For every request the target is a candidate with a probability that rises linearly, drawn from
/// the policy stream; it is one in any case where there is no other. So it acts in the same way
/// under every strategy. (To scale weights, as Envoy does, acts on those that have weights; to
/// scale scores may do nothing at all, or everything.)
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SlowStart {
    /// Time from closing to full traffic. Default 30 s.
    pub window: Duration,
    /// Probability at the moment of closing. In (0, 1]; default 0.1 (Envoy's least weight).
    pub floor: f64,
}

impl Default for SlowStart {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(30),
            floor: 0.1,
        }
    }
}

impl SlowStart {
    /// Probability of being a candidate so long after closing.
    #[must_use]
    pub fn share(&self, since: Duration) -> f64 {
        let part = since.as_nanos() as f64 / self.window.as_nanos().max(1) as f64;
        (self.floor + (1.0 - self.floor) * part).min(1.0)
    }
}
