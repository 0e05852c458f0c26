//! Rows, conclusions and the terminal's text.

use super::Claims;
use crate::experiment::campaign::{Campaign, Times, recoveries};
use crate::experiment::claim::{Amount, ProductClaim, Relation, shown};
use crate::experiment::metric::Unit;
use crate::experiment::verdict::{Instead, Judgement, Verdict};
use crate::report::claims::{in_band, in_place, mark, wrapped};
use crate::report::table::{aligned, percent, points};

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
    for matrix in matrices(all) {
        text += &wrapped(&matrix.title);
        text += &aligned(&matrix.header, matrix.rows, 2);
        text += &wrapped(&matrix.conclusion);
        text.push('\n');
    }
    let recovery = recovery_conclusions(all);
    text + &recovery
        .iter()
        .map(|line| wrapped(line))
        .collect::<String>()
}

/// A table per claim, in their order.
pub(super) fn matrices(all: &Claims) -> Vec<Matrix> {
    let each = all.claims.iter().enumerate();
    each.map(|(at, product)| matrix(all, at, product)).collect()
}

fn matrix(all: &Claims, at: usize, product: &ProductClaim) -> Matrix {
    let resilience = if product.same_resilience {
        "with the same breaker and retries"
    } else {
        "without breaker and retries"
    };
    let header = ["scenario", "verdict", "relative, %", "difference", "runs"];
    let judged = || {
        let campaigns = all.campaigns.iter();
        campaigns.filter_map(move |one| Some((name(one), one.judgements.get(at)?)))
    };
    Matrix {
        title: format!("{}: {}, {resilience}", product.id, product.claim),
        header: header.map(str::to_owned).to_vec(),
        rows: judged().map(|(name, judged)| row(name, judged)).collect(),
        conclusion: conclusion(&judged().collect::<Vec<_>>()),
    }
}

pub(super) fn name(campaign: &Campaign) -> &str {
    &campaign.results.description.name
}

fn row(name: &str, judged: &Judgement) -> Vec<String> {
    let instead = match judged.verdict {
        Verdict::Refuted(instead) | Verdict::Unattainable(instead) => {
            format!(", {}", in_place(instead))
        }
        _ => String::new(),
    };
    let verdict = format!("{} {}{instead}", mark(judged), judged.verdict.name());
    let effect = judged.effect;
    let metric = judged.claim.metric;
    let difference = effect.map_or_else(
        || "-".to_owned(),
        |effect| match metric.unit() {
            Unit::Share => {
                format!("{} points", points(Some(effect.difference)))
            }
            _ => {
                let of = |number| shown(metric, number);
                let interval = effect.difference.interval;
                let interval = interval.map(|i| format!(" [{}, {}]", of(i.low), of(i.high)));
                format!(
                    "{}{}",
                    of(effect.difference.mean),
                    interval.unwrap_or_default()
                )
            }
        },
    );
    vec![
        name.to_owned(),
        verdict,
        percent(effect.and_then(|effect| effect.relative)),
        difference,
        judged.replications.to_string(),
    ]
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
fn conclusion(judged: &[(&str, &Judgement)]) -> String {
    let mut groups: Vec<(String, Vec<&str>)> = vec![];
    for (name, judgement) in judged {
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
        .filter(|(_, j)| j.holds() == Some(true))
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
fn why(judged: &[(&str, &Judgement)]) -> String {
    let any = |is: fn(&Verdict) -> bool| judged.iter().any(|(_, j)| is(&j.verdict));
    let mut text = String::new();
    if any(|verdict| matches!(verdict, Verdict::Unattainable(_))) {
        text += &judged.first().map_or_else(String::new, |(_, j)| room(j));
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

/// How recovery went under the system itself, of all faults of all scenarios.
pub(super) fn recovery_conclusions(all: &Claims) -> Vec<String> {
    let faults: Vec<_> = all
        .campaigns
        .iter()
        .flat_map(|campaign| {
            let each = recoveries(&campaign.results).into_iter();
            each.filter(|one| one.strategy == "smart")
                .map(|one| (name(campaign).to_owned(), one))
        })
        .collect();
    let mut lines = vec![];
    for (at, what) in [(1, "mitigated"), (2, "restored")] {
        let judged: Vec<(&str, Times)> = faults
            .iter()
            .filter_map(|(scenario, one)| Some((scenario.as_str(), one.times[at]?)))
            .collect();
        let of = |holds: Option<bool>, what: &str| {
            let names = judged.iter().filter(|(_, times)| times.holds() == holds);
            let mut names: Vec<&str> = names.map(|(name, _)| *name).collect();
            let count = names.len();
            names.dedup();
            (count > 0).then(|| format!("{what} in {count} ({})", names.join(", ")))
        };
        let parts = [
            of(Some(true), "below 60 s"),
            of(Some(false), "at 60 s or more"),
            of(None, "too near to tell, or seen too rarely,"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() {
            continue;
        }
        lines.push(format!(
            "recovery, faults {what}: the median time is {} of {} that could be observed.",
            parts.join("; "),
            judged.len()
        ));
    }
    lines.push(
        "With an open time of 60 s nothing can be restored sooner than the breaker looks again: \
         one that opened, or failed its probe, just before the end of a fault refuses for 60 s \
         more, and three successful probes follow. \"Restored in less than 60 s\" cannot be \
         guaranteed with these settings, whatever the strategy; mitigated in less than 60 s can, \
         because it needs no probe."
            .to_owned(),
    );
    lines
}
