//! `faults.csv`: a row per strategy and fault; faults that come by chance have a row for all of
//! them.
//!
//! Of a scheduled fault there is one number per replication. What comes by chance has no times of
//! its own, so `start_s` and `end_s` are empty, and the numbers are those of all incidents watched,
//! each counted for itself. What makes no sense is left empty, and `observed` says so: a price that
//! changes is not detected, nor mitigated.
//!
//! Times are medians over replications with an order-statistic interval. A replication in which the
//! end was not seen (censored) counts as later than all others and is never dropped; `inf` in a
//! cell says that the median, or an end of its interval, is such a one: "not within the time
//! watched". CSV readers know the word as a number.

use super::{Row, ends, file as csv_file, header};
use crate::experiment::results::{
    FaultDescription, FaultImpact, Observable, Observed, ScenarioResults, StrategyResults,
};
use crate::report::directory::File;
use crate::report::number::{derived, derived_or_empty, seconds};
use crate::stats::Bounds;
use crate::stats::mean::estimate;
use crate::stats::order::median;
use crate::time::{Duration, Timestamp};

/// The times, as their columns begin.
pub(in crate::report) const TIMES: [&str; 3] =
    ["time_to_detect", "time_to_mitigate", "time_to_restore"];

pub(super) fn file(results: &ScenarioResults) -> File {
    let mut names = header(&["strategy", "fault", "kind", "start_s", "end_s"]);
    names.extend(header(&[
        "replications",
        "incidents",
        "watched",
        "observed",
    ]));
    names.extend(TIMES.iter().flat_map(|time| time_names(time)));
    names.extend(header(&[
        "success_rate_during",
        "success_rate_during_ci95_low",
        "success_rate_during_ci95_high",
    ]));
    let rows = results.strategies.iter().flat_map(|arm| {
        let faults = results.description.faults.iter().zip(&arm.faults);
        faults.map(move |(fault, impact)| row(arm, fault, impact))
    });
    csv_file("faults.csv", names, rows)
}

fn row(arm: &StrategyResults, fault: &FaultDescription, impact: &FaultImpact) -> Row {
    let since_start = |at: Timestamp| seconds(at.since(Timestamp::ZERO));
    let window = fault.windows.first().filter(|_| !fault.by_chance);
    let mut row = vec![
        arm.name.clone(),
        fault.name.clone(),
        fault.kind.to_owned(),
        window.map_or_else(String::new, |(start, _)| since_start(*start)),
        window.map_or_else(String::new, |(_, end)| since_start(*end)),
        arm.replications.len().to_string(),
        impact.incidents.to_string(),
        impact.watched.to_string(),
        observed(fault.observed).to_owned(),
    ];
    for observed in [&impact.detect, &impact.mitigate, &impact.restore] {
        let sample: Vec<f64> = observed.iter().map(|&o| later_if_censored(o)).collect();
        row.extend(time_cells(&sample));
    }
    let during = estimate(&impact.success_rate_during).map(|e| e.within(Bounds::SHARE));
    row.push(derived_or_empty(during.map(|e| e.mean)));
    row.extend(ends(during.and_then(|e| e.interval)));
    row
}

const fn observed(what: Observable) -> &'static str {
    match what {
        Observable::All => "all",
        Observable::Effects => "effects",
        Observable::SuccessRate => "success_rate",
    }
}

/// Column names of [`time_cells`].
pub(in crate::report) fn time_names(time: &str) -> [String; 4] {
    ["median_s", "ci95_low_s", "ci95_high_s", "censored"].map(|part| format!("{time}_{part}"))
}

/// Median, interval and number of censored ones of a sample in seconds, infinite where censored.
pub(in crate::report) fn time_cells(sample: &[f64]) -> Row {
    if sample.is_empty() {
        return vec![String::new(); 4];
    }
    let censored = sample.iter().filter(|time| time.is_infinite()).count();
    let median = median(sample);
    let interval = median.and_then(|m| m.interval);
    vec![
        median.map_or_else(String::new, |m| time_cell(m.median)),
        interval.map_or_else(String::new, |i| time_cell(i.low)),
        interval.map_or_else(String::new, |i| time_cell(i.high)),
        censored.to_string(),
    ]
}

/// Seconds; infinite for what had not ended while it was watched.
fn later_if_censored(observed: Observed) -> f64 {
    match observed {
        Observed::After(length) => Duration::as_secs_f64(length),
        Observed::NotWithin(_) => f64::INFINITY,
    }
}

fn time_cell(time: f64) -> String {
    if time.is_infinite() {
        "inf".to_owned()
    } else {
        derived(time)
    }
}
