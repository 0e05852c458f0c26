//! `routelab check`: reads scenarios as the main job would, and says what it would run.

use super::console::{counted, grouped, one_line, print};
use super::exit::Exit;
use super::load::{self, OverrideArgs};
use crate::experiment::scenario::Scenario;
use crate::time::{Duration, Timestamp};
use crate::workload::config::{Arrivals, RateSegment, WorkloadConfig};
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
    let exact = matches!(workload.arrivals, Arrivals::Trace(_));
    format!(
        "{}{} a run, {} in all{}",
        if exact { "" } else { "about " },
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

/// Mean number of arrivals, to the nearest; for a trace, its rows.
pub(super) fn expected_requests(workload: &WorkloadConfig) -> u64 {
    arrivals_before(&workload.arrivals, workload.end)
}

fn arrivals_before(arrivals: &Arrivals, end: Timestamp) -> u64 {
    let whole = end.since(Timestamp::ZERO).as_secs_f64();
    let mean = match arrivals {
        Arrivals::Poisson { rate } | Arrivals::Constant { rate } => rate.as_per_second() * whole,
        Arrivals::Piecewise(segments) => area(segments, end),
        Arrivals::Trace(trace) => return trace.requests(),
    };
    mean.round() as u64
}

/// The area under a rate that follows straight lines.
fn area(segments: &[RateSegment], end: Timestamp) -> f64 {
    let ends = segments.iter().skip(1).map(|next| next.start).chain([end]);
    segments
        .iter()
        .zip(ends)
        .map(|(segment, end)| {
            let length: Duration = end.since(segment.start);
            let mean = f64::midpoint(segment.from.as_per_second(), segment.to.as_per_second());
            mean * length.as_secs_f64()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Rate;

    fn at(secs: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(secs)
    }

    fn rate(per_second: f64) -> Rate {
        Rate::per_second(per_second).unwrap()
    }

    #[test]
    fn a_ramp_counts_as_its_area() {
        let segment = |start, from, to| RateSegment {
            start: at(start),
            from: rate(from),
            to: rate(to),
        };
        // 10 s at 4, a ramp from 4 to 12 over 20 s, 30 s at 1.
        let segments = vec![
            segment(0, 4.0, 4.0),
            segment(10, 4.0, 12.0),
            segment(30, 1.0, 1.0),
        ];
        let expected = arrivals_before(&Arrivals::Piecewise(segments), at(60));
        assert_eq!(expected, 40 + 160 + 30);
    }

    #[test]
    fn a_steady_rate_counts_as_rate_times_time() {
        let arrivals = Arrivals::Poisson { rate: rate(2.5) };
        assert_eq!(arrivals_before(&arrivals, at(100)), 250);
    }
}
