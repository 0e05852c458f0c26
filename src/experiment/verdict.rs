//! Verdicts: whether a claim holds, is refuted, or cannot be told.
//!
//! The unit of evidence is the replication. For "A is at least 20 % below B" each gives one number,
//! z = 0.8 B - A, and the verdict is where a t interval of the mean of z lies: wholly above 0 is
//! confirmed, wholly below is refuted. That is an exact linear form; the obvious way, averaging the
//! ratios of single runs, estimates another quantity and is biased by runs with a small B.
//!
//! Looks are fixed beforehand ([`LOOKS`]) and share the allowance for error, so that stopping at
//! the first decision does not buy it. In front of the test stand guards, each of which knows a way
//! in which honest arithmetic misleads; what they catch is INVALID, with the reason, whatever the
//! numbers say.

mod guards;
mod pair;
mod reason;
mod statistic;
#[cfg(test)]
mod tests;
mod threshold;
mod world;

pub(super) use guards::SURVIVORS;
pub use reason::Reason;
pub use statistic::{Decision, decide};
pub use threshold::{Met, Outcome};
pub use world::Cautions;

use crate::experiment::claim::{Claim, Expectation};
use crate::experiment::results::{ReplicationResults, ScenarioResults};
use crate::experiment::scenario::{Arm, Scenario};
use crate::stats::alpha::{Alpha, LOOKS};
use crate::stats::mean::Estimate;
use crate::stats::ratio::RelativeChange;
use pair::Pair;

/// What became of the claims and thresholds of a scenario.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Verdicts {
    /// Every claim, in the scenario's order.
    pub claims: Vec<Judgement>,
    /// Every threshold and strategy that it concerns, in the scenario's order.
    pub thresholds: Vec<Met>,
}

/// A claim and what became of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Judgement {
    /// The claim.
    pub claim: Claim,
    /// What became of it.
    pub verdict: Verdict,
    /// Replications that it rests on: those of the look that decided, or of the last one; where
    /// there was no look, all that there are.
    pub replications: usize,
    /// Number of that look, from 1; 0 if there was none.
    pub look: usize,
    /// Probability of a false verdict at one look; intervals are at this level.
    pub alpha: Alpha,
    /// How large the effect is; `None` if it could not be measured.
    pub effect: Option<Effect>,
}

/// What became of a claim.
#[derive(Clone, PartialEq, Debug)]
pub enum Verdict {
    /// It holds.
    Confirmed(Option<Band>),
    /// It does not, and what holds instead.
    Refuted(Instead),
    /// It cannot be told yet; and what would help.
    Undecided(Outlook),
    /// The question cannot be answered by these results.
    Invalid(Reason),
    /// Both strategies came to the same number in every replication that was planned, or are one
    /// strategy under two names.
    Identical,
    /// It does not hold, and could not: the baseline is so good that nothing could be so much
    /// better. And what holds instead.
    Unattainable(Instead),
}

/// What would decide a claim that is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outlook {
    /// About so many replications, as far as can be told from those at hand.
    Replications(usize),
    /// Every replication lies exactly at the claimed bound, as far as numbers have digits.
    AtBound,
    /// Those at hand do not tell: there was no look, or it would take more than a thousand million.
    Unknown,
}

/// Where an effect lies in the claimed band, whose lower end it has passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Band {
    /// Within it.
    Inside,
    /// Above its upper end.
    Above,
    /// Too near its upper end to tell.
    UpperEnd,
}

/// What holds in place of a refuted claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Instead {
    /// An effect of the claimed kind, but smaller.
    SmallerGain,
    /// No difference was shown.
    NoChange,
    /// The opposite.
    Regression,
    /// The value is not below the bound.
    NotBelow,
    /// The strategy is worse by more than the margin.
    Worse,
    /// The difference is outside the margins.
    Elsewhere,
}

/// How large an effect is, over the replications of the look.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Effect {
    /// Mean of the strategy.
    pub strategy: f64,
    /// Mean of the baseline; NaN for a claim without one.
    pub baseline: f64,
    /// Strategy less baseline, or, without a baseline, the strategy itself.
    pub difference: Estimate,
    /// Strategy over baseline, less 1; `None` without a baseline, or where it is 0.
    pub relative: Option<RelativeChange>,
}

/// The results of one strategy, and what is to be known before they are trusted.
#[derive(Clone, Debug)]
pub struct Series<'a> {
    /// Name of the arm.
    pub name: &'a str,
    /// Replications from 0 on.
    pub replications: &'a [ReplicationResults],
    /// Its settings, if they are known: two arms with the same ones are one strategy.
    pub arm: Option<&'a Arm>,
    /// What makes its means meaningless.
    pub cautions: Cautions,
}

/// What was settled before anything was run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Claims that share the allowance for error.
    pub claims: usize,
    /// Replications that the last look may use, at most.
    pub replications: usize,
}

impl Verdict {
    /// The word for it in files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Confirmed(_) => "confirmed",
            Self::Refuted(_) => "refuted",
            Self::Undecided(_) => "undecided",
            Self::Invalid(_) => "invalid",
            Self::Identical => "identical",
            Self::Unattainable(_) => "unattainable",
        }
    }
}

impl Judgement {
    /// Whether the claim holds, as far as this says: identical arms and what is unattainable answer
    /// it too.
    #[must_use]
    pub const fn holds(&self) -> Option<bool> {
        match self.verdict {
            Verdict::Confirmed(_) => Some(true),
            Verdict::Refuted(_) | Verdict::Unattainable(_) => Some(false),
            Verdict::Identical => Some(self.claim.holds_of_equals()),
            Verdict::Undecided(_) | Verdict::Invalid(_) => None,
        }
    }

    /// Whether the verdict is the expected one; `true` where nothing is expected. What cannot be
    /// told is not what was expected.
    #[must_use]
    pub fn as_expected(&self) -> bool {
        match self.claim.expect {
            None => true,
            Some(Expectation::Confirmed) => self.holds() == Some(true),
            Some(Expectation::Refuted) => self.holds() == Some(false),
        }
    }
}

impl Verdicts {
    /// How many thresholds were not met, and expectations not fulfilled.
    #[must_use]
    pub fn broken(&self) -> usize {
        let claims = self.claims.iter().filter(|claim| !claim.as_expected());
        let thresholds = self.thresholds.iter();
        claims.count()
            + thresholds
                .filter(|met| met.outcome != Outcome::Passed)
                .count()
    }
}

/// Judges the claims and thresholds of a scenario by its results.
#[must_use]
pub fn judge_all(scenario: &Scenario, results: &ScenarioResults) -> Verdicts {
    let series = all_series(scenario, results);
    let plan = Plan {
        claims: scenario.claims.len(),
        replications: scenario.replications as usize,
    };
    let claims = scenario.claims.iter();
    let judged = claims.map(|claim| judge(claim, plan, &series));
    let thresholds = scenario.thresholds.iter();
    Verdicts {
        claims: judged.collect(),
        thresholds: thresholds
            .flat_map(|one| threshold::check(one, &series))
            .collect(),
    }
}

/// What claims are judged by: every strategy of the results.
#[must_use]
pub fn all_series<'a>(scenario: &'a Scenario, results: &'a ScenarioResults) -> Vec<Series<'a>> {
    let arms = scenario.arms.iter().zip(&results.strategies);
    arms.map(|(arm, results)| Series {
        name: &results.name,
        replications: &results.replications,
        arm: Some(arm),
        cautions: world::cautions(scenario, arm, results),
    })
    .collect()
}

/// Judges a claim by the looks that the results reach.
#[must_use]
pub fn judge(claim: &Claim, plan: Plan, series: &[Series]) -> Judgement {
    let alpha = claim.alpha.split(plan.claims).split(LOOKS.len());
    let mut judgement = Judgement {
        claim: claim.clone(),
        verdict: Verdict::Undecided(Outlook::Unknown),
        replications: 0,
        look: 0,
        alpha,
        effect: None,
    };
    let find = |name: &str| series.iter().find(|series| series.name == name);
    let missing = |name: &str| Verdict::Invalid(Reason::Missing(name.to_owned()));
    let Some(a) = find(&claim.strategy) else {
        judgement.verdict = missing(&claim.strategy);
        return judgement;
    };
    let Some(b) = find(&claim.baseline).or((!claim.compares()).then_some(a)) else {
        judgement.verdict = missing(&claim.baseline);
        return judgement;
    };
    let all = a.replications.len().min(b.replications.len());
    judgement.replications = all;
    judgement.effect = Pair::of(claim, a, b, all).effect(alpha);
    let last = LOOKS.into_iter().rfind(|look| *look <= plan.replications);
    let reached = LOOKS.into_iter().take_while(|look| *look <= all);
    for (number, look) in reached.enumerate() {
        let pair = Pair::of(claim, a, b, look);
        judgement.verdict = pair.verdict(alpha, Some(look) == last);
        judgement.replications = look;
        judgement.look = number + 1;
        judgement.effect = pair.effect(alpha);
        if !matches!(judgement.verdict, Verdict::Undecided(_)) {
            break;
        }
    }
    judgement
}
