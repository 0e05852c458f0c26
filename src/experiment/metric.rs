//! The metrics: one list for every table, column and chart.

mod nature;

pub use nature::{Population, Unit};

use crate::request::words;
use crate::stats::Bounds;
use crate::stats::mean::{self, Estimate};
use crate::stats::ratio::{self, RelativeChange};

words! {
    /// A number that a replication of one strategy comes to. The name is the column in every CSV,
    /// unit last.
    ///
    /// Latency is measured from the intended arrival. `_ok` metrics are over successful requests;
    /// `_all` over every request, a failure counted at max(its time, the deadline), so that failing
    /// fast does not look fast. The deadline is that of `[routing]`, the same for all arms: else an
    /// arm would get better by giving up earlier. Where that is "none", it is the arm's own. Claims
    /// use `_all`. Warm-up requests are left out of all metrics.
    Metric {
        /// Successful requests / requests.
        SuccessRate = "success_rate",
        /// Successful requests within the latency objective, per second of the measured time.
        Goodput = "goodput_rps",
        /// Requests refused without an attempt / requests.
        RejectedRate = "rejected_rate",
        /// Mean latency over all requests.
        LatencyMeanAll = "latency_all_mean_s",
        /// Median latency over all requests.
        LatencyP50All = "latency_all_p50_s",
        /// 90th percentile of latency over all requests.
        LatencyP90All = "latency_all_p90_s",
        /// 95th percentile of latency over all requests.
        LatencyP95All = "latency_all_p95_s",
        /// 99th percentile of latency over all requests.
        LatencyP99All = "latency_all_p99_s",
        /// 99.9th percentile of latency over all requests.
        LatencyP999All = "latency_all_p999_s",
        /// Mean latency over successful requests.
        LatencyMeanOk = "latency_ok_mean_s",
        /// Median latency over successful requests.
        LatencyP50Ok = "latency_ok_p50_s",
        /// 90th percentile of latency over successful requests.
        LatencyP90Ok = "latency_ok_p90_s",
        /// 95th percentile of latency over successful requests.
        LatencyP95Ok = "latency_ok_p95_s",
        /// 99th percentile of latency over successful requests.
        LatencyP99Ok = "latency_ok_p99_s",
        /// 99.9th percentile of latency over successful requests.
        LatencyP999Ok = "latency_ok_p999_s",
        /// Mean time to first token over all streaming requests.
        FirstTokenMeanAll = "first_token_all_mean_s",
        /// Median time to first token over all streaming requests.
        FirstTokenP50All = "first_token_all_p50_s",
        /// 90th percentile of time to first token over all streaming requests.
        FirstTokenP90All = "first_token_all_p90_s",
        /// 95th percentile of time to first token over all streaming requests.
        FirstTokenP95All = "first_token_all_p95_s",
        /// 99th percentile of time to first token over all streaming requests.
        FirstTokenP99All = "first_token_all_p99_s",
        /// 99.9th percentile of time to first token over all streaming requests.
        FirstTokenP999All = "first_token_all_p999_s",
        /// Mean time to first token over successful streaming requests.
        FirstTokenMeanOk = "first_token_ok_mean_s",
        /// Median time to first token over successful streaming requests.
        FirstTokenP50Ok = "first_token_ok_p50_s",
        /// 90th percentile of time to first token over successful streaming requests.
        FirstTokenP90Ok = "first_token_ok_p90_s",
        /// 95th percentile of time to first token over successful streaming requests.
        FirstTokenP95Ok = "first_token_ok_p95_s",
        /// 99th percentile of time to first token over successful streaming requests.
        FirstTokenP99Ok = "first_token_ok_p99_s",
        /// 99.9th percentile of time to first token over successful streaming requests.
        FirstTokenP999Ok = "first_token_ok_p999_s",
        /// Attempts / requests; rejected requests have none.
        AttemptsPerRequest = "attempts_per_request",
        /// Attempts / requests that were attempted at all: 1 without retries.
        RetryAmplification = "retry_amplification",
        /// Requests answered from the response cache / requests that it was asked by; only where it
        /// is on.
        CacheHitRate = "cache_hit_rate",
        /// Requests that followed another which asked for the same / requests that the cache was
        /// asked by; only where it is on.
        CoalescedRate = "coalesced_rate",
        /// Requests that waited because nobody was available / requests.
        WaitedRate = "waited_rate",
        /// Attempts sent as the least bad choice / attempts.
        LeastBadShare = "least_bad_share",
        /// Money spent on everything, per 1,000 successful requests.
        CostPer1kSuccesses = "cost_per_1k_successes_usd",
        /// Share of the money that went to attempts which delivered no answer.
        WastedCostShare = "wasted_cost_share",
        /// Jain's fairness index of attempts per account: 1 = even, 1/n = all to one.
        FairnessJain = "fairness_jain",
        /// Accounts that got less than a tenth of an even share.
        StarvedAccounts = "starved_accounts",
        /// Times that a breaker opened.
        BreakerOpenings = "breaker_openings",
        /// Time that breakers were open, summed over targets.
        BreakerOpenTime = "breaker_open_s",
        /// Mean squared error of the stated confidence (Brier score); `smart` only.
        BrierScore = "brier_score",
        /// Expected calibration error of the stated confidence over ten bins; `smart` only.
        CalibrationError = "calibration_error",
    }
}

/// Which direction of a metric is good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Better {
    /// Higher is better.
    Higher,
    /// Lower is better.
    Lower,
    /// Neither in itself.
    Neither,
}

impl Metric {
    /// How many metrics there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Which direction is good.
    #[must_use]
    pub const fn better(self) -> Better {
        match self {
            Self::SuccessRate | Self::Goodput | Self::CacheHitRate => Better::Higher,
            Self::AttemptsPerRequest
            | Self::CoalescedRate
            | Self::WaitedRate
            | Self::LeastBadShare
            | Self::FairnessJain
            | Self::StarvedAccounts
            | Self::BreakerOpenings
            | Self::BreakerOpenTime => Better::Neither,
            _ => Better::Lower,
        }
    }
}

/// What replications say of a metric. Intervals end where the metric does: Student's t knows of no
/// end, and with few replications goes beyond it. Here and nowhere else, so that all files, tables
/// and charts agree.
impl Metric {
    /// Where the metric can lie.
    #[must_use]
    pub const fn bounds(self) -> Bounds {
        match self {
            Self::SuccessRate
            | Self::RejectedRate
            | Self::CacheHitRate
            | Self::CoalescedRate
            | Self::WaitedRate
            | Self::LeastBadShare
            | Self::WastedCostShare
            | Self::FairnessJain
            | Self::BrierScore
            | Self::CalibrationError => Bounds::SHARE,
            _ => Bounds::NOT_NEGATIVE,
        }
    }

    /// Mean over replications; see [`mean::estimate`].
    #[must_use]
    pub fn estimate(self, sample: &[f64]) -> Option<Estimate> {
        Some(mean::estimate(sample)?.within(self.bounds()))
    }

    /// Mean of `a - b`, paired by replication; see [`mean::difference`].
    #[must_use]
    pub fn difference(self, a: &[f64], b: &[f64]) -> Option<Estimate> {
        Some(mean::difference(a, b)?.within(self.bounds().of_difference()))
    }

    /// Change of A relative to B, paired by replication; see [`ratio::relative_change`].
    #[must_use]
    pub fn relative_change(self, a: &[f64], b: &[f64]) -> Option<RelativeChange> {
        Some(ratio::relative_change(a, b)?.of_not_negative())
    }
}

/// The metrics of one replication of one strategy; NaN where a metric does not apply (no streaming
/// request, say).
#[derive(Clone, PartialEq, Debug)]
pub struct Metrics([f64; Metric::COUNT]);

impl Default for Metrics {
    fn default() -> Self {
        Self([f64::NAN; Metric::COUNT])
    }
}

impl std::ops::Index<Metric> for Metrics {
    type Output = f64;
    fn index(&self, metric: Metric) -> &f64 {
        &self.0[metric.at()]
    }
}

impl std::ops::IndexMut<Metric> for Metrics {
    fn index_mut(&mut self, metric: Metric) -> &mut f64 {
        &mut self.0[metric.at()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;
    use proptest::prelude::*;

    /// Of samples around a truth near an end of the range, as many possible parts hold the truth as
    /// whole intervals do: nine tenths and more, of so skewed a distribution.
    #[test]
    fn cutting_costs_no_coverage() {
        let seed = 7;
        let mut rng = Rng::from_state(seed);
        let truth = 0.9;
        let (mut whole, mut part, mut beyond) = (0, 0, 0);
        for _ in 0..2_000 {
            let sample: Vec<f64> = (0..4).map(|_| rng.uniform().powf(1.0 / 9.0)).collect();
            let all = mean::estimate(&sample).unwrap().interval.unwrap();
            let possible = Metric::SuccessRate.estimate(&sample).unwrap().interval;
            whole += i32::from(all.contains(truth));
            part += i32::from(possible.unwrap().contains(truth));
            beyond += i32::from(all.high > 1.0);
        }
        assert_eq!(whole, part, "seed {seed}");
        assert!(
            part > 1_800 && beyond > 1_000,
            "seed {seed}: {part}, {beyond}"
        );
    }

    proptest! {
        /// No interval of a metric, a difference or a change states what cannot be, and each holds
        /// its mean.
        #[test]
        fn intervals_stay_in_the_possible(
            pairs in proptest::collection::vec((0.0..=1.0f64, 0.0..=1.0f64), 1..6),
            metric in proptest::sample::select(Metric::ALL.to_vec()),
        ) {
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let Bounds { low, high } = metric.bounds();
            let level = metric.estimate(&a).unwrap();
            if let Some(i) = level.interval {
                prop_assert!(low <= i.low && i.high <= high, "{:?}", i);
                prop_assert!(i.low <= level.mean + 1e-12 && level.mean - 1e-12 <= i.high);
            }
            if let Some(i) = metric.difference(&a, &b).unwrap().interval {
                prop_assert!(low - high <= i.low && i.high <= high - low, "{:?}", i);
            }
            let change = metric.relative_change(&a, &b);
            if let Some(i) = change.and_then(|change| change.range.interval()) {
                prop_assert!(i.low >= -1.0, "{:?}", i);
            }
        }
    }
}
