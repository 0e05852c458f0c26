//! `summary.csv`: a row per strategy.

use super::{Row, count_cells, count_names, ends, file as csv_file, header};
use crate::experiment::metric::Metric;
use crate::experiment::results::{ScenarioResults, StrategyResults};
use crate::report::directory::File;
use crate::report::number::derived_or_empty;
use crate::report::summary::{metric, totals};

pub(super) fn file(results: &ScenarioResults) -> File {
    let mut names = header(&["strategy", "routing_strategy", "replications"]);
    names.extend(count_names());
    names.extend(Metric::ALL.iter().flat_map(|metric| {
        ["", "_ci95_low", "_ci95_high"].map(|suffix| format!("{metric}{suffix}"))
    }));
    csv_file("summary.csv", names, results.strategies.iter().map(row))
}

fn row(arm: &StrategyResults) -> Row {
    let mut row = vec![
        arm.name.clone(),
        arm.strategy.to_string(),
        arm.replications.len().to_string(),
    ];
    row.extend(count_cells(&totals(arm)));
    for &name in Metric::ALL {
        let estimate = metric(arm, name);
        row.push(derived_or_empty(estimate.map(|e| e.mean)));
        row.extend(ends(estimate.and_then(|e| e.interval)));
    }
    row
}
