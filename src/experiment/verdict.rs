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
mod reason;
mod statistic;
#[cfg(test)]
mod tests;
mod threshold;
mod world;

pub use reason::Reason;
pub use statistic::{Decision, decide};
pub use threshold::{Met, Outcome};
pub use world::Cautions;

use crate::experiment::claim::{Amount, Claim, Expectation, LinearForm, Relation};
use crate::experiment::metric::Unit;
use crate::experiment::results::{ReplicationResults, ScenarioResults};
use crate::experiment::scenario::Scenario;
use crate::stats::alpha::{Alpha, LOOKS};
use crate::stats::mean::{Estimate, difference_at, interval};
use crate::stats::needed;
use crate::stats::ratio::{RelativeChange, relative_change_at};

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
    /// It cannot be told yet.
    Undecided {
        /// Replications that would decide it, as far as can be told from those at hand.
        needed: Option<usize>,
    },
    /// The question cannot be answered by these results.
    Invalid(Reason),
    /// Both strategies came to the same number in every replication.
    Identical,
    /// The baseline is so good that nothing could be so much better.
    Unattainable,
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
    /// No difference that could be seen.
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
    /// What makes its means meaningless.
    pub cautions: Cautions,
}

impl Verdict {
    /// The word for it in files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Confirmed(_) => "confirmed",
            Self::Refuted(_) => "refuted",
            Self::Undecided { .. } => "undecided",
            Self::Invalid(_) => "invalid",
            Self::Identical => "identical",
            Self::Unattainable => "unattainable",
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
            Verdict::Refuted(_) | Verdict::Unattainable => Some(false),
            Verdict::Identical => Some(self.claim.holds_of_equals()),
            Verdict::Undecided { .. } | Verdict::Invalid(_) => None,
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
    let claims = scenario.claims.iter();
    let judged = claims.map(|claim| judge(claim, scenario.claims.len(), &series));
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
pub fn all_series<'a>(scenario: &Scenario, results: &'a ScenarioResults) -> Vec<Series<'a>> {
    let arms = scenario.arms.iter().zip(&results.strategies);
    arms.map(|(arm, results)| Series {
        name: &results.name,
        replications: &results.replications,
        cautions: world::cautions(scenario, arm, results),
    })
    .collect()
}

/// Judges a claim, one of `together` that share the allowance for error.
#[must_use]
pub fn judge(claim: &Claim, together: usize, series: &[Series]) -> Judgement {
    let alpha = claim.alpha.split(together).split(LOOKS.len());
    let mut judgement = Judgement {
        claim: claim.clone(),
        verdict: Verdict::Undecided { needed: None },
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
    for (number, look) in LOOKS
        .into_iter()
        .enumerate()
        .take_while(|(_, look)| *look <= all)
    {
        let pair = Pair::of(claim, a, b, look);
        judgement.verdict = pair.verdict(alpha);
        judgement.replications = look;
        judgement.look = number + 1;
        judgement.effect = pair.effect(alpha);
        if !matches!(judgement.verdict, Verdict::Undecided { .. }) {
            break;
        }
    }
    judgement
}

/// The numbers of a claim in the replications of a look.
struct Pair<'a> {
    claim: &'a Claim,
    a: Series<'a>,
    b: Series<'a>,
    numbers_a: Vec<f64>,
    numbers_b: Vec<f64>,
}

impl<'a> Pair<'a> {
    fn of(claim: &'a Claim, a: &Series<'a>, b: &Series<'a>, look: usize) -> Self {
        let until = |series: &Series<'a>| Series {
            replications: &series.replications[..look],
            ..series.clone()
        };
        let (a, b) = (until(a), until(b));
        let numbers = |series: &Series| -> Vec<f64> {
            let each = series.replications.iter();
            each.map(|replication| replication.metrics[claim.metric])
                .collect()
        };
        Self {
            numbers_a: numbers(&a),
            numbers_b: numbers(&b),
            claim,
            a,
            b,
        }
    }

    /// The values of a form, one per replication.
    fn z(&self, form: LinearForm) -> Vec<f64> {
        let pairs = self.numbers_a.iter().zip(&self.numbers_b);
        pairs.map(|(a, b)| form.at(*a, *b)).collect()
    }

    fn verdict(&self, alpha: Alpha) -> Verdict {
        if let Some(reason) = guards::before(self) {
            return Verdict::Invalid(reason);
        }
        if self.claim.compares() && self.numbers_a == self.numbers_b {
            return Verdict::Identical;
        }
        if let Some(reason) = guards::fairness(self) {
            return Verdict::Invalid(reason);
        }
        if self.is_unattainable(alpha) {
            return Verdict::Unattainable;
        }
        let forms: Vec<Vec<f64>> = self
            .claim
            .forms()
            .iter()
            .map(|form| self.z(*form))
            .collect();
        let decision = decide(&forms, alpha);
        if guards::signs_contradict(&forms, decision, alpha) {
            return Verdict::Invalid(Reason::Signs);
        }
        match decision {
            Decision::Holds => Verdict::Confirmed(self.band(alpha)),
            Decision::Fails => Verdict::Refuted(self.instead(alpha)),
            Decision::Open => Verdict::Undecided {
                needed: statistic::deciding(&forms)
                    .and_then(|form| needed::replications(form, alpha)),
            },
        }
    }

    /// Whether a share would have to rise above 1, however the baseline's mean may lie.
    fn is_unattainable(&self, alpha: Alpha) -> bool {
        let Relation::IncreasesByAtLeast(amount) = self.claim.relation else {
            return false;
        };
        let most = match amount {
            Amount::Relative(share) => 1.0 / (1.0 + share),
            Amount::Absolute(value) => 1.0 - value,
        };
        let share = self.claim.metric.unit() == Unit::Share;
        share && interval(&self.numbers_b, alpha).is_some_and(|baseline| baseline.low > most)
    }

    fn band(&self, alpha: Alpha) -> Option<Band> {
        let beyond = match (self.claim.relation, self.claim.up_to?) {
            (Relation::ReducesByAtLeast(_), most) => LinearForm::below(most.with(-most.number())),
            (_, most) => LinearForm::above(most),
        };
        Some(match decide(&[self.z(beyond)], alpha) {
            Decision::Holds => Band::Above,
            Decision::Fails => Band::Inside,
            Decision::Open => Band::UpperEnd,
        })
    }

    fn instead(&self, alpha: Alpha) -> Instead {
        const NONE: Amount = Amount::Relative(0.0);
        let gain = match self.claim.relation {
            Relation::ReducesByAtLeast(_) => LinearForm::below(NONE),
            Relation::IncreasesByAtLeast(_) => LinearForm::above(NONE),
            Relation::Below(_) => return Instead::NotBelow,
            Relation::NoWorse(_) => return Instead::Worse,
            Relation::About { .. } => return Instead::Elsewhere,
        };
        match decide(&[self.z(gain)], alpha) {
            Decision::Holds => Instead::SmallerGain,
            Decision::Fails => Instead::Regression,
            Decision::Open => Instead::NoChange,
        }
    }

    fn effect(&self, alpha: Alpha) -> Option<Effect> {
        let compares = self.claim.compares();
        let nothing = vec![0.0; self.numbers_a.len()];
        let against = if compares { &self.numbers_b } else { &nothing };
        let mean = |numbers: &[f64]| crate::stats::mean::estimate(numbers).map(|e| e.mean);
        Some(Effect {
            strategy: mean(&self.numbers_a)?,
            baseline: if compares {
                mean(&self.numbers_b)?
            } else {
                f64::NAN
            },
            difference: difference_at(&self.numbers_a, against, alpha)?,
            relative: relative_change_at(&self.numbers_a, against, alpha),
        })
    }
}
