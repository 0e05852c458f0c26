//! `routelab warmup`: how much of the start of a run is to be left out, found before the run.

use super::console::{print, say};
use super::exit::Exit;
use super::interrupt;
use super::load;
use super::manner::RunningArgs;
use super::progress::Progress;
use super::run::cannot_run;
use crate::experiment::scenario::{Overrides, Scenario};
use crate::experiment::warmup::{self, Options, PILOTS, Pilot, Refusal};
use crate::report::warmup as report;
use std::path::PathBuf;

/// Arguments of `warmup`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Scenario file
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
    /// Pilots of each strategy, 1 to 1000; fewer are quicker, and overlook what chance hides
    #[arg(long, value_name = "N", default_value_t = PILOTS,
          value_parser = clap::value_parser!(u32).range(1..=1000),
          allow_negative_numbers = true)]
    replications: u32,
    /// Sets a value, such as `duration=20min`; repeatable
    #[arg(long, value_name = "PATH=VALUE", value_parser = load::assignment)]
    set: Vec<String>,
    /// Root seed of the pilots, not the scenario's [default: made from the scenario's]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
    #[command(flatten)]
    running: RunningArgs,
    /// Prints a line of JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs pilots of every strategy and prints the warm-up that they ask for. Nothing is written: the
/// scenario is its author's.
///
/// # Errors
/// The exit code, after saying why on stderr.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let overrides = Overrides {
        set: args.set.clone(),
        ..Overrides::default()
    };
    let scenario = load::one(&args.scenario, &overrides, true).ok_or(Exit::Invalid)?;
    let pilot = prepared(scenario, args.seed)?;
    let scenario = pilot.scenario();
    let progress = Progress::new(&scenario.name, args.running.quiet);
    let options = Options {
        pilots: args.replications,
        jobs: args.running.jobs(),
        stop: interrupt::catch(),
        progress: &|total| progress.step(total),
    };
    let outcome = warmup::find(&pilot, &options);
    drop(progress);
    let found = outcome.map_err(|error| cannot_run(scenario, &error))?;
    if args.json {
        print(&report::json(&found).to_string())
    } else {
        print(report::render(&found).trim_end())
    }
}

/// The pilot of a scenario.
fn prepared(scenario: Scenario, seed: Option<u64>) -> Result<Pilot, Exit> {
    let name = scenario.name.clone();
    Pilot::of(scenario, seed).map_err(|refusal| {
        let (help, exit) = match refusal {
            Refusal::SameSeed(_) => ("leave --seed out, or name another one", Exit::Usage),
            Refusal::Faults => (
                "its run ends as its story does (terminating): its start is a part of it, and the \
                 whole is replicated; for the pool in calm weather, --set faults=[]",
                Exit::Invalid,
            ),
            Refusal::Rate | Refusal::Recording => (
                "its run ends as its story does (terminating): its start is a part of it, and the \
                 whole is replicated",
                Exit::Invalid,
            ),
        };
        say(&format!("error: {name}: {refusal}\n  help: {help}"));
        exit
    })
}
