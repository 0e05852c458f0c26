//! Rows, conclusions and the terminal's text.

use super::{Claims, beside, recovery};
use crate::experiment::campaign::{Answered, Campaign, answered};
use crate::experiment::claim::{Amount, ProductClaim, Relation, shown};
use crate::experiment::metric::Unit;
use crate::experiment::verdict::{Instead, Judgement, Verdict};
use crate::report::claims::{in_band, in_place, mark, wrapped};
use crate::report::table::{aligned, percent, points};
use crate::stats::alpha::Alpha;
use crate::stats::mean::Estimate;

/// A table of one claim: its title and, per scenario, the cells.
pub(super) struct Matrix {
    /// The claim in words.
    pub(super) title: String,
    /// Names of the columns.
    pub(super) header: Vec<String>,
    /// A row per scenario.
    pub(super) rows: Vec<Vec<String>>,
    /// Where it holds, where not, and why.
    pub(super) conclusion: String,
}

pub(super) fn text(all: &Claims) -> String {
    let mut text = String::new();
    for matrix in matrices(all, Room::Terminal) {
        text += &wrapped(&matrix.title);
        text += &aligned(&matrix.header, matrix.rows, 2);
        text += &wrapped(&matrix.conclusion);
        text.push('\n');
    }
    for line in recovery::conclusions(all) {
        text += &wrapped(&line);
    }
    text + &wrapped(&allowance(all))
}

/// Over what the allowance for error is divided, and how many false verdicts that lets through.
pub(super) fn allowance(all: &Claims) -> String {
    let alpha = all
        .claims
        .first()
        .map_or(Alpha::FIVE_PERCENT, |one| one.claim.alpha);
    let scenarios = all.campaigns.len();
    format!(
        "The chance of a false verdict is {:.0} % per scenario, over all looks and its {} claims. \
         It is not divided over the scenarios, each of which is a question of its own: among {} of \
         them up to {:.2} false verdicts are to be expected. \"In general\" needs no division: a \
         claim holds so only where every scenario confirms it.",
        alpha.value() * 100.0,
        all.claims.len(),
        scenarios,
        alpha.value() * scenarios as f64
    )
}

/// How much there is room for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Lines that must not break.
    Terminal,
    /// A page.
    Page,
}

/// A table per claim, in their order.
pub(super) fn matrices(all: &Claims, room: Room) -> Vec<Matrix> {
    let each = all.claims.iter().enumerate();
    each.map(|(at, product)| matrix(all, at, product, room))
        .collect()
}

fn matrix(all: &Claims, at: usize, product: &ProductClaim, room: Room) -> Matrix {
    let resilience = if product.same_resilience {
        "with the same breaker and retries"
    } else {
        "without breaker and retries"
    };
    let judged = all.campaigns.iter().filter_map(|one| {
        let judged = one.judgements.get(at)?;
        let answered = answered(&one.results, judged);
        Some((name(one), judged, answered))
    });
    let judged: Vec<Judged> = judged.collect();
    let times = product.claim.metric.over_successes().is_some();
    let mut header = vec!["scenario", "verdict", "relative, %"];
    if room == Room::Page || !times {
        header.push("difference");
    }
    if times {
        header.extend(["answered alone, %", "success, pts"]);
    }
    header.push("runs");
    let row = |one: &Judged| row(one, times, room);
    Matrix {
        title: format!("{}: {}, {resilience}", product.id, product.claim),
        header: header.into_iter().map(str::to_owned).collect(),
        rows: judged.iter().map(row).collect(),
        conclusion: conclusion(&judged) + &beside::failures(&judged),
    }
}

/// Name of a scenario, the verdict there, and what stands beside it.
pub(super) type Judged<'a> = (&'a str, &'a Judgement, Option<Answered>);

pub(super) fn name(campaign: &Campaign) -> &str {
    &campaign.results.description.name
}

fn row((name, judged, answered): &Judged, times: bool, room: Room) -> Vec<String> {
    let instead = match judged.verdict {
        Verdict::Refuted(instead) | Verdict::Unattainable(instead) => {
            format!(", {}", in_place(instead))
        }
        _ => String::new(),
    };
    let mut row = vec![
        (*name).to_owned(),
        format!("{} {}{instead}", mark(judged), judged.verdict.name()),
        percent(judged.effect.and_then(|effect| effect.relative)),
    ];
    if room == Room::Page || !times {
        row.push(difference(judged));
    }
    if times {
        row.push(percent(answered.and_then(|it| it.latency)));
        let success = answered.and_then(|it| it.success_rate);
        row.push(points(success.map(|success| Estimate {
            interval: success.interval.filter(|_| room == Room::Page),
            ..success
        })));
    }
    row.push(judged.replications.to_string());
    row
}

fn difference(judged: &Judgement) -> String {
    let Some(effect) = judged.effect else {
        return "-".to_owned();
    };
    let metric = judged.claim.metric;
    if metric.unit() == Unit::Share {
        return format!("{} points", points(Some(effect.difference)));
    }
    let of = |number| shown(metric, number);
    let interval = effect.difference.interval;
    let interval = interval.map(|i| format!(" [{}, {}]", of(i.low), of(i.high)));
    let interval = interval.unwrap_or_default();
    format!("{}{interval}", of(effect.difference.mean))
}

/// What a verdict says, in the words that scenarios are grouped by.
fn group(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Confirmed(band) => format!("confirmed{}", in_band(*band)),
        Verdict::Refuted(instead) => format!("refuted, {}", in_place(*instead)),
        Verdict::Unattainable(instead) => format!(
            "unattainable, the baseline being too good (instead: {})",
            in_place(*instead)
        ),
        Verdict::Undecided(_) => "undecided".to_owned(),
        Verdict::Identical => "identical to the baseline".to_owned(),
        Verdict::Invalid(_) => "not to be judged".to_owned(),
    }
}

/// Where a claim holds, where it does not, and what is there instead.
fn conclusion(judged: &[Judged]) -> String {
    let mut groups: Vec<(String, Vec<&str>)> = vec![];
    for (name, judgement, _) in judged {
        let label = group(&judgement.verdict);
        match groups.iter_mut().find(|(known, _)| *known == label) {
            Some((_, names)) => names.push(name),
            None => groups.push((label, vec![name])),
        }
    }
    let order = |label: &str| {
        let starts = ["confirmed", "refuted", "unattainable", "identical"];
        starts
            .iter()
            .position(|start| label.starts_with(start))
            .unwrap_or(9)
    };
    groups.sort_by_key(|(label, _)| order(label));
    let holds = judged
        .iter()
        .filter(|(_, j, _)| j.holds() == Some(true))
        .count();
    let parts: Vec<String> = groups
        .iter()
        .map(|(label, names)| format!("{label} in {} ({})", names.len(), names.join(", ")))
        .collect();
    if holds == judged.len() && holds > 0 {
        return format!("It holds in every scenario: {}.", parts.join("; "));
    }
    format!(
        "It holds in {holds} of {} scenarios, so not in general: {}.{}",
        judged.len(),
        parts.join("; "),
        why(judged)
    )
}

/// What the scenarios in which it fails have in common.
fn why(judged: &[Judged]) -> String {
    let any = |is: fn(&Verdict) -> bool| judged.iter().any(|(_, j, _)| is(&j.verdict));
    let mut text = String::new();
    if any(|verdict| matches!(verdict, Verdict::Unattainable(_))) {
        text += &judged.first().map_or_else(String::new, |(_, j, _)| room(j));
    }
    let opposite = |verdict: &Verdict| {
        use Instead::Regression;
        matches!(
            verdict,
            Verdict::Refuted(Regression) | Verdict::Unattainable(Regression)
        )
    };
    if any(opposite) {
        text += " Where it is the opposite, the baseline is the better choice.";
    }
    text
}

/// What the best of baselines leaves.
fn room(judged: &Judgement) -> String {
    match judged.claim.relation {
        Relation::IncreasesByAtLeast(Amount::Relative(share)) => format!(
            " A baseline that succeeds in more than {:.2} % leaves no room for {} % more.",
            100.0 / (1.0 + share),
            share * 100.0
        ),
        Relation::IncreasesByAtLeast(Amount::Absolute(value)) => format!(
            " A baseline that succeeds in more than {:.0} % leaves no room for {} points more.",
            100.0 * (1.0 - value),
            value * 100.0
        ),
        _ => String::new(),
    }
}
