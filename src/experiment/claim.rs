//! Claims and thresholds: what somebody says, or demands, of the results.
//!
//! A *claim* compares two strategies ("smart has a mean latency at least 20 % below random"). It is
//! judged by [`super::verdict`], may come out either way, and is information: a refuted claim is a
//! good result. A *threshold* is a demand on one strategy ("P99 below 2.5 s") and fails the run.
//! The two are kept apart because they err differently: a claim is tested in both directions, a
//! demand that is not shown to be met is not met.

mod product;
mod threshold;
mod value;

pub use product::{ProductClaim, SETTINGS, SYSTEM, claims as product_claims};
pub use threshold::{Comparison, Threshold};
pub use value::shown;

use super::metric::{Better, Metric};
use crate::request::words;
use crate::stats::alpha::Alpha;
use std::fmt;

/// Something that is said of a strategy's results.
#[derive(Clone, PartialEq, Debug)]
pub struct Claim {
    /// In what.
    pub metric: Metric,
    /// Of whom: name of an arm.
    pub strategy: String,
    /// Against whom: name of an arm; of no use to [`Relation::Below`].
    pub baseline: String,
    /// What is claimed.
    pub relation: Relation,
    /// Upper end of the claimed band, for the text alone: "15 to 25 %" is decided at 15 %.
    pub up_to: Option<Amount>,
    /// Probability of a false verdict over all looks, before it is divided over the claims of a
    /// file.
    pub alpha: Alpha,
    /// What the verdict has to be.
    pub expect: Option<Expectation>,
}

/// How the means over all replications of A (the strategy) and B (the baseline) are said to relate.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Relation {
    /// A is below B by at least so much.
    ReducesByAtLeast(Amount),
    /// A is above B by at least so much.
    IncreasesByAtLeast(Amount),
    /// A is below this value, in the unit of the metric.
    Below(f64),
    /// A is worse than B by less than this margin, if at all.
    NoWorse(Amount),
    /// A differs from B by so much (signed), give or take the margin.
    About {
        /// A less B.
        amount: Amount,
        /// How far it may be off.
        margin: Amount,
    },
}

/// How much.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Amount {
    /// A share of B.
    Relative(f64),
    /// In the unit of the metric. Of shares: 0.15 for fifteen percentage points.
    Absolute(f64),
}

words! {
    /// What the verdict on a claim has to be.
    Expectation {
        /// The claim must hold.
        Confirmed = "confirmed",
        /// It must not.
        Refuted = "refuted",
    }
}

/// z = `a` A + `b` B + `constant` of one replication: above 0 on average if what is claimed is so.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LinearForm {
    /// Factor of the strategy's number.
    pub a: f64,
    /// Factor of the baseline's.
    pub b: f64,
    /// Added to it.
    pub constant: f64,
}

/// Relative error of numbers that were divided, multiplied and added a few times.
pub const ROUNDING: f64 = 8.0 * f64::EPSILON;

impl LinearForm {
    /// Its value in one replication: 0 where no more than the rounding of its terms is left, so
    /// that strategies exactly at the bound are not told to lie on one side of it.
    #[must_use]
    pub fn at(self, a: f64, b: f64) -> f64 {
        // A form without a baseline must not depend on it, not even on its being a number.
        let base = if self.b == 0.0 { 0.0 } else { self.b * b };
        let value = self.a * a + base + self.constant;
        let size = (self.a * a).abs() + base.abs() + self.constant.abs();
        if value.abs() <= ROUNDING * size {
            0.0
        } else {
            value
        }
    }

    /// A above B by this much (signed).
    #[must_use]
    pub fn above(amount: Amount) -> Self {
        let (share, value) = amount.parts();
        Self {
            a: 1.0,
            b: -(1.0 + share),
            constant: -value,
        }
    }

    /// A below what [`Self::above`] asks for.
    #[must_use]
    pub fn below(amount: Amount) -> Self {
        let Self { a, b, constant } = Self::above(amount);
        Self {
            a: -a,
            b: -b,
            constant: -constant,
        }
    }
}

impl Amount {
    /// (Share of B, absolute part): one of them is 0.
    const fn parts(self) -> (f64, f64) {
        match self {
            Self::Relative(share) => (share, 0.0),
            Self::Absolute(value) => (0.0, value),
        }
    }

    /// The number, without its kind.
    #[must_use]
    pub const fn number(self) -> f64 {
        match self {
            Self::Relative(number) | Self::Absolute(number) => number,
        }
    }

    /// The same kind of amount with another number.
    #[must_use]
    pub const fn with(self, number: f64) -> Self {
        match self {
            Self::Relative(_) => Self::Relative(number),
            Self::Absolute(_) => Self::Absolute(number),
        }
    }
}

impl Claim {
    /// The forms that are above 0, on average, if the claim holds; all of them must be.
    #[must_use]
    pub fn forms(&self) -> Vec<LinearForm> {
        match self.relation {
            Relation::ReducesByAtLeast(amount) => {
                vec![LinearForm::below(amount.with(-amount.number()))]
            }
            Relation::IncreasesByAtLeast(amount) => vec![LinearForm::above(amount)],
            Relation::Below(value) => vec![LinearForm {
                a: -1.0,
                b: 0.0,
                constant: value,
            }],
            Relation::NoWorse(margin) => vec![match self.metric.better() {
                Better::Higher => LinearForm::above(margin.with(-margin.number())),
                Better::Lower | Better::Neither => LinearForm::below(margin),
            }],
            Relation::About { amount, margin } => vec![
                LinearForm::above(amount.with(amount.number() - margin.number())),
                LinearForm::below(amount.with(amount.number() + margin.number())),
            ],
        }
    }

    /// Whether it compares with a baseline.
    #[must_use]
    pub const fn compares(&self) -> bool {
        !matches!(self.relation, Relation::Below(_))
    }

    /// Whether two strategies that are the same in every replication fulfil it.
    #[must_use]
    pub const fn holds_of_equals(&self) -> bool {
        match self.relation {
            Relation::ReducesByAtLeast(amount) | Relation::IncreasesByAtLeast(amount) => {
                amount.number() <= 0.0
            }
            Relation::Below(_) => false,
            Relation::NoWorse(_) => true,
            Relation::About { amount, margin } => amount.number().abs() <= margin.number(),
        }
    }
}

/// The claim as a sentence without its end: `smart reduces latency_all_mean_s by at least 20 %
/// against random`.
impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            metric,
            strategy,
            baseline,
            ..
        } = self;
        let amount = |amount: Amount| value::amount(*metric, amount, false);
        let at_least = |least: Amount| match self.up_to {
            Some(most) => format!("{} to {}", amount(least), amount(most)),
            None => format!("at least {}", amount(least)),
        };
        match self.relation {
            Relation::ReducesByAtLeast(least) => {
                write!(
                    f,
                    "{strategy} reduces {metric} by {} against {baseline}",
                    at_least(least)
                )
            }
            Relation::IncreasesByAtLeast(least) => write!(
                f,
                "{strategy} increases {metric} by {} against {baseline}",
                at_least(least)
            ),
            Relation::Below(bound) => {
                write!(
                    f,
                    "{metric} of {strategy} is below {}",
                    shown(*metric, bound)
                )
            }
            Relation::NoWorse(margin) if margin.number() == 0.0 => {
                write!(f, "{metric} of {strategy} is no worse than of {baseline}")
            }
            Relation::NoWorse(margin) => write!(
                f,
                "{metric} of {strategy} is no worse than of {baseline} by {}",
                amount(margin)
            ),
            Relation::About { amount: by, margin } => write!(
                f,
                "{metric} of {strategy} differs from {baseline} by {}, give or take {}",
                value::amount(*metric, by, true),
                amount(margin)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(metric: Metric, relation: Relation) -> Claim {
        Claim {
            metric,
            strategy: "smart".into(),
            baseline: "random".into(),
            relation,
            up_to: None,
            alpha: Alpha::FIVE_PERCENT,
            expect: None,
        }
    }

    /// Whether a pair of means, free of noise, fulfils the forms of a claim.
    fn holds(claim: &Claim, a: f64, b: f64) -> bool {
        claim.forms().iter().all(|form| form.at(a, b) > 0.0)
    }

    #[test]
    fn forms_are_what_the_relations_say() {
        use Amount::{Absolute, Relative};
        let latency = |relation| claim(Metric::LatencyMeanAll, relation);
        let rate = |relation| claim(Metric::SuccessRate, relation);
        let reduces = latency(Relation::ReducesByAtLeast(Relative(0.2)));
        assert!(holds(&reduces, 0.79, 1.0) && !holds(&reduces, 0.81, 1.0));
        let increases = rate(Relation::IncreasesByAtLeast(Relative(0.15)));
        assert!(holds(&increases, 0.93, 0.8) && !holds(&increases, 0.91, 0.8));
        let points = rate(Relation::IncreasesByAtLeast(Absolute(0.15)));
        assert!(holds(&points, 0.951, 0.8) && !holds(&points, 0.949, 0.8));
        let fewer = rate(Relation::ReducesByAtLeast(Absolute(0.1)));
        assert!(holds(&fewer, 0.69, 0.8) && !holds(&fewer, 0.71, 0.8));
        let below = latency(Relation::Below(2.5));
        assert!(holds(&below, 2.4, f64::NAN) && !holds(&below, 2.6, f64::NAN));
        // The direction of "worse" is the metric's.
        let slower = latency(Relation::NoWorse(Relative(0.05)));
        assert!(holds(&slower, 1.04, 1.0) && !holds(&slower, 1.06, 1.0));
        let rarer = rate(Relation::NoWorse(Absolute(0.01)));
        assert!(holds(&rarer, 0.795, 0.8) && !holds(&rarer, 0.785, 0.8));
        let about = latency(Relation::About {
            amount: Relative(-0.2),
            margin: Relative(0.02),
        });
        assert!(holds(&about, 0.79, 1.0) && holds(&about, 0.81, 1.0));
        assert!(!holds(&about, 0.83, 1.0) && !holds(&about, 0.77, 1.0));
    }

    #[test]
    fn claims_read_as_sentences() {
        let mut gain = claim(
            Metric::SuccessRate,
            Relation::IncreasesByAtLeast(Amount::Absolute(0.15)),
        );
        let text = "smart increases success_rate by at least 15 points against random";
        assert_eq!(gain.to_string(), text);
        gain.up_to = Some(Amount::Absolute(0.25));
        let text = "smart increases success_rate by 15 points to 25 points against random";
        assert_eq!(gain.to_string(), text);
        let about = Relation::About {
            amount: Amount::Relative(-0.2),
            margin: Amount::Relative(0.02),
        };
        let text = "latency_all_p99_s of smart differs from random by -20 %, give or take 2 %";
        assert_eq!(claim(Metric::LatencyP99All, about).to_string(), text);
        let below = claim(Metric::LatencyP99All, Relation::Below(2.5));
        assert_eq!(
            below.to_string(),
            "latency_all_p99_s of smart is below 2.5 s"
        );
    }

    #[test]
    fn equals_fulfil_what_asks_for_no_difference() {
        let of = |relation| claim(Metric::LatencyMeanAll, relation).holds_of_equals();
        assert!(!of(Relation::ReducesByAtLeast(Amount::Relative(0.2))));
        assert!(of(Relation::NoWorse(Amount::Relative(0.0))));
        let about = |amount| Relation::About {
            amount: Amount::Relative(amount),
            margin: Amount::Relative(0.02),
        };
        assert!(of(about(0.01)) && !of(about(-0.2)));
    }
}
