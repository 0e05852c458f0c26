//! Verdicts in words: the lines below the terminal table, and the same words in JSON and CSV.
//!
//! A claim is never just a mark: each line carries the effect with its interval, and says what
//! holds where the claim does not, or what would be needed where nothing can be told.

use super::table::percent;
use crate::experiment::claim::{Relation, shown};
use crate::experiment::metric::Unit;
use crate::experiment::verdict::{
    Band, Effect, Instead, Judgement, Met, Outcome, Outlook, Verdict, Verdicts,
};
use crate::stats::alpha::LOOKS;
use crate::stats::mean::Estimate;

const WIDTH: usize = 100;

/// The verdicts as lines of at most 100 columns; empty where nothing was claimed or demanded.
pub(super) fn lines(verdicts: &Verdicts) -> String {
    let mut text = String::new();
    if !verdicts.claims.is_empty() {
        text += "\nClaims [interval at the level of the verdict]:\n";
    }
    for judged in &verdicts.claims {
        text += &wrapped(&claim_line(judged));
    }
    if !verdicts.thresholds.is_empty() {
        text += "\nThresholds [95 % interval]:\n";
    }
    for met in &verdicts.thresholds {
        text += &wrapped(&threshold_line(met));
    }
    text
}

/// A claim, its verdict, and what is behind it.
pub(super) fn claim_line(judged: &Judgement) -> String {
    let Judgement { claim, verdict, .. } = judged;
    let verdict = verdict.name().to_uppercase();
    let mut line = format!("{} {claim}: {verdict}, {}.", mark(judged), detail(judged));
    if let Some(expected) = claim.expect.filter(|_| !judged.as_expected()) {
        line += &format!(" EXPECTED: {expected}.");
    }
    line
}

/// A threshold, whether it is met, and what is behind that.
pub(super) fn threshold_line(met: &Met) -> String {
    let sign = match met.outcome {
        Outcome::Passed => '✓',
        Outcome::Failed => '✗',
        Outcome::Unclear | Outcome::Invalid(_) => '?',
    };
    // The threshold may be about all strategies; the line is about one.
    let demand = crate::experiment::claim::Threshold {
        strategy: Some(met.strategy.clone()),
        ..met.threshold.clone()
    };
    format!("{sign} {demand}: {}.", threshold_detail(met))
}

/// The mark of a verdict: `✓`, `✗`, or `?` where nothing can be told.
pub(super) fn mark(judged: &Judgement) -> char {
    match judged.holds() {
        Some(true) => '✓',
        Some(false) => '✗',
        None => '?',
    }
}

/// What is behind a verdict, as a part of a sentence.
pub(super) fn detail(judged: &Judgement) -> String {
    let effect = judged
        .effect
        .map(|it| effect(judged, &it))
        .unwrap_or_default();
    let after = format!(" after {}", replications(judged.replications));
    match &judged.verdict {
        Verdict::Confirmed(band) => format!("{effect}{}{after}", in_band(*band)),
        Verdict::Refuted(instead) => format!("{}: {effect}{after}", in_place(*instead)),
        Verdict::Undecided(_) if judged.look == 0 => format!(
            "the first look is after {}, and there {}{}",
            replications(LOOKS[0]),
            match judged.replications {
                1 => "is 1".to_owned(),
                count => format!("are {count}"),
            },
            if effect.is_empty() {
                effect
            } else {
                format!("; so far {effect}")
            },
        ),
        Verdict::Undecided(outlook) => format!("{effect}{after}; {}", would_decide(*outlook)),
        Verdict::Invalid(reason) => reason.to_string(),
        Verdict::Identical => format!(
            "both came to the same in each of {}",
            replications(judged.replications)
        ),
        Verdict::Unattainable(instead) => {
            let shown = in_place(*instead);
            format!("{}; instead, {shown}: {effect}{after}", ceiling(judged))
        }
    }
}

fn would_decide(outlook: Outlook) -> String {
    match outlook {
        Outlook::Replications(count) => format!("about {count} would decide"),
        Outlook::AtBound => "each lies exactly at the claimed bound, on neither side".to_owned(),
        Outlook::Unknown => "these do not tell how many would decide".to_owned(),
    }
}

/// What is behind the outcome of a threshold.
pub(super) fn threshold_detail(met: &Met) -> String {
    let value = |value: Estimate| {
        let of = |number| shown(met.threshold.metric, number);
        let interval = value
            .interval
            .map(|i| format!(" [{}, {}]", of(i.low), of(i.high)));
        format!("{}{}", of(value.mean), interval.unwrap_or_default())
    };
    let value = met.value.map(value).unwrap_or_default();
    match &met.outcome {
        Outcome::Passed => value,
        Outcome::Failed => format!("FAILED, {value}"),
        Outcome::Unclear if met.value.is_some_and(|value| value.interval.is_none()) => {
            format!("NOT SHOWN, {value}: one replication has no interval")
        }
        Outcome::Unclear => format!("NOT SHOWN, {value}: the interval holds the bound"),
        Outcome::Invalid(reason) => format!("NOT SHOWN, {reason}"),
    }
}

fn replications(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} replication{plural}")
}

/// The effect, in the terms of the claim: relative first, and, of shares, in points too.
fn effect(judged: &Judgement, effect: &Effect) -> String {
    let metric = judged.claim.metric;
    if matches!(judged.claim.relation, Relation::Below(_)) {
        let of = |number| shown(metric, number);
        let interval = effect.difference.interval;
        let interval = interval.map(|i| format!(" [{}, {}]", of(i.low), of(i.high)));
        return format!("{}{}", of(effect.strategy), interval.unwrap_or_default());
    }
    let means = format!(
        "{} against {}",
        shown(metric, effect.strategy),
        shown(metric, effect.baseline)
    );
    let relative = match effect.relative {
        None => "no ratio, the baseline being 0".to_owned(),
        some => format!("{} %", percent(some)),
    };
    let points = if metric.unit() == Unit::Share {
        let points = super::table::points(Some(effect.difference));
        format!(", {points} points")
    } else {
        String::new()
    };
    format!("{relative}{points} ({means})")
}

pub(super) const fn in_band(band: Option<Band>) -> &'static str {
    match band {
        None => "",
        Some(Band::Inside) => ", inside the claimed band",
        Some(Band::Above) => ", above the claimed band",
        Some(Band::UpperEnd) => ", at the upper end of the claimed band",
    }
}

pub(super) const fn in_place(instead: Instead) -> &'static str {
    match instead {
        Instead::SmallerGain => "a smaller gain",
        Instead::NoChange => "no change shown",
        Instead::Regression => "the opposite",
        Instead::NotBelow => "it is not below",
        Instead::Worse => "it is worse by more than that",
        Instead::Elsewhere => "it lies elsewhere",
    }
}

/// Why nothing could be so much better.
fn ceiling(judged: &Judgement) -> String {
    let metric = judged.claim.metric;
    let baseline = judged.effect.map_or(f64::NAN, |effect| effect.baseline);
    format!(
        "{} already has {}, which leaves {:.2} points",
        judged.claim.baseline,
        shown(metric, baseline),
        (1.0 - baseline) * 100.0
    )
}

/// A text in lines of at most 100 columns, those after the first indented.
pub(super) fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > WIDTH {
            lines.push(format!("  {word}"));
        } else if let Some(last) = lines.last_mut() {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}
