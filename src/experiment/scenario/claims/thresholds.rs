//! `thresholds`: `"smart: p99 < 2.5s"`, `"success_rate > 99.5%"`.
//!
//! One line of text each, and not a table of four keys: they are read far more often than written,
//! in the scenario and in the log of a failed CI run, and both show the same text.

use super::{amounts, metric_named, problem};
use crate::experiment::claim::{Comparison, Threshold};
use crate::experiment::scenario::Arm;
use crate::experiment::scenario::decode::{self, Decoded, Problem};
use crate::experiment::scenario::diagnostics::{Finding, Findings, Span};
use crate::experiment::scenario::document::Node;
use crate::experiment::scenario::section::Section;

/// Most thresholds of a scenario.
const MOST: usize = 1_000;

const FORM: &str = "such as \"p99 < 2.5s\", or \"smart: success_rate >= 99.5%\" for one strategy";

/// Reads `thresholds`; none if absent, `None` if one is bad.
pub(in crate::experiment::scenario) fn read(
    top: &mut Section,
    arms: Option<&[Arm]>,
    findings: &Findings,
) -> Option<Vec<Threshold>> {
    let items = top.list("thresholds")?;
    if items.len() > MOST {
        let finding = Finding::error(format!("{} thresholds are too many", items.len()));
        let help = format!("allowed: at most {MOST}");
        findings.push(finding.at(items[MOST].span, "").help(help));
        return None;
    }
    let names: Option<Vec<&str>> =
        arms.map(|arms| arms.iter().map(|arm| arm.name.as_str()).collect());
    let read: Vec<_> = items
        .iter()
        .map(|item| {
            threshold(item, names.as_deref())
                .map_err(|problem| findings.push(problem.finding("thresholds", item)))
                .ok()
        })
        .collect();
    read.into_iter().collect()
}

fn threshold(node: &Node, names: Option<&[&str]>) -> Decoded<Threshold> {
    let text = node.text();
    let text = text.ok_or_else(|| decode::wrong_type(node, "a string for each threshold"))?;
    let at = |part: &str| place(node, text, part);
    let (strategy, demand) = match text.split_once(':') {
        Some((strategy, demand)) => (Some(strategy.trim()), demand),
        None => (None, text),
    };
    if let (Some(strategy), Some(names)) = (strategy, names)
        && !names.contains(&strategy)
    {
        let unknown = decode::unknown("strategy", strategy, names.iter().copied());
        return Err(at(strategy)(unknown));
    }
    let Some((metric, comparison, bound)) = divide(demand) else {
        return Err(problem(
            "has an entry without a comparison",
            "no < <= > or >=",
            FORM,
        ));
    };
    let value = metric_named(metric).map_err(at(metric))?;
    Ok(Threshold {
        strategy: strategy.map(str::to_owned),
        metric: value,
        comparison,
        bound: amounts::value(bound, value).map_err(at(bound))?,
    })
}

/// Metric, comparison and bound.
fn divide(demand: &str) -> Option<(&str, Comparison, &str)> {
    let start = demand.find(['<', '>'])?;
    // The longer sign first: `<=` begins with `<`.
    let signs = [
        Comparison::AtMost,
        Comparison::AtLeast,
        Comparison::Less,
        Comparison::Greater,
    ];
    let (metric, rest) = demand.split_at(start);
    let sign = signs
        .into_iter()
        .find(|sign| rest.starts_with(sign.name()))?;
    Some((metric.trim(), sign, rest[sign.name().len()..].trim()))
}

/// Lets a problem point at a part of the text, where the file shows the text as it is.
fn place(node: &Node, text: &str, part: &str) -> impl Fn(Problem) -> Problem + use<> {
    let start = part.as_ptr() as usize - text.as_ptr() as usize;
    let quoted = node.span.end - node.span.start == text.len() + 2;
    let span = (quoted && !part.is_empty()).then_some(Span {
        start: node.span.start + 1 + start,
        end: node.span.start + 1 + start + part.len(),
        ..node.span
    });
    move |problem| Problem { span, ..problem }
}
