//! `comparisons.csv`: every strategy against the baseline, metric by metric, paired by replication.
//!
//! `relative_change_interval` says what the interval cells of the relative change mean when they
//! are empty: `unbounded` (the baseline is not clearly different from zero), or `unknown` (a single
//! replication).

use super::{Row, ends, file as csv_file, header};
use crate::experiment::metric::Metric;
use crate::experiment::results::{ScenarioResults, StrategyResults};
use crate::report::directory::File;
use crate::report::number::derived_or_empty;
use crate::report::summary::{baseline, compare, compared, metric};
use crate::stats::ratio::Range;

pub(super) fn file(results: &ScenarioResults) -> File {
    let names = header(&[
        "strategy",
        "baseline",
        "metric",
        "replications",
        "strategy_mean",
        "baseline_mean",
        "difference",
        "difference_ci95_low",
        "difference_ci95_high",
        "relative_change",
        "relative_change_ci95_low",
        "relative_change_ci95_high",
        "relative_change_interval",
    ]);
    let rows = baseline(results).into_iter().flat_map(|base| {
        compared(results).flat_map(move |arm| Metric::ALL.iter().map(move |&m| row(arm, base, m)))
    });
    csv_file("comparisons.csv", names, rows)
}

fn row(arm: &StrategyResults, base: &StrategyResults, name: Metric) -> Row {
    let comparison = compare(arm, base, name);
    let (difference, relative) = (comparison.difference, comparison.relative);
    let mut row = vec![
        arm.name.clone(),
        base.name.clone(),
        name.to_string(),
        arm.replications.len().to_string(),
        derived_or_empty(metric(arm, name).map(|e| e.mean)),
        derived_or_empty(metric(base, name).map(|e| e.mean)),
        derived_or_empty(difference.map(|d| d.mean)),
    ];
    row.extend(ends(difference.and_then(|d| d.interval)));
    row.push(derived_or_empty(relative.map(|r| r.change)));
    row.extend(ends(relative.and_then(|r| r.range.interval())));
    row.push(relative.map_or("", |r| range_name(r.range)).to_owned());
    row
}

/// The word for the kind of a confidence set.
pub(in crate::report) const fn range_name(range: Range) -> &'static str {
    match range {
        Range::Unknown => "unknown",
        Range::Bounded(_) => "bounded",
        Range::Outside(_) | Range::Anything => "unbounded",
    }
}
