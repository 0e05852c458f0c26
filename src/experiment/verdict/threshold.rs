//! Whether a threshold is met: only if the results show it.
//!
//! The allowance for error is not divided over the thresholds of a file, as it is over claims. What
//! they are for is one statement, "all are met", and that is made only if every one is shown by
//! itself; if one of them is not met in truth, the run passes only if that very one errs, however
//! many others there are (an intersection-union test: R. L. Berger, "Multiparameter hypothesis
//! testing and acceptance sampling", 1982). So a run that must not pass does so with a probability
//! of at most 2.5 %. Dividing would not make it safer, but refuse good runs for having more
//! demands.

use super::{Reason, Series, guards};
use crate::experiment::claim::{ROUNDING, Threshold};
use crate::stats::mean::{Estimate, estimate};

/// A threshold, one strategy that it concerns, and whether it is met.
#[derive(Clone, PartialEq, Debug)]
pub struct Met {
    /// The threshold.
    pub threshold: Threshold,
    /// The strategy.
    pub strategy: String,
    /// Mean and 95 % interval; `None` where the metric does not apply.
    pub value: Option<Estimate>,
    /// Whether it is met.
    pub outcome: Outcome,
}

/// Whether a threshold is met.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// It is: the whole 95 % interval lies on the good side.
    Passed,
    /// It is not: the whole interval lies on the other side.
    Failed,
    /// The interval holds the bound; or a single replication, which has none.
    Unclear,
    /// The number is not to be trusted, or there is none.
    Invalid(Reason),
}

impl Outcome {
    /// The word for it in files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unclear => "unclear",
            Self::Invalid(_) => "invalid",
        }
    }
}

/// Checks a threshold for every strategy that it concerns.
pub(super) fn check(threshold: &Threshold, series: &[Series]) -> Vec<Met> {
    let concerned = |series: &&Series| {
        let named = threshold.strategy.as_deref();
        named.is_none_or(|name| name == series.name)
    };
    let each = series.iter().filter(concerned);
    each.map(|series| one(threshold, series)).collect()
}

fn one(threshold: &Threshold, series: &Series) -> Met {
    let metric = threshold.metric;
    let each = series.replications.iter();
    let numbers: Vec<f64> = each
        .map(|replication| replication.metrics[metric])
        .collect();
    let value = estimate(&numbers);
    let refused = guards::missing(metric, series)
        .or_else(|| guards::too_few(metric, series))
        .or_else(|| guards::meaningless(metric, series));
    let bound = threshold.bound;
    Met {
        threshold: threshold.clone(),
        strategy: series.name.to_owned(),
        value,
        outcome: match (refused, value.and_then(|value| value.interval)) {
            (Some(reason), _) => Outcome::Invalid(reason),
            (None, None) => Outcome::Unclear,
            (None, Some(interval)) => {
                // What differs from the bound by rounding is the bound.
                let at_bound = |value: f64| (value - bound).abs() <= ROUNDING * bound.abs();
                let exact = |value| if at_bound(value) { bound } else { value };
                let good = |value| threshold.comparison.holds(exact(value), bound);
                match (good(interval.low), good(interval.high)) {
                    (true, true) => Outcome::Passed,
                    (false, false) => Outcome::Failed,
                    _ => Outcome::Unclear,
                }
            }
        },
    }
}
