//! Every constant of the routing code, with its default and the reason for it.
//!
//! There is one set of defaults, here, and nowhere else: two different default sets for one breaker
//! is a mistake that real gateways have made.

mod breaker;

pub use breaker::{BreakerConfig, FailureRate, OpenTimeGrowth, SlowStart};

use crate::record::Strategy;
use crate::request::{RequestPriority, words};
use crate::time::Duration;

/// Settings of the gateway core.
#[derive(Clone, PartialEq, Debug)]
pub struct RoutingConfig {
    /// How the target of an attempt is chosen. Default `smart`, the system as a whole.
    pub strategy: Strategy,
    /// What is learned about apart. Default: accounts.
    pub health_scope: HealthScope,
    /// Longest that a request may take, all attempts together. Default 30 s; `None` = for ever.
    pub deadline: Option<Duration>,
    /// Longest that one attempt may take. Default `None`: what is left of the deadline.
    pub attempt_timeout: Option<Duration>,
    /// Longest that a streaming attempt may take to its first token. Default `None`.
    pub first_token_timeout: Option<Duration>,
    /// Longest pause within a stream. Default `None`.
    pub idle_timeout: Option<Duration>,
    /// Circuit breaker; `None` = off, every target is always closed.
    pub breaker: Option<BreakerConfig>,
    /// Retries.
    pub retry: RetryConfig,
    /// Cool-down after a rate limit.
    pub cool_down: CoolDownConfig,
    /// What is learned about targets, and how fast it is forgotten.
    pub metrics: MetricsConfig,
    /// Health score.
    pub health: HealthWeights,
    /// The `adaptive` strategy.
    pub adaptive: AdaptiveWeights,
    /// `weighted_round_robin`: scale weights by health. Default true.
    pub dynamic_weights: bool,
    /// `geographic`: a region above this share of its in-flight limits spills over to the next.
    /// Default 0.9.
    pub geographic_spill_above: f64,
    /// Leave out accounts whose declared quota has no room for the estimated tokens. Default: only
    /// for `smart`, which is what `None` means.
    pub quota_aware: Option<bool>,
    /// The smart router.
    pub smart: SmartConfig,
    /// Response cache; `None` = off, the default: an answer may be repeated only if its owner says
    /// so.
    pub cache: Option<CacheConfig>,
    /// What becomes of a request that nobody can take now. Default `reject`.
    pub when_none_available: WhenNoneAvailable,
    /// Requests that may wait at a time, with `wait`. Default 1,000.
    pub max_waiting: u32,
}

words! {
    /// What becomes of a request when all who could take it are open, cooling down, full or without
    /// quota.
    WhenNoneAvailable {
        /// It is refused, and told when to try again.
        Reject = "reject",
        /// It waits in line until somebody is available, or for its deadline; where that is too
        /// soon for anybody to come back, it is refused at once.
        Wait = "wait",
        /// It is sent to the least bad of those who are not disabled and not full, against the
        /// breaker's or the cool-down's advice.
        LeastBad = "least_bad",
    }
}

impl RoutingConfig {
    /// Whether accounts are left out whose declared quota has no room.
    #[must_use]
    pub fn minds_quotas(&self) -> bool {
        self.quota_aware.unwrap_or(self.strategy == Strategy::Smart)
    }
}

impl Default for RoutingConfig {
    fn default() -> Self {
        Self {
            strategy: Strategy::Smart,
            health_scope: HealthScope::Account,
            deadline: Some(Duration::from_secs(30)),
            attempt_timeout: None,
            first_token_timeout: None,
            idle_timeout: None,
            breaker: Some(BreakerConfig::default()),
            retry: RetryConfig::default(),
            cool_down: CoolDownConfig::default(),
            metrics: MetricsConfig::default(),
            health: HealthWeights::default(),
            adaptive: AdaptiveWeights::default(),
            dynamic_weights: true,
            geographic_spill_above: 0.9,
            quota_aware: None,
            smart: SmartConfig::default(),
            cache: None,
            when_none_available: WhenNoneAvailable::Reject,
            max_waiting: 1_000,
        }
    }
}

/// What has a breaker, a success rate and estimates of its own: a target.
///
/// Limits are the provider's word about the account, so in flight, quotas and what follows from
/// their being hit (cool-down, disabling) are the account's in either scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HealthScope {
    /// An account, all its models together: most is learned from the same traffic.
    #[default]
    Account,
    /// A model at an account: models fail, and slow down, separately.
    AccountModel,
}

impl HealthScope {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Account, Self::AccountModel];

    /// The name in scenario files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::AccountModel => "account_model",
        }
    }
}

/// Response cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CacheConfig {
    /// Answers kept at most; the least recently used makes room. Default 10,000: some 20 MB of
    /// text, with answers of 500 tokens.
    pub max_entries: u32,
    /// Output tokens of all answers kept at most, which is what their bodies take. Default `None`:
    /// only their number counts.
    pub max_output_tokens: Option<u64>,
    /// How long an answer is kept; being used does not prolong it. Default 10 min: long enough for
    /// what many ask at the same time, short enough that an answer does not outlive what it is
    /// about.
    pub ttl: Duration,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            max_entries: 10_000,
            max_output_tokens: None,
            ttl: Duration::from_secs(600),
        }
    }
}

/// Retries of one request, and the budget that all requests share.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RetryConfig {
    /// Attempts of one request, the first included. Default 3; 1 = no retries.
    pub max_attempts: u8,
    /// First delay before a retry when no other target is available. Default 100 ms.
    pub backoff_base: Duration,
    /// Longest such delay. Default 5 s.
    pub backoff_cap: Duration,
    /// Retries that one request adds to the budget. Default 0.2 (Finagle).
    pub budget_per_request: f64,
    /// Retries added per second, so that a quiet gateway can still retry. Default 10 (Finagle).
    pub budget_per_second: f64,
    /// How long an unused retry stays in the budget. Default 10 s (Finagle).
    pub budget_window: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            backoff_base: Duration::from_millis(100),
            backoff_cap: Duration::from_secs(5),
            budget_per_request: 0.2,
            budget_per_second: 10.0,
            budget_window: Duration::from_secs(10),
        }
    }
}

/// Cool-down of an account after HTTP 429, and its disabling after an account fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CoolDownConfig {
    /// First cool-down where the answer names no time. Default 5 s.
    pub base: Duration,
    /// Longest such cool-down; it doubles on each repetition up to this. Default 60 s.
    pub cap: Duration,
    /// How long an account fault (bad key, no credit) takes the account out. Default 10 min: long
    /// enough to spare traffic, short enough to notice a repaired key without a restart.
    pub account_fault: Duration,
}

impl Default for CoolDownConfig {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(5),
            cap: Duration::from_secs(60),
            account_fault: Duration::from_secs(600),
        }
    }
}

/// What is learned about a target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MetricsConfig {
    /// Time constant of the response-time estimates. Default 10 s.
    pub latency_tau: Duration,
    /// Without a sample for this long the target is unmeasured again. Default 60 s.
    pub forget_after: Duration,
    /// Window of the success rate, ten buckets. Default 60 s.
    pub success_window: Duration,
    /// Response time that scores 0.5. Default 5 s.
    pub response_reference: Duration,
    /// Time constant of the providers' shares of recent dispatches. Default 60 s.
    pub diversity_tau: Duration,
    /// Error streak at which stability scores 0. Default 5.
    pub streak_limit: u32,
    /// Output tokens expected of a model that has not answered yet. Default 256, between the
    /// medians of public chat traces (129 and 500).
    pub default_output_tokens: u32,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            latency_tau: Duration::from_secs(10),
            forget_after: Duration::from_secs(60),
            success_window: Duration::from_secs(60),
            response_reference: Duration::from_secs(5),
            diversity_tau: Duration::from_secs(60),
            streak_limit: 5,
            default_output_tokens: 256,
        }
    }
}

/// Weights of the health score. Default 0.40 / 0.30 / 0.20 / 0.10; they add up to 1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct HealthWeights {
    /// Of the windowed success rate.
    pub success: f64,
    /// Of the response score.
    pub response: f64,
    /// Of the free share of the in-flight limit.
    pub connections: f64,
    /// Of the absence of an error streak.
    pub stability: f64,
}

impl Default for HealthWeights {
    fn default() -> Self {
        Self {
            success: 0.40,
            response: 0.30,
            connections: 0.20,
            stability: 0.10,
        }
    }
}

/// Weights of the `adaptive` score. Default 0.25 / 0.25 / 0.20 / 0.15 / 0.15; they add up to 1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AdaptiveWeights {
    /// Of the health score.
    pub health: f64,
    /// Of the windowed success rate.
    pub success: f64,
    /// Of the response score.
    pub response: f64,
    /// Of the free share of the in-flight limit.
    pub load: f64,
    /// Of 1 - the provider's share of recent dispatches.
    pub diversity: f64,
}

impl Default for AdaptiveWeights {
    fn default() -> Self {
        Self {
            health: 0.25,
            success: 0.25,
            response: 0.20,
            load: 0.15,
            diversity: 0.15,
        }
    }
}

/// The smart router.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SmartConfig {
    /// Strategy by priority, in the order of [`RequestPriority::ALL`]. Default: critical ->
    /// `fastest_response`, high -> `health_based`, normal -> `adaptive`, low -> `round_robin`. None
    /// of them is `smart`.
    pub by_priority: [Strategy; RequestPriority::ALL.len()],
    /// Used in place of `adaptive` while fewer than two candidates have been measured. Default
    /// `weighted_round_robin`.
    pub while_unmeasured: Strategy,
    /// Confidence.
    pub confidence: ConfidenceConfig,
}

impl Default for SmartConfig {
    fn default() -> Self {
        Self {
            by_priority: [
                Strategy::FastestResponse,
                Strategy::HealthBased,
                Strategy::Adaptive,
                Strategy::RoundRobin,
            ],
            while_unmeasured: Strategy::WeightedRoundRobin,
            confidence: ConfidenceConfig::default(),
        }
    }
}

/// Confidence of a decision: a base, what speaks for it, and what speaks against it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ConfidenceConfig {
    /// Default 0.5.
    pub base: f64,
    /// Weight of capability. Default 0.15.
    pub capability: f64,
    /// Weight of the preferences met. Default 0.15.
    pub preference: f64,
    /// Weight of the health score. Default 0.20.
    pub health: f64,
    /// Taken off for each doubt. Default 0.1.
    pub doubt: f64,
    /// Share of the in-flight limit above which the load is a doubt. Default 0.8.
    pub busy_above: f64,
}

impl Default for ConfidenceConfig {
    fn default() -> Self {
        Self {
            base: 0.5,
            capability: 0.15,
            preference: 0.15,
            health: 0.20,
            doubt: 0.1,
            busy_above: 0.8,
        }
    }
}
