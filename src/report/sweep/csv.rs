//! `sweep.csv` and `faults.csv`: long tables, a row per observation.
//!
//! `sweep.csv` has a row per cell, strategy *and metric*, not a column per metric as `summary.csv`
//! has: each number comes with its interval and its difference from the reference cell, which would
//! be 250 columns; cells may differ in their strategies without leaving holes; and plotting
//! libraries facet by a column, not by a set of columns.
//!
//! The reference of differences is the first cell: the first value of every parameter.

use super::sample::{against, mean, values};
use crate::experiment::metric::Metric;
use crate::experiment::sweep::{ArmSample, CellResults, FaultSample, SweepResults};
use crate::report::csv::faults::{TIMES, time_cells, time_names};
use crate::report::csv::{Row, ends, file as csv_file, header};
use crate::report::directory::File;
use crate::report::number::derived_or_empty;

pub(super) fn files(results: &SweepResults) -> [File; 2] {
    [sweep(results), faults(results)]
}

/// `cell`, the parameters by their paths, and `strategy`.
fn names(results: &SweepResults, more: &[&str]) -> Row {
    let paths = results.axes.iter().map(|(path, _)| path.clone());
    let before = std::iter::once("cell".to_owned()).chain(paths);
    before.chain(header(more)).collect()
}

fn place(results: &SweepResults, cell: usize, arm: &ArmSample) -> Row {
    let mut row = vec![cell.to_string()];
    row.extend(values(results, cell).into_iter().map(str::to_owned));
    row.push(arm.name.clone());
    row
}

fn sweep(results: &SweepResults) -> File {
    let names = names(
        results,
        &[
            "strategy",
            "metric",
            "replications",
            "mean",
            "mean_ci95_low",
            "mean_ci95_high",
            "difference",
            "difference_ci95_low",
            "difference_ci95_high",
        ],
    );
    let rows = arms(results).flat_map(|(at, cell, arm)| {
        Metric::ALL.iter().map(move |&metric| {
            let mut row = place(results, at, arm);
            let reference = results.cells.first();
            let difference = reference.and_then(|first| against(cell, arm, first, metric));
            row.push(metric.to_string());
            row.push(arm.replications.len().to_string());
            for estimate in [mean(arm, metric), difference] {
                row.push(derived_or_empty(estimate.map(|e| e.mean)));
                row.extend(ends(estimate.and_then(|e| e.interval)));
            }
            row
        })
    });
    csv_file("sweep.csv", names, rows)
}

fn faults(results: &SweepResults) -> File {
    let mut names = names(results, &["strategy", "fault"]);
    names.extend(TIMES.iter().flat_map(|time| time_names(time)));
    let rows = arms(results).flat_map(|(at, _, arm)| {
        arm.faults.iter().map(move |fault| {
            let mut row = place(results, at, arm);
            row.push(fault.name.clone());
            let FaultSample {
                detect,
                mitigate,
                restore,
                ..
            } = fault;
            row.extend(
                [detect, mitigate, restore]
                    .into_iter()
                    .flat_map(|sample| time_cells(sample)),
            );
            row
        })
    });
    csv_file("faults.csv", names, rows)
}

fn arms(results: &SweepResults) -> impl Iterator<Item = (usize, &CellResults, &ArmSample)> {
    let cells = results.cells.iter().enumerate();
    cells.flat_map(|(at, cell)| cell.arms.iter().map(move |arm| (at, cell, arm)))
}
