//! What is kept of a cell: the metrics of every replication, so that intervals and paired
//! differences can be taken later, and what scheduled faults did. Histograms and timelines are not:
//! a cell that deserves a closer look is run by itself, with the same numbers.

use crate::experiment::metric::{Metric, Metrics};
use crate::experiment::results::{FaultImpact, Observed, ScenarioResults, StrategyResults};
use crate::record::Strategy;

/// The results of a whole sweep.
#[derive(Clone, Debug)]
pub struct SweepResults {
    /// File stem of the scenario.
    pub scenario: String,
    /// The question that the scenario asks.
    pub question: String,
    /// The first cell's scenario: TOML with overrides applied.
    pub resolved_toml: String,
    /// Path and values of every parameter, as typed.
    pub axes: Vec<(String, Vec<String>)>,
    /// The cell that is the scenario as it stands, where that is known: see [`Self::cell_of`].
    pub own: Option<usize>,
    /// Every cell, the last axis varying fastest.
    pub cells: Vec<CellResults>,
}

/// The results of one cell.
#[derive(Clone, PartialEq, Debug)]
pub struct CellResults {
    /// Root seed.
    pub seed: u64,
    /// Index into `arms` that the others are compared with.
    pub baseline: usize,
    /// The strategies, in the scenario's order.
    pub arms: Vec<ArmSample>,
}

/// What one strategy came to in a cell.
#[derive(Clone, PartialEq, Debug)]
pub struct ArmSample {
    /// Name of the arm.
    pub name: String,
    /// The strategy it runs.
    pub strategy: Strategy,
    /// Metrics by replication.
    pub replications: Vec<Metrics>,
    /// What each scheduled fault did.
    pub faults: Vec<FaultSample>,
}

/// What one fault did to one strategy, per replication; where it could not be observed, left out.
#[derive(Clone, PartialEq, Debug)]
pub struct FaultSample {
    /// Kind and target of the fault.
    pub name: String,
    /// Time to detect in seconds; infinite where it was not over within the time watched.
    pub detect: Vec<f64>,
    /// Time to mitigate, likewise.
    pub mitigate: Vec<f64>,
    /// Time to restore, likewise.
    pub restore: Vec<f64>,
}

impl SweepResults {
    /// The cell that came to the same as the scenario run by itself: whose values are the
    /// scenario's own. A value that is a default stands in no file, so texts cannot be compared;
    /// equal metrics in every replication are no accident. `None` if no cell or several are like
    /// it, of which nobody could tell which is meant.
    #[must_use]
    pub fn cell_of(&self, results: &ScenarioResults) -> Option<usize> {
        let own = CellResults::of(results);
        let mut alike = (0..self.cells.len()).filter(|&at| self.cells[at].is_like(&own));
        alike.next().filter(|_| alike.next().is_none())
    }
}

impl CellResults {
    /// Whether all strategies have the same metrics. Times of faults are left out: how finely they
    /// are observed depends on the windows of the timeline.
    fn is_like(&self, other: &Self) -> bool {
        let same = |a: &Metrics, b: &Metrics| {
            let mut all = Metric::ALL.iter();
            all.all(|&metric| a[metric].to_bits() == b[metric].to_bits())
        };
        let alike = |(a, b): (&ArmSample, &ArmSample)| {
            let mut replications = a.replications.iter().zip(&b.replications);
            a.name == b.name
                && a.replications.len() == b.replications.len()
                && replications.all(|(a, b)| same(a, b))
        };
        self.seed == other.seed
            && self.arms.len() == other.arms.len()
            && self.arms.iter().zip(&other.arms).all(alike)
    }

    /// What is kept of the results of a scenario.
    #[must_use]
    pub fn of(results: &ScenarioResults) -> Self {
        let faults: Vec<&str> = results
            .description
            .faults
            .iter()
            .map(|fault| fault.name.as_str())
            .collect();
        let arms = results.strategies.iter();
        Self {
            seed: results.description.seed,
            baseline: results.description.baseline,
            arms: arms.map(|arm| ArmSample::of(arm, &faults)).collect(),
        }
    }
}

impl ArmSample {
    fn of(arm: &StrategyResults, faults: &[&str]) -> Self {
        let replications = arm.replications.iter();
        let impacts = faults.iter().zip(&arm.faults);
        Self {
            name: arm.name.clone(),
            strategy: arm.strategy,
            replications: replications.map(|r| r.metrics.clone()).collect(),
            faults: impacts
                .map(|(name, impact)| FaultSample::of(name, impact))
                .collect(),
        }
    }
}

impl FaultSample {
    fn of(name: &str, impact: &FaultImpact) -> Self {
        let seconds = |observed: &[Observed]| {
            let each = observed.iter().map(|observed| match observed {
                Observed::After(length) => length.as_secs_f64(),
                Observed::NotWithin(_) => f64::INFINITY,
            });
            each.collect()
        };
        Self {
            name: name.to_owned(),
            detect: seconds(&impact.detect),
            mitigate: seconds(&impact.mitigate),
            restore: seconds(&impact.restore),
        }
    }
}
