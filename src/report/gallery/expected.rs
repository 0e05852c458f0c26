//! Whether what a scenario's author expected came true, as far as claims and thresholds say it.
//!
//! The words of an expectation cannot be judged, and judging them by hand would be one more text
//! that goes stale. A claim without `expect` stands in a file because its author expects it, so
//! here it is expected to hold; it is `expect` alone that the exit code of a run depends on.

use super::markdown;
use crate::experiment::claim::Expectation;
use crate::experiment::verdict::{Judgement, Met, Outcome, Verdicts};
use crate::report::claims::{claim_line, threshold_line};

/// The cell of the index.
pub(super) fn held(verdicts: &Verdicts) -> String {
    let claims = verdicts.claims.iter().map(claim);
    let all: Vec<Option<bool>> = claims
        .chain(verdicts.thresholds.iter().map(threshold))
        .collect();
    let count = |wanted| all.iter().filter(|&&held| held == wanted).count();
    let stated = all.len();
    match (stated, count(Some(false)), count(None)) {
        (0, ..) => "none stated".to_owned(),
        (_, 0, 0) => format!("all as expected ({stated})"),
        (_, 0, open) => format!("{open} of {stated} undecided"),
        (_, not, 0) => format!("{not} of {stated} not"),
        (_, not, open) => format!("{not} of {stated} not, {open} undecided"),
    }
}

/// The verdicts as a list; `None` where there are none.
pub(super) fn shown(verdicts: &Verdicts) -> Option<String> {
    let claims = verdicts.claims.iter().map(claim_line);
    let lines = claims.chain(verdicts.thresholds.iter().map(threshold_line));
    let items: Vec<String> = lines
        .map(|line| format!("- {}\n", markdown::text(&line)))
        .collect();
    (!items.is_empty()).then(|| items.concat())
}

/// Whether it came as expected; `None` where nothing can be told.
fn claim(judged: &Judgement) -> Option<bool> {
    let holds = judged.holds()?;
    Some(match judged.claim.expect {
        None | Some(Expectation::Confirmed) => holds,
        Some(Expectation::Refuted) => !holds,
    })
}

const fn threshold(met: &Met) -> Option<bool> {
    match met.outcome {
        Outcome::Passed => Some(true),
        Outcome::Failed => Some(false),
        Outcome::Unclear | Outcome::Invalid(_) => None,
    }
}
