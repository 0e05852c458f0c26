//! A comparison on one screen: what has changed, scenario by scenario.

use crate::experiment::compare::{
    Change, Comparison, Finding, KeyDifference, Outcome, Rule, ScenarioComparison,
    StrategyComparison, Verdict, is_share,
};
use crate::experiment::metric::Metric;
use crate::report::table::{aligned, fitted, percent, points, short};
use crate::stats::LEVEL;
use crate::stats::mean::Estimate;

/// The comparison as text, each line ended by a newline.
#[must_use]
pub fn render(comparison: &Comparison) -> String {
    let blocks = comparison.scenarios.iter();
    let blocks: Vec<String> = blocks.map(|s| block(s, &comparison.rules)).collect();
    format!("{}\n{}", blocks.join("\n"), footer(comparison))
}

fn block(scenario: &ScenarioComparison, rules: &[Rule]) -> String {
    let mut text = format!("{}: {}\n", scenario.name, sample(scenario));
    let (same, changed): (Vec<_>, Vec<_>) =
        scenario.strategies.iter().partition(|s| is_identical(s));
    let rows: Vec<Vec<String>> = changed
        .iter()
        .flat_map(|strategy| rows(strategy, rules))
        .collect();
    if !rows.is_empty() {
        let header = ["strategy", "metric", "old", "new", "change [95 %]", ""];
        text += &aligned(&header.map(str::to_owned), rows, 2);
    }
    if !same.is_empty() {
        let names = same.iter().map(|s| s.name.as_str());
        text += &format!("identical: {}\n", names.collect::<Vec<_>>().join(", "));
    }
    for (side, names) in [("old", &scenario.only_old), ("new", &scenario.only_new)] {
        if !names.is_empty() {
            text += &format!("only in the {side} result: {}\n", names.join(", "));
        }
    }
    text
}

fn sample(scenario: &ScenarioComparison) -> String {
    let (old, new) = scenario.replications;
    match (scenario.paired, old) {
        (true, 1) => "1 pair of replications, so nothing is known about chance".to_owned(),
        (true, _) => format!("{old} pairs of replications"),
        (false, _) => format!("{old} and {new} replications of different seeds, not paired"),
    }
}

fn is_identical(strategy: &StrategyComparison) -> bool {
    let mut verdicts = strategy.findings.iter().map(|finding| finding.verdict);
    verdicts.all(|verdict| matches!(verdict, Verdict::Identical | Verdict::NotApplicable))
}

fn rows(strategy: &StrategyComparison, rules: &[Rule]) -> Vec<Vec<String>> {
    let shown = |(_, finding): &(&Rule, &Finding)| finding.verdict != Verdict::NotApplicable;
    let found = rules.iter().zip(&strategy.findings).filter(shown);
    found
        .enumerate()
        .map(|(nth, (rule, finding))| {
            let change = &finding.change;
            let name = if nth == 0 {
                fitted(&strategy.name)
            } else {
                String::new()
            };
            vec![
                name,
                metric_cell(rule),
                level(rule.metric, change.old),
                level(rule.metric, change.new),
                difference(rule.metric, change),
                mark(finding.verdict).to_owned(),
            ]
        })
        .collect()
}

fn metric_cell(rule: &Rule) -> String {
    if rule.has_margin() {
        return rule.text.clone();
    }
    rule.metric.to_string()
}

fn level(metric: Metric, estimate: Option<Estimate>) -> String {
    match estimate {
        None => "-".to_owned(),
        Some(estimate) if is_share(metric) => format!("{:.2} %", estimate.mean * 100.0),
        Some(estimate) => short(estimate.mean),
    }
}

/// In points for shares, else in per cent; in the metric's own unit where it was 0 before.
fn difference(metric: Metric, change: &Change) -> String {
    let Some(difference) = change.difference else {
        return "-".to_owned();
    };
    let own = Estimate {
        mean: difference.mean,
        interval: difference.interval(LEVEL),
    };
    if is_share(metric) {
        return format!("{} points", points(Some(own)));
    }
    match change.relative {
        Some(relative) => format!("{} %", percent(Some(relative))),
        None => format!("{:+.3}", own.mean),
    }
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Regression => "✗ regression",
        Verdict::Lost => "✗ no longer measurable",
        Verdict::Worse => "! worse",
        Verdict::Better => "✓ better",
        Verdict::Identical => "= identical",
        Verdict::Unknown => "? unknown",
        Verdict::Unclear | Verdict::NotApplicable => "",
    }
}

fn footer(comparison: &Comparison) -> String {
    let mut text = match comparison.outcome() {
        Outcome::Passed => "No regression.\n".to_owned(),
        Outcome::Regression(1) => "1 regression.\n".to_owned(),
        Outcome::Regression(failed) => format!("{failed} regressions.\n"),
        Outcome::Incomplete => "No regression in what was judged; not all was.\n".to_owned(),
        Outcome::NothingJudged => "Nothing was judged.\n".to_owned(),
    };
    if comparison.judged > 0 {
        text += &format!(
            "Marks: {} judged at {:.2} % each, so that 95 % hold for all together; ✗ beyond the \
             margin,\n! worse, ✓ better by more than chance, no mark: chance could explain it.\n",
            if comparison.judged == 1 {
                "1 change".to_owned()
            } else {
                format!("{} changes", comparison.judged)
            },
            comparison.level * 100.0,
        );
    }
    text
}

/// Keys that differ, a line each, at most ten.
#[must_use]
pub fn differences(keys: &[KeyDifference]) -> String {
    const MOST: usize = 10;
    let absent = || "absent".to_owned();
    let line = |key: &KeyDifference| {
        let (old, new) = (key.old.clone(), key.new.clone());
        format!(
            "    {}: {} -> {}",
            key.path,
            old.unwrap_or_else(absent),
            new.unwrap_or_else(absent)
        )
    };
    let mut lines: Vec<String> = keys.iter().take(MOST).map(line).collect();
    if keys.len() > MOST {
        lines.push(format!("    and {} more", keys.len() - MOST));
    }
    lines.join("\n")
}
