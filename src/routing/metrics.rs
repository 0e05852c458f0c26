//! Snapshots for people and dashboards: what is known of an account, and of the gateway as a whole.
//!
//! Taken on demand from what the pool has learned and the statistics have counted. Nothing is kept
//! for them, so they cost nothing when nobody looks.

use crate::request::FailureKind;
use crate::routing::cost_rate::CostPerHour;
use crate::routing::pool::Snapshot;
use crate::routing::statistics::{AccountStatistics, Latencies, Statistics, Totals};
use crate::time::{Duration, Timestamp};
use crate::units::NanoUsd;

/// What is known of one account, at one moment.
#[derive(Clone, PartialEq, Debug)]
pub struct AccountMetrics {
    /// What routing has learned.
    pub learned: Snapshot,
    /// Attempts ended.
    pub total_attempts: u64,
    /// Of them successful.
    pub successful_attempts: u64,
    /// Failed attempts by kind, in the order of [`FailureKind::ALL`].
    pub failed_attempts: [u64; FailureKind::ALL.len()],
    /// Input tokens charged.
    pub input_tokens: u64,
    /// Output tokens charged.
    pub output_tokens: u64,
    /// Money charged.
    pub cost: NanoUsd,
    /// 99th percentile of the duration of its successful attempts; `None` without any.
    pub latency_p99: Option<Duration>,
    /// 99th percentile of their time to first token; `None` without streams.
    pub first_token_p99: Option<Duration>,
    /// End of the last successful attempt.
    pub last_success: Option<Timestamp>,
}

impl AccountMetrics {
    pub(super) fn new(learned: Snapshot, counted: &AccountStatistics) -> Self {
        Self {
            learned,
            total_attempts: counted.attempts,
            successful_attempts: counted.successes,
            failed_attempts: counted.failures,
            input_tokens: counted.input_tokens,
            output_tokens: counted.output_tokens,
            cost: counted.cost,
            latency_p99: counted.latency.quantile(0.99),
            first_token_p99: counted.first_token.quantile(0.99),
            last_success: counted.last_success,
        }
    }

    /// The health score in [0, 1]: 0.40 success + 0.30 response + 0.20 connections + 0.10
    /// stability, or the weights configured.
    #[must_use]
    pub fn calculate_health_score(&self) -> f64 {
        self.learned.parts.health(&self.learned.health_weights)
    }
}

/// The gateway as a whole, at one moment.
#[derive(Clone, Debug)]
pub struct GatewayStats {
    /// Requests that have ended.
    pub total_requests: u64,
    /// Of them answered.
    pub successful_requests: u64,
    /// Of them failed after an attempt.
    pub failed_requests: u64,
    /// Of them refused without an attempt.
    pub rejected_requests: u64,
    /// Requests that have arrived and not ended.
    pub in_flight: usize,
    /// All counts.
    pub totals: Totals,
    /// Latency and first-token distributions.
    pub latency: Latencies,
    /// What is spent per hour now, and where that is going.
    pub cost_per_hour: CostPerHour,
}

impl GatewayStats {
    pub(super) fn new(statistics: &Statistics, in_flight: usize, now: Timestamp) -> Self {
        let totals = *statistics.totals();
        Self {
            total_requests: totals.requests,
            successful_requests: totals.successes,
            failed_requests: totals.failures,
            rejected_requests: totals.rejections,
            in_flight,
            totals,
            latency: statistics.latency(),
            cost_per_hour: statistics.cost_per_hour(now),
        }
    }

    /// Share of the requests that were answered; `None` before the first has ended.
    #[must_use]
    pub fn success_rate(&self) -> Option<f64> {
        let requests = self.total_requests;
        (requests > 0).then(|| self.successful_requests as f64 / requests as f64)
    }
}
