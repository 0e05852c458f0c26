//! `ablation.csv` and `cells.csv`.

use super::words::MEASURES;
use crate::experiment::ablation::{AblationResults, Gain};
use crate::experiment::metric::Metric;
use crate::report::csv::{Row, ends, file as csv_file, header, range_name};
use crate::report::directory::File;
use crate::report::number::{derived, derived_or_empty};
use crate::stats::mean::Estimate;

pub(super) fn gains(results: &AblationResults) -> File {
    let names = header(&[
        "metric",
        "factor",
        "replications",
        "bare",
        "full",
        "gain",
        "gain_ci95_low",
        "gain_ci95_high",
        "gain_share",
        "gain_share_ci95_low",
        "gain_share_ci95_high",
        "gain_share_interval",
        "gain_first",
        "gain_first_ci95_low",
        "gain_first_ci95_high",
        "gain_last",
        "gain_last_ci95_low",
        "gain_last_ci95_high",
    ]);
    let rows = MEASURES.iter().flat_map(|measure| {
        let gains = results.gains(measure.metric).into_iter();
        gains.map(move |gain| row(results, measure.metric, &gain))
    });
    csv_file("ablation.csv", names, rows)
}

fn row(results: &AblationResults, metric: Metric, gain: &Gain) -> Row {
    let factor = gain.factor.map_or("all", |factor| factor.name());
    let mut row = vec![
        metric.to_string(),
        factor.to_owned(),
        results.replications().to_string(),
    ];
    let levels = results.ends(metric).into_iter();
    row.extend(levels.map(|level| derived_or_empty(level.map(|e| e.mean))));
    row.extend(estimate(gain.gain));
    let interval = gain.share.and_then(|share| share.range.interval());
    row.push(derived_or_empty(gain.share.map(|share| share.change + 1.0)));
    row.extend(ends(interval.map(|i| i.map(|less_one| less_one + 1.0))));
    row.push(
        gain.share
            .map_or("", |share| range_name(share.range))
            .to_owned(),
    );
    row.extend(estimate(gain.first));
    row.extend(estimate(gain.last));
    row
}

fn estimate(estimate: Option<Estimate>) -> Row {
    let mut cells = vec![derived_or_empty(estimate.map(|e| e.mean))];
    cells.extend(ends(estimate.and_then(|e| e.interval)));
    cells
}

pub(super) fn cells(results: &AblationResults) -> File {
    let mut names = header(&["cell"]);
    names.extend(
        results
            .factors
            .iter()
            .map(|factor| format!("with_{factor}")),
    );
    names.push("replication".to_owned());
    names.extend(Metric::ALL.iter().map(ToString::to_string));
    let cells = results.cells.iter().zip(&results.samples).enumerate();
    let rows = cells.flat_map(|(cell, (name, sample))| {
        sample.iter().enumerate().map(move |(at, metrics)| {
            let mut row = vec![name.clone()];
            let bits = 0..results.factors.len();
            row.extend(bits.map(|bit| (cell >> bit & 1 == 1).to_string()));
            row.push(at.to_string());
            row.extend(Metric::ALL.iter().map(|&metric| derived(metrics[metric])));
            row
        })
    });
    csv_file("cells.csv", names, rows)
}
