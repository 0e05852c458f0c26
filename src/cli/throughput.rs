//! `routelab throughput`: what the gateway adds to a request, and how many it takes in a second.
//!
//! Emulated providers, gateway and load generator are the programs that users run (`emulate`,
//! `serve`, `load`), each a process of its own: so the gateway's processor time is its own, and it
//! is measured with all that it does, its log included. Rounds to the provider and through the
//! gateway alternate, so that a machine that is busy for a while is busy on both ways.

mod gateway;
mod programs;

use super::console::{print, say};
use super::environment::Stopwatch;
use super::exit::Exit;
use super::interrupt;
use super::load::{self, OverrideArgs};
use super::progress::Progress;
use super::run::cannot_write;
use crate::experiment::scenario::Scenario;
use crate::experiment::throughput::{RateCell, RateVerdict, Throughput, ThroughputConfig, Way};
use crate::report::{self, throughput};
use programs::Programs;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// Arguments of `throughput`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Scenario file with a section [throughput]; its first strategy routes
    #[arg(
        value_name = "SCENARIO",
        default_value = "scenarios/live-throughput.toml"
    )]
    scenario: PathBuf,
    #[command(flatten)]
    overrides: OverrideArgs,
    /// Finds no highest rate: measures only the rates of the scenario
    #[arg(long)]
    no_search: bool,
    /// Results go to DIR/<scenario>/live/
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
    /// Shows no progress
    #[arg(long, short)]
    quiet: bool,
    /// Prints a line of JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Measures all rates, then writes and prints the verdict.
///
/// # Errors
/// The exit code, after saying why on stderr. A refuted claim is [`Exit::Unexpected`].
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let scenario = load::one(&args.scenario, &args.overrides.overrides(), true);
    let scenario = scenario.ok_or(Exit::Invalid)?;
    let Some(config) = scenario.throughput.clone() else {
        say(&format!(
            "error: {} has no section [throughput]\n  help: such as `[throughput]`, `claimed = \
             \"1000rps\"`, `rates = [\"200rps\", \"1000rps\"]`",
            args.scenario.display()
        ));
        return Err(Exit::Invalid);
    };
    let folder = args.out.join(&scenario.name).join(throughput::FOLDER);
    report::check(&folder).map_err(cannot_write)?;
    if cfg!(debug_assertions) {
        say("note: this is a debug build; figures that count come from `cargo run --release`");
    }
    let stopwatch = Stopwatch::start();
    let results = measured(args, &scenario, config)?;
    throughput::write(&results, &stopwatch.stop(), &folder).map_err(cannot_write)?;
    let shown = folder.display().to_string();
    if args.json {
        let mut value = throughput::json(&results);
        value["results_dir"] = Value::String(shown);
        print(&value.to_string())?;
    } else {
        let text = throughput::render(&results);
        print(&format!("{}\n\n{shown}", text.trim_end()))?;
    }
    match results.verdict() {
        RateVerdict::Refuted => Err(Exit::Unexpected),
        RateVerdict::Confirmed | RateVerdict::Undecided => Ok(()),
    }
}

fn measured(
    args: &Args,
    scenario: &Scenario,
    config: ThroughputConfig,
) -> Result<Throughput, Exit> {
    let stop = interrupt::catch();
    let programs = Programs::start(args, scenario)?;
    let mut rates = config.rates_rps.clone();
    if !rates.contains(&config.claimed_rps) {
        rates.push(config.claimed_rps);
        rates.sort_by(f64::total_cmp);
    }
    let mut cells: Vec<RateCell> = rates.into_iter().map(RateCell::new).collect();
    let progress = Progress::new(&scenario.name, args.quiet);
    let total = config.rounds * cells.len() as u32 * 2;
    // Nobody's first connections and first pages of memory are in a figure.
    programs.round(Way::Gateway, config.claimed_rps, config.round)?;
    for nth in 0..config.rounds {
        for cell in &mut cells {
            for way in in_turn(nth) {
                go_on(stop)?;
                let round = programs.round(way, cell.rps, config.round)?;
                match way {
                    Way::Direct => cell.direct.push(round),
                    Way::Gateway => cell.gateway.push(round),
                }
                progress.step(total);
            }
        }
    }
    drop(progress);
    let mut highest = vec![];
    if !args.no_search {
        for way in [Way::Gateway, Way::Direct] {
            let clean = |rps: f64| {
                for _ in 0..2 {
                    go_on(stop)?;
                    let round = programs.round(way, rps, config.round)?;
                    if !round.is_clean(scenario.latency_objective) {
                        return Ok(false);
                    }
                }
                Ok(true)
            };
            let (clean, above) = search(config.claimed_rps, clean)?;
            highest.push((way, clean, above));
        }
    }
    programs.stop();
    Ok(Throughput {
        scenario: scenario.name.clone(),
        question: scenario.question.clone(),
        objective: scenario.latency_objective,
        strategy: scenario.arms[0].name.clone(),
        config,
        cells,
        highest,
    })
}

/// Which way comes first changes from round to round.
const fn in_turn(nth: u32) -> [Way; 2] {
    if nth.is_multiple_of(2) {
        [Way::Direct, Way::Gateway]
    } else {
        [Way::Gateway, Way::Direct]
    }
}

fn go_on(stop: &AtomicBool) -> Result<(), Exit> {
    if stop.load(Ordering::Relaxed) {
        say("interrupted: nothing is written, for a part of the rounds says little");
        return Err(Exit::Interrupted);
    }
    Ok(())
}

/// Rates above this are not tried.
const MOST_RPS: f64 = 100_000.0;

/// Halvings of the distance between what is clean and what is not, on a scale of ratios.
const HALVINGS: u32 = 4;

/// The highest rate that is clean, and the lowest above it that is not: doubled from a first until
/// it fails, then halved.
fn search(
    first: f64,
    clean: impl Fn(f64) -> Result<bool, Exit>,
) -> Result<(f64, Option<f64>), Exit> {
    let (mut low, mut high, mut rps) = (0.0, None, first);
    while rps <= MOST_RPS {
        if clean(rps)? {
            low = rps;
            rps *= 2.0;
        } else {
            high = Some(rps);
            break;
        }
    }
    let Some(mut above) = high.filter(|_| low > 0.0) else {
        return Ok((low, high));
    };
    for _ in 0..HALVINGS {
        let middle = libm::round(libm::sqrt(low * above) / 50.0) * 50.0;
        if middle <= low || middle >= above {
            break;
        }
        if clean(middle)? {
            low = middle;
        } else {
            above = middle;
        }
    }
    Ok((low, Some(above)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_clean_rate_is_enclosed() {
        for limit in [900.0, 1_000.0, 1_700.0, 7_300.0] {
            let (low, above) = search(1_000.0, |rps| Ok(rps <= limit)).unwrap();
            let above = above.unwrap();
            assert!(low <= limit && limit < above, "{low} {limit} {above}");
            // Four halvings of a factor of 2.
            assert!(low == 0.0 || above / low < 1.1, "{low} {above}");
        }
        assert_eq!(search(1_000.0, |_| Ok(true)), Ok((64_000.0, None)));
    }
}
