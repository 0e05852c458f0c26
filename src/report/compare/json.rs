//! A comparison as one JSON value for programs: every metric, and the verdicts of the rules.

use crate::experiment::compare::{
    Change, Comparison, Finding, Rule, ScenarioComparison, StrategyComparison,
};
use crate::experiment::metric::Metric;
use crate::report::csv::range_name;
use crate::report::json::{ends, estimate, number};
use crate::report::manifest::RESULT_FORMAT;
use crate::stats::LEVEL;
use crate::stats::mean::Estimate;
use serde_json::{Map, Value, json};

/// The comparison as JSON; `null` where a number does not apply.
#[must_use]
pub fn json(comparison: &Comparison) -> Value {
    let scenarios = comparison.scenarios.iter();
    let rules = comparison.rules.iter();
    json!({
        "result_format": RESULT_FORMAT,
        "rules": rules.map(|rule| &rule.text).collect::<Vec<_>>(),
        "judged": comparison.judged,
        "level": number(comparison.level),
        "outcome": comparison.outcome().word(),
        "regressions": comparison.verdicts().filter(|verdict| verdict.fails()).count(),
        "only_old": comparison.only_old,
        "scenarios": scenarios.map(|s| scenario(s, &comparison.rules)).collect::<Vec<_>>(),
    })
}

fn scenario(scenario: &ScenarioComparison, rules: &[Rule]) -> Value {
    let strategies = scenario.strategies.iter();
    let strategies = strategies.map(|s| strategy(s, rules, scenario.paired));
    json!({
        "scenario": scenario.name,
        "paired": scenario.paired,
        "replications": [scenario.replications.0, scenario.replications.1],
        "only_old": scenario.only_old,
        "only_new": scenario.only_new,
        "strategies": strategies.collect::<Vec<_>>(),
    })
}

fn strategy(strategy: &StrategyComparison, rules: &[Rule], paired: bool) -> Value {
    let verdict = |(rule, finding): (&Rule, &Finding)| {
        json!({
            "rule": rule.text,
            "metric": rule.metric.name(),
            "verdict": finding.verdict.word(),
        })
    };
    let metrics = Metric::ALL.iter().map(|&metric| {
        let old = strategy.old.values(metric, usize::MAX);
        let new = strategy.new.values(metric, usize::MAX);
        (metric.to_string(), change(&Change::of(&old, &new, paired)))
    });
    let verdicts = rules.iter().zip(&strategy.findings).map(verdict);
    json!({
        "name": strategy.name,
        "verdicts": verdicts.collect::<Vec<_>>(),
        "metrics": metrics.collect::<Map<_, _>>(),
    })
}

fn change(change: &Change) -> Value {
    let difference = change.difference.map(|difference| Estimate {
        mean: difference.mean,
        interval: difference.interval(LEVEL),
    });
    let relative = change.relative.map(|relative| {
        json!({
            "change": number(relative.change),
            "ci95": relative.range.interval().map(ends),
            "interval": range_name(relative.range),
        })
    });
    json!({
        "old": change.old.map(estimate),
        "new": change.new.map(estimate),
        "difference": difference.map(estimate),
        "relative_change": relative,
    })
}
