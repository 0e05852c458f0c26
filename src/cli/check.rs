//! `routelab check`: reads scenarios as the main job would, and says what it would run.

use super::console::{counted, grouped, one_line, print};
use super::exit::Exit;
use super::load::{self, OverrideArgs};
use crate::experiment::scenario::Scenario;
use crate::time::Duration;
use crate::workload::config::{Arrivals, WorkloadConfig};
use crate::workload::trace::{Spread, Spreading};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Arguments of `check`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Scenario files
    #[arg(value_name = "SCENARIO", required = true)]
    scenarios: Vec<PathBuf>,
    #[command(flatten)]
    overrides: OverrideArgs,
}

/// Shows the findings of every scenario, or a summary where there are none.
///
/// # Errors
/// [`Exit::Invalid`] if a scenario is missing or invalid.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    load::each(&args.scenarios, &args.overrides, |path, scenario| {
        print(&summary(path, &scenario))
    })
}

/// What a scenario would run, in one paragraph.
fn summary(path: &Path, scenario: &Scenario) -> String {
    let arms: Vec<_> = scenario.arms.iter().map(|arm| arm.name.as_str()).collect();
    let runs = arms.len() as u64 * u64::from(scenario.replications);
    [
        format!("{}: {}", path.display(), one_line(&scenario.question)),
        format!("  {}", pool(scenario)),
        format!(
            "  {}: {}",
            counted(arms.len() as u64, "strategy"),
            arms.join(", ")
        ),
        format!(
            "  {} each: {} of {}{}",
            counted(u64::from(scenario.replications), "replication"),
            counted(runs, "run"),
            scenario.duration,
            warmup(scenario.warmup)
        ),
        format!("  {}", requests(&scenario.workload, runs)),
        format!("  {}", faults(scenario)),
    ]
    .join("\n")
}

fn pool(scenario: &Scenario) -> String {
    let providers: BTreeSet<_> = scenario
        .accounts
        .iter()
        .map(|a| a.provider.name())
        .collect();
    format!(
        "{} at {}, {}",
        counted(scenario.accounts.len() as u64, "account"),
        counted(providers.len() as u64, "provider"),
        counted(scenario.models.len() as u64, "model")
    )
}

fn warmup(length: Duration) -> String {
    if length == Duration::ZERO {
        return String::new();
    }
    format!(", the first {length} not measured")
}

fn faults(scenario: &Scenario) -> String {
    if scenario.faults.is_empty() {
        return "no faults".to_owned();
    }
    let faults = scenario.faults.iter();
    let each: Vec<_> = faults
        .map(|fault| match fault.windows.first() {
            Some((start, end)) if !fault.by_chance => {
                format!("{} from {start} to {end}", fault.name)
            }
            _ => format!("{}, by chance", fault.name),
        })
        .collect();
    each.join("; ")
}

fn requests(workload: &WorkloadConfig, runs: u64) -> String {
    let expected = expected_requests(workload);
    let how = match &workload.arrivals {
        Arrivals::Trace(_) => "",
        arrivals if arrivals.has_closed_loop() => "at most about ",
        _ => "about ",
    };
    format!(
        "{how}{} a run, {} in all{}",
        counted(expected, "request"),
        grouped(expected.saturating_mul(runs)),
        replay(&workload.arrivals)
    )
}

/// How a trace is replayed, where it is not simply as recorded.
fn replay(arrivals: &Arrivals) -> String {
    let Arrivals::Trace(trace) = arrivals else {
        return String::new();
    };
    let mut text = String::new();
    if trace.repeat() > 1 {
        text += &format!("; {} passes of {}", trace.repeat(), trace.pass());
    }
    if let Some(Spreading {
        how,
        quantum,
        detected,
    }) = trace.spreading()
    {
        let how = match how {
            Spread::Even => "evenly",
            Spread::Random => "at random",
        };
        let found = if detected { " (detected)" } else { "" };
        text += &format!("; rows of one time spread {how} over {quantum}{found}");
    }
    text
}

/// Mean number of arrivals, to the nearest, and of a closed loop no more than that; for a trace,
/// its requests.
pub(super) fn expected_requests(workload: &WorkloadConfig) -> u64 {
    match &workload.arrivals {
        Arrivals::Trace(trace) => trace.requests(),
        arrivals => arrivals
            .expected_before(workload.end)
            .map_or(0, |mean| mean.round() as u64),
    }
}
