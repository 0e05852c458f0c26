//! `replications.csv`: a row per strategy and replication. With the seed, everything needed to look
//! at one of them again, or to compute other statistics.

use super::{Row, count_cells, count_names, file as csv_file, header};
use crate::experiment::metric::Metric;
use crate::experiment::results::ScenarioResults;
use crate::report::directory::File;
use crate::report::number::derived;

pub(super) fn file(results: &ScenarioResults) -> File {
    let mut names = header(&["strategy", "replication", "seed"]);
    names.extend(count_names());
    names.extend(Metric::ALL.iter().map(ToString::to_string));
    csv_file("replications.csv", names, rows(results))
}

fn rows(results: &ScenarioResults) -> impl Iterator<Item = Row> {
    let seed = results.description.seed;
    results.strategies.iter().flat_map(move |arm| {
        let numbered = arm.replications.iter().enumerate();
        numbered.map(move |(at, replication)| {
            let mut row = vec![arm.name.clone(), at.to_string(), seed.to_string()];
            row.extend(count_cells(&replication.counts));
            let values = Metric::ALL.iter().map(|&m| replication.metrics[m]);
            row.extend(values.map(derived));
            row
        })
    })
}
