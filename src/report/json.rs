//! The results as one JSON value for programs: the numbers of `summary.csv` and `comparisons.csv`.

use super::csv::range_name;
use super::number::six_digits;
use super::summary::{baseline, compare, compared, metric, replications, totals};
use crate::experiment::claim::Expectation;
use crate::experiment::metric::Metric;
use crate::experiment::results::{ScenarioResults, StrategyResults};
use crate::experiment::verdict::{Judgement, Met};
use crate::request::FailureKind;
use crate::stats::Interval;
use crate::stats::mean::Estimate;
use serde_json::{Map, Value, json};

/// The results as JSON; `null` where a number does not apply. Money in nano-USD where it is exact.
#[must_use]
pub fn json(results: &ScenarioResults) -> Value {
    let about = &results.description;
    let base = baseline(results);
    let comparisons = base.into_iter().flat_map(|base| {
        compared(results)
            .map(move |arm| json!({ "strategy": arm.name, "metrics": compared_metrics(arm, base) }))
    });
    json!({
        "result_format": super::manifest::RESULT_FORMAT,
        "scenario": about.name,
        "seed": about.seed,
        "policy_seed": about.policy_seed,
        "replications_asked": about.replications,
        "replications_finished": replications(results),
        "interrupted": results.interrupted,
        "baseline": base.map(|base| &base.name),
        "strategies": results.strategies.iter().map(strategy).collect::<Vec<_>>(),
        "comparisons": comparisons.collect::<Vec<_>>(),
        "claims": results.verdicts.claims.iter().map(claim).collect::<Vec<_>>(),
        "thresholds": results.verdicts.thresholds.iter().map(threshold).collect::<Vec<_>>(),
    })
}

fn strategy(arm: &StrategyResults) -> Value {
    let total = totals(arm);
    let failed = FailureKind::ALL.iter().zip(total.failed_attempts);
    let failed: Map<String, Value> = failed
        .map(|(kind, count)| (kind.to_string(), count.into()))
        .collect();
    json!({
        "name": arm.name,
        "routing_strategy": arm.strategy.name(),
        "counts": {
            "simulated_requests": total.simulated,
            "requests": total.requests,
            "successes": total.successes,
            "failures": total.failures,
            "rejections": total.rejections,
            "attempts": total.attempts,
            "budget_exhausted": total.budget_exhausted,
            "input_tokens": total.input_tokens,
            "output_tokens": total.output_tokens,
            "cost_nano_usd": total.cost.0,
            "wasted_nano_usd": total.wasted.0,
            "failed_attempts": failed,
        },
        "metrics": by_metric(|name| metric(arm, name).map_or(Value::Null, estimate)),
    })
}

fn claim(judged: &Judgement) -> Value {
    let relative = judged.effect.and_then(|effect| effect.relative);
    json!({
        "claim": judged.claim.to_string(),
        "metric": judged.claim.metric.name(),
        "strategy": judged.claim.strategy,
        "baseline": Some(&judged.claim.baseline).filter(|_| judged.claim.compares()),
        "verdict": judged.verdict.name(),
        "detail": super::claims::detail(judged),
        "replications": judged.replications,
        "look": judged.look,
        "alpha": number(judged.alpha.value()),
        "difference": judged.effect.map(|effect| json!({
            "mean": number(effect.difference.mean),
            "interval": effect.difference.interval.map(ends),
        })),
        "relative_change": relative.map(|relative| json!({
            "change": number(relative.change),
            "interval": relative.range.interval().map(ends),
        })),
        "expect": judged.claim.expect.map(Expectation::name),
        "as_expected": judged.as_expected(),
    })
}

fn threshold(met: &Met) -> Value {
    json!({
        "threshold": met.threshold.to_string(),
        "strategy": met.strategy,
        "outcome": met.outcome.name(),
        "detail": super::claims::threshold_detail(met),
        "value": met.value.map(estimate),
    })
}

fn compared_metrics(arm: &StrategyResults, base: &StrategyResults) -> Value {
    by_metric(|name| {
        let comparison = compare(arm, base, name);
        let relative = comparison.relative.map_or(Value::Null, |relative| {
            json!({
                "change": number(relative.change),
                "ci95": relative.range.interval().map(ends),
                "interval": range_name(relative.range),
            })
        });
        json!({
            "difference": comparison.difference.map_or(Value::Null, estimate),
            "relative_change": relative,
        })
    })
}

fn by_metric(value: impl Fn(Metric) -> Value) -> Value {
    let named = Metric::ALL.iter().map(|&m| (m.to_string(), value(m)));
    Value::Object(named.collect())
}

pub(super) fn estimate(estimate: Estimate) -> Value {
    json!({ "mean": number(estimate.mean), "ci95": estimate.interval.map(ends) })
}

pub(super) fn ends(interval: Interval) -> Value {
    json!([number(interval.low), number(interval.high)])
}

pub(super) fn number(value: f64) -> Value {
    json!(six_digits(value))
}
