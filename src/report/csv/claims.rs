//! `claims.csv` and `thresholds.csv`: what became of the claims and demands of the scenario.

use super::{Row, ends, file, header, range_name};
use crate::experiment::claim::{Amount, Claim, Expectation, Relation};
use crate::experiment::results::ScenarioResults;
use crate::experiment::verdict::{Judgement, Met, Outlook, Verdict};
use crate::report::claims::{detail, threshold_detail};
use crate::report::directory::File;
use crate::report::number::{derived, derived_or_empty};

/// Both files, each only where it has rows.
pub(super) fn files(results: &ScenarioResults) -> Vec<File> {
    let (claims, thresholds) = (&results.verdicts.claims, &results.verdicts.thresholds);
    let mut files = vec![];
    if !claims.is_empty() {
        files.push(file("claims.csv", columns(), claims.iter().map(row)));
    }
    if !thresholds.is_empty() {
        let rows = thresholds.iter().map(threshold_row);
        files.push(file("thresholds.csv", header(&THRESHOLD_COLUMNS), rows));
    }
    files
}

/// Names of the columns of [`row`].
pub(in crate::report) fn columns() -> Row {
    header(&COLUMNS)
}

const COLUMNS: [&str; 27] = [
    "claim",
    "metric",
    "strategy",
    "baseline",
    "relation",
    "amount",
    "amount_unit",
    "margin",
    "up_to",
    "verdict",
    "detail",
    "expect",
    "as_expected",
    "replications",
    "look",
    "alpha_per_look",
    "replications_needed",
    "strategy_mean",
    "baseline_mean",
    "relative_change",
    "relative_change_low",
    "relative_change_high",
    "relative_change_interval",
    "difference",
    "difference_low",
    "difference_high",
    "holds",
];

/// A claim and its verdict.
pub(in crate::report) fn row(judged: &Judgement) -> Row {
    let claim = &judged.claim;
    let (relation, amount, unit, margin) = relation(claim);
    let baseline = if claim.compares() {
        claim.baseline.as_str()
    } else {
        ""
    };
    let text = |text: &str| text.to_owned();
    let needed = match judged.verdict {
        Verdict::Undecided(Outlook::Replications(needed)) => Some(needed),
        _ => None,
    };
    let mut row = vec![
        claim.to_string(),
        text(claim.metric.name()),
        claim.strategy.clone(),
        text(baseline),
        text(relation),
        derived(amount),
        text(unit),
        derived_or_empty(margin),
        derived_or_empty(claim.up_to.map(Amount::number)),
        text(judged.verdict.name()),
        detail(judged),
        text(claim.expect.map_or("", Expectation::name)),
        claim
            .expect
            .map_or_else(String::new, |_| judged.as_expected().to_string()),
        judged.replications.to_string(),
        judged.look.to_string(),
        derived(judged.alpha.value()),
        needed.map_or_else(String::new, |needed| needed.to_string()),
    ];
    row.extend(effect(judged));
    row.push(
        judged
            .holds()
            .map_or_else(String::new, |holds| holds.to_string()),
    );
    row
}

fn effect(judged: &Judgement) -> Row {
    let effect = judged.effect;
    let relative = effect.and_then(|effect| effect.relative);
    let difference = effect.map(|effect| effect.difference);
    let mut row = vec![
        derived_or_empty(effect.map(|effect| effect.strategy)),
        derived_or_empty(effect.map(|effect| effect.baseline)),
        derived_or_empty(relative.map(|relative| relative.change)),
    ];
    row.extend(ends(
        relative.and_then(|relative| relative.range.interval()),
    ));
    row.push(
        relative
            .map_or("", |relative| range_name(relative.range))
            .to_owned(),
    );
    row.push(derived_or_empty(
        difference.map(|difference| difference.mean),
    ));
    row.extend(ends(difference.and_then(|difference| difference.interval)));
    row
}

/// Its word, amount, unit of the amount, and margin.
fn relation(claim: &Claim) -> (&'static str, f64, &'static str, Option<f64>) {
    let unit = |amount: Amount| match amount {
        Amount::Relative(_) => "share_of_baseline",
        Amount::Absolute(_) => "absolute",
    };
    let plain = |word, amount: Amount| (word, amount.number(), unit(amount), None);
    match claim.relation {
        Relation::ReducesByAtLeast(amount) => plain("reduces_by_at_least", amount),
        Relation::IncreasesByAtLeast(amount) => plain("increases_by_at_least", amount),
        Relation::Below(value) => ("below", value, "absolute", None),
        Relation::NoWorse(margin) => plain("no_worse", margin),
        Relation::About { amount, margin } => (
            "about",
            amount.number(),
            unit(amount),
            Some(margin.number()),
        ),
    }
}

const THRESHOLD_COLUMNS: [&str; 9] = [
    "strategy",
    "metric",
    "comparison",
    "bound",
    "mean",
    "mean_ci95_low",
    "mean_ci95_high",
    "outcome",
    "detail",
];

fn threshold_row(met: &Met) -> Row {
    let threshold = &met.threshold;
    let mut row = vec![
        met.strategy.clone(),
        threshold.metric.name().to_owned(),
        threshold.comparison.name().to_owned(),
        derived(threshold.bound),
        derived_or_empty(met.value.map(|value| value.mean)),
    ];
    row.extend(ends(met.value.and_then(|value| value.interval)));
    row.push(met.outcome.name().to_owned());
    row.push(threshold_detail(met));
    row
}
