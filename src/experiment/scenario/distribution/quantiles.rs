//! `kind = "empirical"`: quantiles as pairs of a probability and a value.

use super::{Made, Measure};
use crate::distribution::{Distribution, Interpolation};
use crate::experiment::scenario::decode;
use crate::experiment::scenario::diagnostics::{Finding, Findings};
use crate::experiment::scenario::document::{Node, Value};
use crate::experiment::scenario::section::Section;

const WORDS: [(&str, Interpolation); 2] = [
    ("linear", Interpolation::Linear),
    ("log", Interpolation::Log),
];

/// Reads `quantiles` and `interpolation`.
pub(super) fn read(section: &mut Section, measure: Measure, findings: &Findings) -> Made {
    let word = decode::word("interpolation", &WORDS, |(word, _)| word);
    let between = section.or("interpolation", WORDS[0], word);
    section.required_node("quantiles", example(measure))?;
    let items = section.list("quantiles")?;
    let read: Vec<_> = items
        .iter()
        .map(|item| pair(item, measure, findings))
        .collect();
    let pairs: Vec<(f64, f64)> = read.into_iter().collect::<Option<_>>()?;
    let falls = |at: &usize| pairs[*at].0 <= pairs[at - 1].0 || pairs[*at].1 < pairs[at - 1].1;
    if let Some(at) = (1..pairs.len()).find(falls) {
        let label = if pairs[at].0 <= pairs[at - 1].0 {
            "its probability is not above the one before"
        } else {
            "its value is below the one before"
        };
        let finding = Finding::error("the quantiles are not in order");
        let help = "probabilities rise from 0 to 1, and values do not fall";
        findings.push(finding.at(items[at].span, label).help(help));
        return None;
    }
    Some(Distribution::empirical(&pairs, between?.1))
}

fn example(measure: Measure) -> &'static str {
    match measure {
        Measure::Time => "[[0, \"100ms\"], [0.5, \"400ms\"], [1, \"9s\"]]",
        Measure::Tokens => "[[0, 1], [0.5, 400], [1, 9000]]",
    }
}

fn pair(node: &Node, measure: Measure, findings: &Findings) -> Option<(f64, f64)> {
    let items = match &node.value {
        Value::Array(items) => items.as_slice(),
        _ => &[],
    };
    let [probability, value] = items else {
        let expected = match measure {
            Measure::Time => "a pair of a probability and a duration, such as [0.5, \"400ms\"]",
            Measure::Tokens => "a pair of a probability and a number, such as [0.5, 400]",
        };
        findings.push(decode::wrong_type(node, expected).finding("quantiles", node));
        return None;
    };
    let bad = |problem: decode::Problem, node: &Node| {
        findings.push(problem.finding("quantiles", node));
    };
    let at = decode::share(probability).map_err(|problem| bad(problem, probability));
    let value = measure
        .quantity(value)
        .map_err(|problem| bad(problem, value));
    at.ok().zip(value.ok())
}
