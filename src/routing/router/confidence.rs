//! Confidence of a decision, and how well it is calibrated.
//!
//! A base, plus capability, preference and health of the chosen target, minus a fixed amount for
//! each doubt. It claims to be the probability that the attempt succeeds within the user's
//! tolerance (or the deadline), so it is held to that: Brier score and expected calibration error,
//! from integer sums.

use crate::record::Confidence;
use crate::request::RequestFeatures;
use crate::routing::balancer::context_need;
use crate::routing::config::ConfidenceConfig;
use crate::routing::pool::Pool;
use crate::routing::router::{cost_at, estimated_latency};
use crate::routing::target::TargetIndex;
use crate::units::NanoUsd;

/// What about the decision, not the target, is a reason for doubt.
#[derive(Clone, Copy, Debug)]
pub struct Doubts {
    /// Soft constraints given up.
    pub relaxed: u32,
    /// Whether another attempt has failed before.
    pub is_retry: bool,
    /// Whether the target does not even admit the attempt.
    pub least_bad: bool,
}

/// `base + 0.15 capability + 0.15 preference + 0.20 health - 0.1` for each doubt, in [0, 1]. A
/// half-open probe and a least bad choice are the same doubt: whether the target is back. `dearest`
/// is the highest cost that meets the user's wish, the same that candidates were held to.
pub(super) fn confidence(
    config: &ConfidenceConfig,
    pool: &Pool,
    (target, health): (TargetIndex, f64),
    features: &RequestFeatures,
    dearest: Option<NanoUsd>,
    doubts: Doubts,
) -> Confidence {
    let account = pool.account(pool.account_of(target));
    let in_flight = f64::from(pool.in_flight(pool.account_of(target)));
    let count = doubts.relaxed
        + u32::from(doubts.is_retry)
        + u32::from(pool.response_seconds(target).is_none())
        + u32::from(doubts.least_bad || pool.is_half_open(target))
        + u32::from(in_flight > config.busy_above * f64::from(account.max_in_flight));
    Confidence::from_f64(
        config.base
            + config.capability * capability(pool, target, features)
            + config.preference * preference(pool, target, features, dearest)
            + config.health * health
            - config.doubt * f64::from(count),
    )
}

/// Share of: quality above the minimum, context window twice the need, same region as the user.
/// What the request does not state counts as met.
fn capability(pool: &Pool, target: TargetIndex, features: &RequestFeatures) -> f64 {
    let account = pool.account(pool.account_of(target));
    let Some(served) = pool.served(target, features.model) else {
        return 0.0;
    };
    let quality = features
        .preferences
        .minimum_quality
        .is_none_or(|least| served.quality > least);
    let window = served.context_window / 2 >= context_need(pool, features);
    let region = features
        .user_region
        .is_none_or(|region| account.region == Some(region));
    f64::from(u8::from(quality) + u8::from(window) + u8::from(region)) / 3.0
}

/// Share of the stated soft constraints that the target meets; 1 when none is stated. `dearest` is
/// the highest cost that meets the one about cost.
fn preference(
    pool: &Pool,
    target: TargetIndex,
    features: &RequestFeatures,
    dearest: Option<NanoUsd>,
) -> f64 {
    let wanted = &features.preferences;
    let provider = pool.account(pool.account_of(target)).provider;
    let met = [
        wanted
            .provider
            .filter(|_| !wanted.provider_required)
            .map(|wish| wish == provider),
        wanted.latency_tolerance.map(|tolerance| {
            estimated_latency(pool, target).is_none_or(|latency| latency <= tolerance)
        }),
        dearest.map(|most| cost_at(pool, target, features) <= most),
    ];
    let stated = met.iter().flatten().count();
    let met = met.iter().flatten().filter(|met| **met).count();
    if stated == 0 {
        1.0
    } else {
        met as f64 / stated as f64
    }
}

const BINS: usize = 10;

/// How well stated confidences agree with what happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Calibration {
    bins: [Bin; BINS],
    /// Sum of squared errors, in 1e-8.
    squared_errors: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Bin {
    attempts: u64,
    confidence: u64,
    kept: u64,
}

impl Calibration {
    /// Counts an attempt: what was promised, and whether it was kept.
    pub const fn record(&mut self, promised: Confidence, kept: bool) {
        let error = (promised.0 as i64 - if kept { 10_000 } else { 0 }).unsigned_abs();
        self.squared_errors += error * error;
        let bin = promised.0 as usize * BINS / 10_001;
        let bin = &mut self.bins[if bin < BINS { bin } else { BINS - 1 }];
        bin.attempts += 1;
        bin.confidence += promised.0 as u64;
        bin.kept += kept as u64;
    }

    /// Attempts counted.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.bins.iter().map(|bin| bin.attempts).sum()
    }

    /// Mean squared error (Brier, 1950); 0 is best, 0.25 what a constant 0.5 gets. `None` without
    /// attempts.
    #[must_use]
    pub fn brier_score(&self) -> Option<f64> {
        let attempts = self.attempts();
        (attempts > 0).then(|| self.squared_errors as f64 * 1e-8 / attempts as f64)
    }

    /// Expected calibration error: mean distance between confidence and success rate over ten bins,
    /// weighted by attempts (Naeini et al., AAAI 2015). `None` without attempts.
    #[must_use]
    pub fn calibration_error(&self) -> Option<f64> {
        let attempts = self.attempts();
        let distance = |bin: &Bin| (bin.confidence as f64 * 1e-4 - bin.kept as f64).abs();
        (attempts > 0).then(|| self.bins.iter().map(distance).sum::<f64>() / attempts as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibration_by_hand() {
        let mut calibration = Calibration::default();
        assert_eq!(calibration.brier_score(), None);
        for (promised, kept) in [(0.8, true), (0.8, false), (1.0, true), (0.0, false)] {
            calibration.record(Confidence::from_f64(promised), kept);
        }
        let brier = (0.04 + 0.64) / 4.0;
        assert!((calibration.brier_score().unwrap() - brier).abs() < 1e-12);
        // The bin of 0.8 promises 1.6 successes and keeps 1.
        assert!((calibration.calibration_error().unwrap() - 0.6 / 4.0).abs() < 1e-12);
    }
}
