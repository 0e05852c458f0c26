//! Two results of one scenario, before and after a change: what has changed by more than chance,
//! and is any of it a regression?
//!
//! Where both were run with the same seed, replications are pairs: routelab derives arrivals,
//! requests, demands and faults from the seed alone, whatever the routing code does with them. Then
//! differences are taken replication by replication. That holds even where the two scenarios
//! differ (if that was allowed): a paired test needs independent pairs, not alike ones, while
//! Welch's needs independent samples, which runs of one seed are not. With different seeds it is
//! Welch's.
//!
//! What is judged are the [`Rule`]s, for every strategy and scenario. Many judgements make false
//! alarms, so each gets its share of 5 % (Bonferroni): a comparison of two versions between which
//! nothing has become worse raises an alarm in at most one of twenty cases, however many strategies
//! and scenarios it looks at. Numbers that are the same in every replication take no share: where
//! there is no difference, there is no false alarm either.

mod judge;
mod outcome;
mod rule;
mod versions;

pub use judge::{Comparison, Finding, ScenarioComparison, StrategyComparison, Verdict, compare};
pub use outcome::Outcome;
pub use rule::{Margin, Rule, RuleError, is_share};
pub use versions::{KeyDifference, Part, versions};

use super::metric::{Metric, Metrics};
use crate::stats::mean::{Estimate, estimate};
use crate::stats::ratio::{self, RelativeChange};
use crate::stats::welch::{self, Difference};

/// What is known of one run of a scenario: its metrics, replication by replication.
#[derive(Clone, PartialEq, Debug)]
pub struct RunSample {
    /// Name of the scenario.
    pub scenario: String,
    /// Root seed.
    pub seed: u64,
    /// Version of routelab that wrote it.
    pub version: String,
    /// The scenario as run, as TOML.
    pub resolved_toml: String,
    /// SHA-256 of every input file.
    pub inputs: Vec<String>,
    /// Replications asked for; fewer are there if it was interrupted.
    pub asked: u64,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// Its strategies, in the scenario's order; all have the same number of replications.
    pub strategies: Vec<StrategySample>,
}

/// The metrics of one strategy.
#[derive(Clone, PartialEq, Debug)]
pub struct StrategySample {
    /// Its name in the scenario.
    pub name: String,
    /// By replication, at six significant digits, as result files have them.
    pub replications: Vec<Metrics>,
}

impl StrategySample {
    /// A metric of the first replications.
    #[must_use]
    pub fn values(&self, metric: Metric, replications: usize) -> Vec<f64> {
        let first = self.replications.iter().take(replications);
        first.map(|metrics| metrics[metric]).collect()
    }
}

/// One metric, before and after.
#[derive(Clone, PartialEq, Debug)]
pub struct Change {
    /// Before; `None` if the metric does not apply.
    pub old: Option<Estimate>,
    /// After.
    pub new: Option<Estimate>,
    /// After minus before; `None` if the metric does not apply to both.
    pub difference: Option<Difference>,
    /// After / before - 1; `None` also if it was 0 before.
    pub relative: Option<RelativeChange>,
}

impl Change {
    /// The change between two samples of a metric.
    #[must_use]
    pub fn of(old: &[f64], new: &[f64], paired: bool) -> Self {
        let (difference, relative) = if paired {
            (
                Difference::paired(new, old),
                ratio::relative_change(new, old),
            )
        } else {
            (
                Difference::welch(new, old),
                welch::relative_change(new, old),
            )
        };
        Self {
            old: estimate(old),
            new: estimate(new),
            difference,
            relative,
        }
    }
}
