//! What a cell changes against the first one, for texts.

use super::charts::Measure;
use super::sample;
use crate::experiment::sweep::SweepResults;

/// How one measure changes from the first cell to another.
pub struct Change {
    /// The measure, with its unit.
    pub label: String,
    /// Strategies to which it applies in both cells.
    pub strategies: usize,
    /// Strategies that change by more than chance, and by how much.
    pub clear: Vec<(String, f64)>,
}

/// The changes of all charted measures from the first cell to `cell`.
#[must_use]
pub fn changes(results: &SweepResults, cell: usize) -> Vec<Change> {
    let (first, cell) = (&results.cells[0], &results.cells[cell]);
    let measures = Measure::all(results).into_iter().map(|measure| {
        let known: Vec<_> = sample::arms(results)
            .into_iter()
            .filter_map(|named| {
                let arm = sample::arm(cell, &named.name)?;
                Some((named.name.clone(), measure.change(cell, arm, first)?))
            })
            .collect();
        Change {
            label: measure.label.to_owned(),
            strategies: known.len(),
            clear: known
                .into_iter()
                .filter(|(_, change)| sample::clear(*change))
                .map(|(name, change)| (name, change.mean))
                .collect(),
        }
    });
    measures.collect()
}

/// Names of the two charts that say most: success and, where there are faults, time to restore,
/// else P99. Fewer where they are not drawn.
#[must_use]
pub fn two_charts(results: &SweepResults) -> Vec<String> {
    if super::without_charts(results).is_some() || results.axes.len() > 2 {
        return vec![];
    }
    let names: Vec<String> = Measure::all(results).into_iter().map(|m| m.name).collect();
    let wanted = ["success_rate", "time_to_restore_1", "latency_all_p99_s"];
    let drawn = wanted
        .iter()
        .filter(|&&name| names.iter().any(|known| known == name));
    drawn.take(2).map(|&name| name.to_owned()).collect()
}
