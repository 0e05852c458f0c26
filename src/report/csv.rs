//! The CSV files: tidy (a row is one observation, a column one variable), units in column names,
//! an empty cell where something does not apply.
//!
//! | file | a row per |
//! |---|---|
//! | `summary.csv` | strategy: counts, and mean and 95 % interval of every metric |
//! | `replications.csv` | strategy and replication: counts and every metric |
//! | `comparisons.csv` | strategy and metric: against the baseline, paired |
//! | `timeline.csv` | strategy and window of time |
//! | `timeline_lanes.csv` | strategy, window and lane (account, or group of accounts) |
//! | `accounts.csv` | strategy and account |
//! | `segments.csv` | strategy and segment of the requests |
//! | `faults.csv` | strategy and scheduled fault |
//! | `claims.csv` | claim of the scenario; only where there are any |
//! | `thresholds.csv` | threshold and strategy that it concerns; only where there are any |
//! | `requests.csv` | strategy and request of the first replication; only where it is asked for |
//!
//! Counts in `timeline*.csv`, `accounts.csv` and `segments.csv` are sums over all replications;
//! rates and shares are per replication. Quantiles of few numbers are left blank: a P50 of fewer
//! than 20, a P99 of fewer than 100 (it would be their maximum).

mod accounts;
mod claims;
mod comparisons;
pub(super) mod faults;
mod replications;
mod requests;
mod segments;
mod summary;
mod timeline;

pub(super) use claims::{columns as claim_columns, row as claim_row};
pub(super) use comparisons::range_name;

use super::directory::File;
use super::number::derived_or_empty;
use crate::experiment::results::{Counts, ScenarioResults};
use crate::histogram::Histogram;
use crate::request::FailureKind;
use crate::stats::Interval;

/// Every CSV file of a scenario.
#[must_use]
pub fn files(results: &ScenarioResults) -> Vec<File> {
    let mut files = vec![
        summary::file(results),
        replications::file(results),
        comparisons::file(results),
        timeline::file(results),
        timeline::lanes_file(results),
        accounts::file(results),
        segments::file(results),
        faults::file(results),
    ];
    files.extend(requests::file(results));
    files.extend(claims::files(results));
    files
}

/// One row, or the header.
pub(super) type Row = Vec<String>;

/// Fewest numbers for a P50 in a window or segment.
pub(super) const FEWEST_FOR_P50: u64 = 20;
/// Fewest numbers for a P99.
pub(super) const FEWEST_FOR_P99: u64 = 100;

/// A quantile in seconds; `None` where fewer than `fewest` were counted.
pub(super) fn quantile_s(histogram: &Histogram, share: f64, fewest: u64) -> Option<f64> {
    let enough = histogram.count() >= fewest;
    let length = enough.then(|| histogram.quantile(share)).flatten()?;
    Some(length.as_secs_f64())
}

pub(super) fn file(path: &str, header: Row, rows: impl IntoIterator<Item = Row>) -> File {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in std::iter::once(header).chain(rows) {
        // Fails only for a row of another length than the header, or if the target fails, and a
        // vector does not.
        let written = writer.write_record(&row);
        debug_assert!(written.is_ok(), "{path}: {row:?}");
    }
    File {
        path: path.to_owned(),
        content: writer.into_inner().unwrap_or_default(),
    }
}

pub(super) fn header(names: &[&str]) -> Row {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Both ends of an interval, or two empty cells.
pub(super) fn ends(interval: Option<Interval>) -> [String; 2] {
    [
        derived_or_empty(interval.map(|i| i.low)),
        derived_or_empty(interval.map(|i| i.high)),
    ]
}

/// Column names of [`count_cells`].
fn count_names() -> Vec<String> {
    let fixed = [
        "simulated_requests",
        "requests",
        "successes",
        "failures",
        "rejections",
        "attempts",
        "least_bad_attempts",
        "waited",
        "cache_hits",
        "cache_misses",
        "coalesced",
        "budget_exhausted",
        "input_tokens",
        "output_tokens",
        "cost_usd",
        "wasted_usd",
    ];
    let mut names = header(&fixed);
    names.extend(failure_names());
    names
}

fn count_cells(counts: &Counts) -> Row {
    let before = [
        counts.simulated,
        counts.requests,
        counts.successes,
        counts.failures,
        counts.rejections,
        counts.attempts,
        counts.least_bad_attempts,
        counts.waited,
        counts.cache_hits,
        counts.cache_misses,
        counts.coalesced,
        counts.budget_exhausted,
        counts.input_tokens,
        counts.output_tokens,
    ];
    let mut cells: Row = before.iter().map(u64::to_string).collect();
    cells.push(super::number::dollars(counts.cost));
    cells.push(super::number::dollars(counts.wasted));
    cells.extend(counts.failed_attempts.iter().map(u64::to_string));
    cells
}

/// Column names of failed attempts by kind.
fn failure_names() -> impl Iterator<Item = String> {
    FailureKind::ALL
        .iter()
        .map(|kind| format!("failed_attempts_{kind}"))
}
