//! Which faults are watched, and what a report is told of them.
//!
//! A fault of the schedule is watched once in every replication. Faults that come by chance come at
//! other times in each, so they are watched one by one and pooled by what they have in common: the
//! row of the report. A row per incident would be a list of times without meaning, for none of them
//! comes twice.

use crate::experiment::results::FaultDescription;
use crate::experiment::scenario::Scenario;
use crate::rng::Streams;
use crate::sim::FaultWatch;
use crate::time::Timestamp;
use crate::upstream::config::{Fault, Generated};

/// Incidents of one row that are watched in a replication: the first so many. Each costs a little
/// at every request while it is under way.
const MOST_WATCHED: u64 = 50;

/// What is watched in a replication, and how often each fault comes in it.
pub(super) fn faults(scenario: &Scenario, replication: u32) -> (Vec<FaultWatch>, Vec<u64>) {
    // Without arrivals nothing is degraded, which must not pass for mitigated.
    let arrivals_stop = Timestamp::ZERO + scenario.duration;
    let mut counts = vec![0; scenario.faults.len()];
    let mut watches = Vec::new();
    let scheduled = scenario.upstream.faults.iter().enumerate();
    for (number, fault) in scheduled.chain(incidents(scenario, replication).iter().map(numbered)) {
        let Some(count) = counts.get_mut(number) else {
            continue;
        };
        *count += 1;
        if *count > MOST_WATCHED {
            continue;
        }
        let about = &scenario.faults[number];
        watches.push(FaultWatch {
            fault: number as u32,
            accounts: fault.accounts.clone(),
            model: fault.model,
            start: shown_start(about, fault),
            end: fault.end.min(arrivals_stop),
            observed: about.observed,
        });
    }
    (watches, counts)
}

/// The faults as a report shows them, with the times of those that come by chance in replication 0.
pub(super) fn described(scenario: &Scenario) -> Vec<FaultDescription> {
    let mut faults = scenario.faults.clone();
    for (number, fault) in &incidents(scenario, 0) {
        if let Some(about) = faults.get_mut(*number) {
            about.windows.push((fault.start, fault.end));
        }
    }
    faults
}

fn numbered((number, fault): &(usize, Fault)) -> (usize, &Fault) {
    (*number, fault)
}

/// The faults by chance of a replication, each with the number of its row, without what only comes
/// after them.
fn incidents(scenario: &Scenario, replication: u32) -> Vec<(usize, Fault)> {
    let streams = Streams::new(scenario.seed, replication);
    let mut next = scenario.upstream.faults.len();
    let mut firsts = Vec::new();
    for entry in &scenario.upstream.incidents {
        firsts.push(next);
        let rows = entry.sources.iter().map(|source| source.row as usize + 1);
        next += rows.max().unwrap_or(0);
    }
    let generated = scenario.upstream.generated(streams).into_iter();
    let number = |generated: &Generated| firsts[generated.entry] + generated.row as usize;
    generated
        .filter(|generated| generated.incident)
        .map(|generated| (number(&generated), generated.fault))
        .collect()
}

/// Where the report lets a fault begin: an account that is added later is absent from the start on,
/// but what happens, happens at the end of that.
fn shown_start(about: &FaultDescription, fault: &Fault) -> Timestamp {
    let shown = about.windows.first().filter(|_| !about.by_chance);
    shown.map_or(fault.start, |(start, _)| *start)
}
