//! The sweep on one screen: a block per metric, a row per strategy (and combination of the other
//! parameters), a column per value of the first parameter.

use super::sample::{self, against, arm, arms, mean, values};
use crate::experiment::metric::Metric;
use crate::experiment::sweep::{CellResults, SweepResults};
use crate::report::table::{aligned, fitted, short};

/// Most columns of values that fit beside the names.
const MOST_COLUMNS: usize = 7;

/// Most rows of a block: what is more is read in `sweep.csv`.
const MOST_ROWS: usize = 24;

/// A heading, its metric, and how a mean is shown.
type Block = (&'static str, Metric, fn(f64) -> String);

/// The metrics shown.
const BLOCKS: [Block; 3] = [
    ("success %", Metric::SuccessRate, |share| {
        format!("{:.2}", share * 100.0)
    }),
    (
        "P99 latency of all requests, s",
        Metric::LatencyP99All,
        short,
    ),
    (
        "cost per 1,000 successes, $",
        Metric::CostPer1kSuccesses,
        short,
    ),
];

/// The sweep as text, each line ended by a newline.
#[must_use]
pub fn render(results: &SweepResults) -> String {
    let mut text = String::new();
    for (title, metric, show) in BLOCKS {
        text += &format!("{title}\n{}\n", block(results, metric, show));
    }
    text + &footer(results)
}

fn block(results: &SweepResults, metric: Metric, show: fn(f64) -> String) -> String {
    let (path, all) = &results.axes[0];
    let beside = all.len().min(MOST_COLUMNS);
    let others: Vec<&str> = results
        .axes
        .iter()
        .skip(1)
        .map(|axis| axis.0.as_str())
        .collect();
    let mut header: Vec<String> = vec!["strategy".to_owned()];
    header.extend(others.iter().map(|path| last_step(path)));
    let first = format!("{} = {}", last_step(path), all[0]);
    header.push(format!("{first} "));
    header.extend(all[1..beside].iter().map(|value| format!("{value} ")));
    let inner = results.cells.len() / all.len();
    let mut rows = vec![];
    for named in arms(results) {
        for rest in 0..inner {
            let mut row = vec![fitted(&named.name)];
            row.extend(
                values(results, rest)[1..]
                    .iter()
                    .map(|&value| value.to_owned()),
            );
            let reference = &results.cells[rest];
            let cells = (0..beside).map(|at| &results.cells[at * inner + rest]);
            row.extend(cells.map(|cell| field(cell, reference, &named.name, metric, show)));
            rows.push(row);
        }
    }
    let left_out = rows.len().saturating_sub(MOST_ROWS);
    rows.truncate(MOST_ROWS);
    let mut text = aligned(&header, rows, 2);
    if left_out > 0 {
        text += &format!("… and {left_out} rows more\n");
    }
    text
}

/// A mean, marked if it differs from the first column by more than chance.
fn field(
    cell: &CellResults,
    reference: &CellResults,
    name: &str,
    metric: Metric,
    show: fn(f64) -> String,
) -> String {
    let Some((arm, level)) = arm(cell, name).and_then(|arm| Some((arm, mean(arm, metric)?))) else {
        return "- ".to_owned();
    };
    let change = against(cell, arm, reference, metric);
    let mark = if change.is_some_and(sample::clear) {
        '*'
    } else {
        ' '
    };
    format!("{}{mark}", show(level.mean))
}

fn last_step(path: &str) -> String {
    path.rsplit('.').next().unwrap_or(path).to_owned()
}

fn footer(results: &SweepResults) -> String {
    let cell = results.cells.first();
    let arm = cell.and_then(|cell| cell.arms.first());
    let replications = arm.map_or(0, |arm| arm.replications.len());
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let cells = results.cells.len();
    let mut text = format!(
        "{}: {cells} cell{}, {replications} replication{} of each strategy in a cell; seed {}.\n\
         * differs from the first column by more than chance (95 % interval, paired by \
         replication).\n",
        results.scenario,
        plural(cells),
        plural(replications),
        cell.map_or(0, |cell| cell.seed),
    );
    let hidden = results.axes[0].1.len().saturating_sub(MOST_COLUMNS);
    if hidden > 0 {
        text += &format!(
            "{hidden} more values of {} are in sweep.csv.\n",
            results.axes[0].0
        );
    }
    text
}
