//! Distributions: `"250ms"` for a constant, `{ kind = "lognormal", median = "400ms", sigma = 0.2 }`
//! for the others.

mod quantiles;

use super::decode::{self, Decoded};
use super::diagnostics::{Finding, Findings, Span};
use super::document::{Node, Value};
use super::section::Section;
use crate::distribution::{Distribution, InvalidDistribution};

/// What the numbers of a distribution measure, and so how they are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Measure {
    /// Seconds: strings with a unit.
    Time,
    /// Tokens: plain numbers.
    Tokens,
}

const KINDS: [&str; 11] = [
    "constant",
    "exponential",
    "lognormal",
    "gamma",
    "uniform",
    "mixture",
    "weibull",
    "pareto",
    "erlang",
    "hyperexponential",
    "empirical",
];

/// Keys of all kinds.
const PARAMETERS: [&str; 13] = [
    "value",
    "mean",
    "median",
    "sigma",
    "cv",
    "low",
    "high",
    "parts",
    "scale",
    "shape",
    "stages",
    "quantiles",
    "interpolation",
];

impl Measure {
    fn quantity(self, node: &Node) -> Decoded<f64> {
        match self {
            Self::Time => decode::duration(node).map(crate::time::Duration::as_secs_f64),
            Self::Tokens => decode::number(0.0..=1e9)(node),
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Time => "\"250ms\"",
            Self::Tokens => "500",
        }
    }
}

/// Reads the distribution under `key`. `None` if it is bad, which is reported.
pub(super) fn read(
    key: &str,
    node: &Node,
    measure: Measure,
    findings: &Findings,
) -> Option<Distribution> {
    if !matches!(node.value, Value::Table(_)) {
        let made = measure.quantity(node).map(Distribution::constant);
        return match made {
            Ok(made) => valid(made, node.span, findings),
            Err(problem) => {
                findings.push(problem.finding(key, node));
                None
            }
        };
    }
    let section = Section::of(node, format!("`{key}`"), findings)?;
    read_kind(section, measure, findings)
}

fn read_kind(mut section: Section, measure: Measure, findings: &Findings) -> Option<Distribution> {
    let span = section.heading();
    let kind = decode::word("kind of distribution", &KINDS, |kind| kind);
    let Some(kind) = section.required("kind", "\"lognormal\"", kind) else {
        for key in PARAMETERS {
            section.node(key);
        }
        section.finish();
        return None;
    };
    let made = match kind {
        "constant" => need(&mut section, "value", measure).map(Distribution::constant),
        "exponential" => need(&mut section, "mean", measure).map(Distribution::exponential),
        "lognormal" => lognormal(&mut section, measure),
        "gamma" => mean_and_cv(&mut section, measure, 0.001, Distribution::gamma),
        "uniform" => {
            let low = need(&mut section, "low", measure);
            let high = need(&mut section, "high", measure);
            low.zip(high)
                .map(|(low, high)| Distribution::uniform(low, high))
        }
        "weibull" => weibull(&mut section, measure),
        "pareto" => pareto(&mut section, measure),
        "erlang" => {
            let mean = need(&mut section, "mean", measure);
            let stages = section.required("stages", "3", decode::count(1..=1_000));
            mean.zip(stages)
                .map(|(mean, stages)| Distribution::erlang(mean, stages as u32))
        }
        "hyperexponential" => {
            mean_and_cv(&mut section, measure, 1.0, Distribution::hyperexponential)
        }
        "empirical" => quantiles::read(&mut section, measure, findings),
        _ => mixture(&mut section, measure, findings),
    };
    section.finish();
    valid(made?, span, findings)
}

fn need(section: &mut Section, key: &'static str, measure: Measure) -> Option<f64> {
    section.required(key, measure.example(), |node| measure.quantity(node))
}

type Made = Option<Result<Distribution, InvalidDistribution>>;

/// By mean and coefficient of variation, which is at least `least`.
fn mean_and_cv(
    section: &mut Section,
    measure: Measure,
    least: f64,
    make: fn(f64, f64) -> Result<Distribution, InvalidDistribution>,
) -> Made {
    let mean = need(section, "mean", measure);
    let cv = section.required("cv", "1.5", decode::number(least..=1000.0));
    mean.zip(cv).map(|(mean, cv)| make(mean, cv))
}

/// By scale and shape, or by mean and shape.
fn weibull(section: &mut Section, measure: Measure) -> Made {
    let shape = section.required("shape", "0.7", decode::number(0.1..=100.0));
    if section.has("mean") {
        section.refuse("scale", "a weibull has either a scale or a mean");
        let mean = need(section, "mean", measure);
        let (mean, shape) = mean.zip(shape)?;
        return Some(Distribution::weibull_from_mean(mean, shape));
    }
    let scale = need(section, "scale", measure);
    section.node("mean");
    let (scale, shape) = scale.zip(shape)?;
    Some(Distribution::weibull(scale, shape))
}

fn pareto(section: &mut Section, measure: Measure) -> Made {
    let low = need(section, "low", measure);
    let high = need(section, "high", measure);
    let shape = section.required("shape", "1.2", decode::number(0.01..=100.0));
    let ((low, high), shape) = low.zip(high).zip(shape)?;
    Some(Distribution::pareto(low, high, shape))
}

/// By median and sigma, or by mean and coefficient of variation.
fn lognormal(section: &mut Section, measure: Measure) -> Made {
    if section.has("mean") || section.has("cv") {
        let why = "a lognormal has either median and sigma, or mean and cv";
        section.refuse("median", why);
        section.refuse("sigma", why);
        let mean = need(section, "mean", measure);
        let cv = section.required("cv", "0.8", decode::number(0.0..=1e6));
        let (mean, cv) = mean.zip(cv)?;
        return Some(Distribution::lognormal_from_mean(mean, cv));
    }
    let median = need(section, "median", measure);
    let sigma = section.required("sigma", "0.2", decode::number(0.0..=10.0));
    section.node("mean");
    section.node("cv");
    let (median, sigma) = median.zip(sigma)?;
    Some(Distribution::lognormal(median, sigma))
}

fn mixture(section: &mut Section, measure: Measure, findings: &Findings) -> Made {
    let example = "[{ weight = 99, kind = ... }, { weight = 1, kind = ... }]";
    section.required_node("parts", example)?;
    let parts = section.list("parts")?;
    if parts.is_empty() {
        let finding = Finding::error("a mixture of nothing").at(section.span("parts"), "empty");
        findings.push(finding.help(format!("such as parts = {example}")));
        return None;
    }
    let parts: Vec<_> = parts
        .iter()
        .map(|part| {
            let mut outer = Section::of(part, "a part of a mixture", findings)?;
            let weight = outer.required("weight", "1", decode::weight);
            let inner = read_kind(outer, measure, findings);
            weight.zip(inner)
        })
        .collect();
    let parts: Option<Vec<_>> = parts.into_iter().collect();
    Some(Distribution::mixture(parts?))
}

fn valid(
    made: Result<Distribution, InvalidDistribution>,
    span: Span,
    findings: &Findings,
) -> Option<Distribution> {
    made.map_err(|why| findings.push(Finding::error("invalid distribution").at(span, why.0)))
        .ok()
}
