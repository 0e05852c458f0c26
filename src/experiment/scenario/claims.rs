//! `[[claims]]` and `thresholds`: what is said of the results, and what they must meet.

mod amounts;
mod thresholds;

pub(super) use thresholds::read as thresholds;

use super::decode::{self, Decoded, Problem, Title};
use super::diagnostics::{Finding, Findings};
use super::document::Node;
use super::section::Section;
use crate::experiment::claim::{Amount, Claim, Expectation, Relation};
use crate::experiment::metric::{Better, Metric};
use crate::experiment::scenario::Arm;
use crate::stats::alpha::Alpha;
use amounts::Sign;

/// Most claims of a scenario: the allowance for error is divided over them.
const MOST_CLAIMS: usize = 100;

/// The word for a relation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Word {
    Reduces,
    Increases,
    Below,
    NoWorse,
    About,
}

impl Word {
    const ALL: [Self; 5] = [
        Self::Reduces,
        Self::Increases,
        Self::Below,
        Self::NoWorse,
        Self::About,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Reduces => "reduces_by_at_least",
            Self::Increases => "increases_by_at_least",
            Self::Below => "below",
            Self::NoWorse => "no_worse",
            Self::About => "about",
        }
    }
}

/// Reads `[[claims]]`; none if absent, `None` if one is bad. Who else is compared with stands in
/// `baseline`.
pub(super) fn read(
    top: &mut Section,
    arms: Option<&[Arm]>,
    baseline: Option<usize>,
    findings: &Findings,
) -> Option<Vec<Claim>> {
    let items = top.list("claims")?;
    if items.len() > MOST_CLAIMS {
        let finding = Finding::error(format!("{} claims are too many", items.len()));
        let help = format!("allowed: at most {MOST_CLAIMS}");
        findings.push(finding.at(items[MOST_CLAIMS].span, "").help(help));
        return None;
    }
    let names: Option<Vec<String>> =
        arms.map(|arms| arms.iter().map(|arm| arm.name.clone()).collect());
    let read: Vec<_> = items
        .iter()
        .map(|item| claim(item, names.as_deref(), baseline, findings))
        .collect();
    read.into_iter().collect()
}

fn claim(
    node: &Node,
    names: Option<&[String]>,
    baseline: Option<usize>,
    findings: &Findings,
) -> Option<Claim> {
    let mut section = Section::of(node, "[[claims]]", findings)?;
    let metric = section.required("metric", "\"success_rate\"", metric);
    let word = section.required(
        "relation",
        "\"reduces_by_at_least\"",
        decode::word("relation", &Word::ALL, Word::name),
    );
    let strategy = section.required("strategy", "\"smart\"", arm(names));
    let against = baseline_of(&mut section, word, names, baseline);
    let relation = relation(&mut section, word, metric);
    let up_to = up_to(&mut section, word, relation, metric);
    let alpha = section.or("alpha", Alpha::FIVE_PERCENT, alpha);
    let expect = section.optional(
        "expect",
        decode::word("verdict", Expectation::ALL, Expectation::name),
    );
    let span = section.span("strategy");
    section.finish();
    let (strategy, against) = (strategy?, against?);
    if strategy == against && word? != Word::Below {
        let finding = Finding::error(format!("a claim compares `{strategy}` with itself"));
        let help =
            "name another strategy as `baseline`, or give the arm a twin with its own `name`";
        findings.push(finding.at(span, "this is also its baseline").help(help));
        return None;
    }
    Some(Claim {
        metric: metric?,
        strategy,
        baseline: against,
        relation: relation?,
        up_to: up_to?,
        alpha: alpha?,
        expect: expect?,
    })
}

/// Reads a metric by its name, or its short name.
fn metric(node: &Node) -> Decoded<Metric> {
    let text = node.text();
    let name = text.ok_or_else(|| decode::wrong_type(node, "the name of a metric"))?;
    metric_named(name)
}

fn metric_named(name: &str) -> Decoded<Metric> {
    let short = Metric::SHORT.iter().map(|(short, _)| *short);
    let all = Metric::ALL.iter().map(|metric| metric.name());
    // The short names and those that claims are mostly about come first in the help.
    let known = short.chain(all);
    Metric::named(name).ok_or_else(|| decode::unknown("metric", name, known))
}

/// Reads the name of an arm; whatever name where the arms themselves are bad.
fn arm(names: Option<&[String]>) -> impl Fn(&Node) -> Decoded<String> {
    move |node| match names {
        None => decode::name(node),
        Some(names) => decode::reference("strategy", names)(node).map(|at| names[at].clone()),
    }
}

/// Whom a claim compares with: the scenario's baseline unless it says another.
fn baseline_of(
    section: &mut Section,
    word: Option<Word>,
    names: Option<&[String]>,
    baseline: Option<usize>,
) -> Option<String> {
    if word == Some(Word::Below) {
        section.refuse(
            "baseline",
            "`below` compares with a value, not with a strategy",
        );
        return Some(String::new());
    }
    let default = || names.zip(baseline).map(|(names, at)| names[at].clone());
    match section.optional("baseline", arm(names))? {
        Some(name) => Some(name),
        None => default(),
    }
}

fn relation(section: &mut Section, word: Option<Word>, metric: Option<Metric>) -> Option<Relation> {
    let node = section.required_node("amount", "\"20%\"");
    if word != Some(Word::About) {
        section.refuse("margin", "only `about` has a margin on both sides");
    }
    let margin = (word == Some(Word::About)).then(|| section.required_node("margin", "\"2%\""));
    let (word, metric) = (word?, metric?);
    let read = |key: &'static str, node: &Node, sign: Sign| {
        let amount = amounts::amount(node, metric, sign);
        amount
            .map_err(|problem| section.report(problem.finding(key, node)))
            .ok()
    };
    match word {
        Word::Reduces => read("amount", node?, Sign::Share).map(Relation::ReducesByAtLeast),
        Word::Increases => read("amount", node?, Sign::Positive).map(Relation::IncreasesByAtLeast),
        Word::About => {
            let amount = read("amount", node?, Sign::Either);
            let margin_node = margin.flatten()?;
            let margin = read("margin", margin_node, Sign::Positive)?;
            let amount = amount?;
            if !same_kind(amount, margin) || margin.number() == 0.0 {
                let label = "must be above 0, and of the same unit as `amount`";
                let problem = problem("does not fit", label, "such as \"2%\" or \"2 points\"");
                section.report(problem.finding("margin", margin_node));
                return None;
            }
            Some(Relation::About { amount, margin })
        }
        Word::NoWorse => {
            if metric.better() == Better::Neither {
                let label = format!("`{metric}` is neither good nor bad in itself");
                let help = "claim `about`, `reduces_by_at_least` or `increases_by_at_least`";
                let finding = Finding::error("no value of this metric is worse than another");
                section.report(finding.at(section.span("metric"), label).help(help));
                return None;
            }
            read("amount", node?, Sign::Positive).map(Relation::NoWorse)
        }
        Word::Below => {
            let node = node?;
            let bound = node
                .text()
                .ok_or_else(|| decode::wrong_type(node, "a string with a unit"))
                .and_then(|text| amounts::value(text, metric));
            bound
                .map_err(|problem| section.report(problem.finding("amount", node)))
                .ok()
                .map(Relation::Below)
        }
    }
}

/// The upper end of a claimed band.
fn up_to(
    section: &mut Section,
    word: Option<Word>,
    relation: Option<Relation>,
    metric: Option<Metric>,
) -> Option<Option<Amount>> {
    if !matches!(word, Some(Word::Reduces | Word::Increases) | None) {
        section.refuse("up_to", "only a gain is claimed as a band");
        return Some(None);
    }
    let Some(node) = section.node("up_to") else {
        return Some(None);
    };
    let sign = match relation? {
        Relation::ReducesByAtLeast(_) => Sign::Share,
        _ => Sign::Positive,
    };
    let (Relation::ReducesByAtLeast(least) | Relation::IncreasesByAtLeast(least)) = relation?
    else {
        return Some(None);
    };
    let most = amounts::amount(node, metric?, sign).and_then(|most| {
        if same_kind(least, most) && least.number() < most.number() {
            return Ok(most);
        }
        let label = "must be above `amount`, and of the same unit";
        Err(problem(
            "is no upper end",
            label,
            "such as amount = \"15%\", up_to = \"25%\"",
        ))
    });
    most.map(Some)
        .map_err(|problem| section.report(problem.finding("up_to", node)))
        .ok()
}

const fn same_kind(a: Amount, b: Amount) -> bool {
    matches!(
        (a, b),
        (Amount::Relative(_), Amount::Relative(_)) | (Amount::Absolute(_), Amount::Absolute(_))
    )
}

fn alpha(node: &Node) -> Decoded<Alpha> {
    let value = decode::number(0.0001..=0.2)(node)?;
    Alpha::new(value).ok_or_else(|| decode::out_of_bounds("not a probability", "such as 0.05"))
}

fn problem(title: &'static str, label: impl Into<String>, help: &str) -> Problem {
    Problem {
        title: Title::OfKey(title),
        label: label.into(),
        help: Some(help.to_owned()),
        span: None,
    }
}
