//! What tables, charts and JSON show of a scenario: computed once, so that all show the same.

use crate::experiment::metric::Metric;
use crate::experiment::results::{Counts, ScenarioResults, StrategyResults};
use crate::stats::mean::Estimate;
use crate::stats::ratio::RelativeChange;

/// One metric of one strategy against the baseline, paired by replication.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Comparison {
    /// Strategy minus baseline; `None` if the metric does not apply to both.
    pub difference: Option<Estimate>,
    /// Strategy / baseline - 1; `None` also if the baseline is zero.
    pub relative: Option<RelativeChange>,
}

/// A metric of every replication of a strategy.
#[must_use]
pub fn sample(strategy: &StrategyResults, metric: Metric) -> Vec<f64> {
    let of =
        |replication: &crate::experiment::results::ReplicationResults| replication.metrics[metric];
    strategy.replications.iter().map(of).collect()
}

/// Mean of a metric over replications; `None` if it does not apply.
#[must_use]
pub fn metric(strategy: &StrategyResults, metric: Metric) -> Option<Estimate> {
    metric.estimate(&sample(strategy, metric))
}

/// A metric of a strategy against a baseline.
#[must_use]
pub fn compare(
    strategy: &StrategyResults,
    baseline: &StrategyResults,
    metric: Metric,
) -> Comparison {
    let (a, b) = (sample(strategy, metric), sample(baseline, metric));
    Comparison {
        difference: metric.difference(&a, &b),
        relative: metric.relative_change(&a, &b),
    }
}

/// The strategy that the others are compared with; `None` only if there is no strategy at all.
#[must_use]
pub fn baseline(results: &ScenarioResults) -> Option<&StrategyResults> {
    results.strategies.get(results.description.baseline)
}

/// Every strategy but the baseline, in the scenario's order.
pub fn compared(results: &ScenarioResults) -> impl Iterator<Item = &StrategyResults> {
    let others = results.strategies.iter().enumerate();
    others
        .filter(|(at, _)| *at != results.description.baseline)
        .map(|(_, strategy)| strategy)
}

/// Replications finished.
#[must_use]
pub fn replications(results: &ScenarioResults) -> usize {
    let finished = results.strategies.iter().map(|s| s.replications.len());
    finished.min().unwrap_or(0)
}

/// Counts of a strategy, all replications together.
#[must_use]
pub fn totals(strategy: &StrategyResults) -> Counts {
    let mut total = Counts::default();
    for replication in &strategy.replications {
        let counts = replication.counts;
        total.simulated += counts.simulated;
        total.requests += counts.requests;
        total.successes += counts.successes;
        total.streaming += counts.streaming;
        total.streaming_successes += counts.streaming_successes;
        total.failures += counts.failures;
        total.rejections += counts.rejections;
        total.attempts += counts.attempts;
        total.least_bad_attempts += counts.least_bad_attempts;
        total.waited += counts.waited;
        total.cache_hits += counts.cache_hits;
        total.cache_misses += counts.cache_misses;
        total.coalesced += counts.coalesced;
        total.budget_exhausted += counts.budget_exhausted;
        total.input_tokens += counts.input_tokens;
        total.output_tokens += counts.output_tokens;
        total.cost += counts.cost;
        total.wasted += counts.wasted;
        let failed = total.failed_attempts.iter_mut();
        failed
            .zip(counts.failed_attempts)
            .for_each(|(sum, count)| *sum += count);
    }
    total
}
