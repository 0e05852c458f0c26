//! A claim's numbers at one look, and what they say.

use super::{Band, Decision, Effect, Instead, Reason, Series, Verdict, decide, guards, statistic};
use crate::experiment::claim::{Amount, Claim, LinearForm, Relation};
use crate::experiment::metric::Unit;
use crate::stats::alpha::Alpha;
use crate::stats::mean::{difference_at, interval};
use crate::stats::ratio::relative_change_at;

/// The numbers of a claim in the replications of a look.
pub(super) struct Pair<'a> {
    pub(super) claim: &'a Claim,
    pub(super) a: Series<'a>,
    pub(super) b: Series<'a>,
    numbers_a: Vec<f64>,
    numbers_b: Vec<f64>,
}

impl<'a> Pair<'a> {
    pub(super) fn of(claim: &'a Claim, a: &Series<'a>, b: &Series<'a>, look: usize) -> Self {
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

    /// What the numbers say, at the last look that is planned or before it.
    pub(super) fn verdict(&self, alpha: Alpha, last: bool) -> Verdict {
        if let Some(reason) = guards::before(self) {
            return Verdict::Invalid(reason);
        }
        let identical = self.claim.compares() && self.numbers_a == self.numbers_b;
        if identical && self.is_one_twice() {
            return Verdict::Identical;
        }
        if let Some(reason) = guards::fairness(self) {
            return Verdict::Invalid(reason);
        }
        // Before that, replications may follow in which they differ; the test, which has its
        // allowance for it, may decide earlier.
        if identical && last {
            return Verdict::Identical;
        }
        let forms = self.claim.forms();
        let forms: Vec<Vec<f64>> = forms.iter().map(|form| self.z(*form)).collect();
        let decision = decide(&forms, alpha);
        if guards::signs_contradict(&forms, decision, alpha) {
            return Verdict::Invalid(Reason::Signs);
        }
        match decision {
            Decision::Holds => Verdict::Confirmed(self.band(alpha)),
            Decision::Fails if self.has_no_room(alpha) => {
                Verdict::Unattainable(self.instead(alpha))
            }
            Decision::Fails => Verdict::Refuted(self.instead(alpha)),
            Decision::Open => Verdict::Undecided(statistic::outlook(&forms, alpha)),
        }
    }

    /// Whether both arms have the same settings and random numbers, and so must come to the same.
    fn is_one_twice(&self) -> bool {
        let settings = |series: &Series<'a>| {
            let arm = series.arm?;
            Some((&arm.routing, arm.policy_seed))
        };
        settings(&self.a).is_some() && settings(&self.a) == settings(&self.b)
    }

    /// Whether a share would have to rise above 1, wherever in its interval the baseline's mean may
    /// lie. This says why a claim is refuted; alone it refutes none, because the allowance for
    /// error is spent on the test.
    fn has_no_room(&self, alpha: Alpha) -> bool {
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

    /// Where in the claimed band the effect lies. Like [`Self::instead`], it takes no allowance of
    /// its own: it reads off more of the one confidence set (of ratios, or of differences) whose
    /// place against the claimed amount has decided the claim.
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

    pub(super) fn effect(&self, alpha: Alpha) -> Option<Effect> {
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
