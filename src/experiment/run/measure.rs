//! From what one replication counted to its metrics.

use crate::experiment::metric::{Metric, Metrics};
use crate::experiment::results::{Counts, ReplicationResults};
use crate::experiment::scenario::Scenario;
use crate::request::FailureKind;
use crate::routing::statistics::{Statistics, Times};
use crate::sim::Run;

/// Exact counts, and the metrics that follow from them.
pub(super) fn replication(scenario: &Scenario, run: &Run) -> ReplicationResults {
    let counts = counts(run);
    let mut metrics = Metrics::default();
    rates(&mut metrics, scenario, &run.statistics);
    latencies(&mut metrics, &run.statistics);
    accounts(&mut metrics, run);
    if let Some(score) = run.statistics.calibration().brier_score() {
        metrics[Metric::BrierScore] = score;
    }
    if let Some(error) = run.statistics.calibration().calibration_error() {
        metrics[Metric::CalibrationError] = error;
    }
    ReplicationResults { counts, metrics }
}

fn counts(run: &Run) -> Counts {
    let totals = run.statistics.totals();
    let latency = run.statistics.latency();
    let mut counts = Counts {
        simulated: run.simulated,
        requests: totals.requests,
        successes: totals.successes,
        streaming: latency.first_token_all.histogram.count(),
        streaming_successes: latency.first_token_ok.histogram.count(),
        failures: totals.failures,
        rejections: totals.rejections,
        attempts: totals.attempts,
        least_bad_attempts: totals.least_bad_attempts,
        waited: totals.waited,
        cache_hits: totals.cache_hits,
        cache_misses: totals.cache_misses,
        coalesced: totals.coalesced,
        budget_exhausted: totals.budget_exhausted,
        input_tokens: 0,
        output_tokens: 0,
        cost: totals.cost,
        wasted: totals.wasted,
        failed_attempts: [0; FailureKind::ALL.len()],
    };
    for account in run.statistics.accounts() {
        counts.input_tokens += account.input_tokens;
        counts.output_tokens += account.output_tokens;
        for (sum, count) in counts.failed_attempts.iter_mut().zip(account.failures) {
            *sum += count;
        }
    }
    counts
}

/// `part / whole`; NaN, which means not applicable, when there is no whole.
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        f64::NAN
    } else {
        part as f64 / whole as f64
    }
}

fn rates(metrics: &mut Metrics, scenario: &Scenario, statistics: &Statistics) {
    let totals = statistics.totals();
    let measured = scenario
        .duration
        .saturating_sub(scenario.warmup)
        .as_secs_f64();
    metrics[Metric::SuccessRate] = ratio(totals.successes, totals.requests);
    metrics[Metric::Goodput] = totals.within_objective as f64 / measured;
    metrics[Metric::RejectedRate] = ratio(totals.rejections, totals.requests);
    metrics[Metric::AttemptsPerRequest] = ratio(totals.attempts, totals.requests);
    metrics[Metric::RetryAmplification] =
        ratio(totals.attempts, totals.requests - totals.unattempted);
    let looked = totals.cache_hits + totals.cache_misses + totals.coalesced;
    metrics[Metric::CacheHitRate] = ratio(totals.cache_hits, looked);
    metrics[Metric::CoalescedRate] = ratio(totals.coalesced, looked);
    metrics[Metric::WaitedRate] = ratio(totals.waited, totals.requests);
    metrics[Metric::LeastBadShare] = ratio(totals.least_bad_attempts, totals.attempts);
    metrics[Metric::CostPer1kSuccesses] = ratio(totals.cost.0, totals.successes) * 1e-9 * 1e3;
    metrics[Metric::WastedCostShare] = ratio(totals.wasted.0, totals.cost.0);
}

fn latencies(metrics: &mut Metrics, statistics: &Statistics) {
    use Metric as M;
    let latency = statistics.latency();
    let columns: [(&Times, [Metric; 6]); 4] = [
        (
            &latency.all,
            [
                M::LatencyMeanAll,
                M::LatencyP50All,
                M::LatencyP90All,
                M::LatencyP95All,
                M::LatencyP99All,
                M::LatencyP999All,
            ],
        ),
        (
            &latency.ok,
            [
                M::LatencyMeanOk,
                M::LatencyP50Ok,
                M::LatencyP90Ok,
                M::LatencyP95Ok,
                M::LatencyP99Ok,
                M::LatencyP999Ok,
            ],
        ),
        (
            &latency.first_token_all,
            [
                M::FirstTokenMeanAll,
                M::FirstTokenP50All,
                M::FirstTokenP90All,
                M::FirstTokenP95All,
                M::FirstTokenP99All,
                M::FirstTokenP999All,
            ],
        ),
        (
            &latency.first_token_ok,
            [
                M::FirstTokenMeanOk,
                M::FirstTokenP50Ok,
                M::FirstTokenP90Ok,
                M::FirstTokenP95Ok,
                M::FirstTokenP99Ok,
                M::FirstTokenP999Ok,
            ],
        ),
    ];
    for (times, [mean, quantiles @ ..]) in columns {
        metrics[mean] = times.mean_seconds().unwrap_or(f64::NAN);
        for (metric, q) in quantiles.into_iter().zip([0.5, 0.9, 0.95, 0.99, 0.999]) {
            let value = times.histogram.quantile(q);
            metrics[metric] = value.map_or(f64::NAN, crate::time::Duration::as_secs_f64);
        }
    }
}

fn accounts(metrics: &mut Metrics, run: &Run) {
    let attempts: Vec<u64> = run
        .statistics
        .accounts()
        .iter()
        .map(|a| a.attempts)
        .collect();
    let (count, sum) = (attempts.len() as f64, attempts.iter().sum::<u64>() as f64);
    let squares = attempts
        .iter()
        .map(|a| u128::from(*a) * u128::from(*a))
        .sum::<u128>() as f64;
    if sum > 0.0 {
        metrics[Metric::FairnessJain] = sum * sum / (count * squares);
        let starved = attempts
            .iter()
            .filter(|a| **a as f64 * count < 0.1 * sum)
            .count();
        metrics[Metric::StarvedAccounts] = starved as f64;
    }
    let openings: u64 = run.breakers.iter().map(|breaker| breaker.openings).sum();
    let open_nanos: u64 = run
        .breakers
        .iter()
        .map(|breaker| breaker.open.as_nanos())
        .sum();
    metrics[Metric::BreakerOpenings] = openings as f64;
    metrics[Metric::BreakerOpenTime] = open_nanos as f64 * 1e-9;
}
