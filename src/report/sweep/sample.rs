//! Reading cells: means, and differences between cells, paired by replication.

use crate::experiment::metric::Metric;
use crate::experiment::sweep::{ArmSample, CellResults, SweepResults};
use crate::stats::mean::Estimate;

/// A metric of every replication.
pub(super) fn sample(arm: &ArmSample, metric: Metric) -> Vec<f64> {
    arm.replications
        .iter()
        .map(|metrics| metrics[metric])
        .collect()
}

/// Its mean; `None` if it does not apply.
pub(super) fn mean(arm: &ArmSample, metric: Metric) -> Option<Estimate> {
    metric.estimate(&sample(arm, metric))
}

/// The arm of that name in a cell.
pub(super) fn arm<'a>(cell: &'a CellResults, name: &str) -> Option<&'a ArmSample> {
    cell.arms.iter().find(|arm| arm.name == name)
}

/// A metric of an arm minus that of the arm of the same name in another cell. The cells share their
/// seed, so that replications are pairs; where they do not (the seed itself is varied), `None`.
pub(super) fn against(
    cell: &CellResults,
    arm: &ArmSample,
    reference: &CellResults,
    metric: Metric,
) -> Option<Estimate> {
    if cell.seed != reference.seed {
        return None;
    }
    let other = self::arm(reference, &arm.name)?;
    metric.difference(&sample(arm, metric), &sample(other, metric))
}

/// Whether an interval leaves out zero: a change that chance does not explain.
pub(super) fn clear(change: Estimate) -> bool {
    change.interval.is_some_and(|i| i.low > 0.0 || i.high < 0.0)
}

/// The values of all parameters in a cell.
pub(super) fn values(results: &SweepResults, cell: usize) -> Vec<&str> {
    let mut rest = cell;
    let mut values: Vec<&str> = vec![];
    for (_, all) in results.axes.iter().rev() {
        values.push(&all[rest % all.len()]);
        rest /= all.len();
    }
    values.reverse();
    values
}

/// Names of the arms of all cells, in the order in which they first appear: cells may differ in
/// them where `strategies` is varied.
pub(super) fn arms(results: &SweepResults) -> Vec<&ArmSample> {
    let mut arms: Vec<&ArmSample> = vec![];
    for arm in results.cells.iter().flat_map(|cell| &cell.arms) {
        if !arms.iter().any(|known| known.name == arm.name) {
            arms.push(arm);
        }
    }
    arms
}
