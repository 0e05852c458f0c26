//! `routelab ablate`: is a gain the strategy's, the breaker's, the retries' or the cache's?

use super::console::{print, say};
use super::exit::Exit;
use super::interrupt;
use super::load::{self, OverrideArgs};
use super::manner::RunningArgs;
use super::run::{cannot_write, simulate};
use crate::experiment::ablation::{AblationResults, Plan, PlanError, plan};
use crate::experiment::scenario::{Overrides, Scenario};
use crate::record::Strategy;
use crate::report::{self, ablation};
use serde_json::Value;
use std::path::PathBuf;

/// Arguments of `ablate`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Scenario file
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
    /// The strategy whose gain over plain round robin is divided, or the name of one in the
    /// scenario; of round robin itself, the gain of its breaker, retries and cache
    #[arg(long, value_name = "NAME", default_value = Strategy::Smart.name())]
    strategy: String,
    #[command(flatten)]
    overrides: OverrideArgs,
    /// Results go to DIR/<scenario>-ablation/
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
    #[command(flatten)]
    running: RunningArgs,
    /// Prints a line of JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs every combination of factors, then writes and prints whose gain it is.
///
/// # Errors
/// The exit code, after saying why on stderr.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let base = args.overrides.overrides();
    if base.strategies.is_some() {
        say("error: ablate makes its own strategies\n  help: choose one with --strategy NAME");
        return Err(Exit::Usage);
    }
    let plan = planned(args, &base)?;
    let cells = load::one(&args.scenario, &plan.overrides, false).ok_or(Exit::Invalid)?;
    let folder = args.out.join(format!("{}-ablation", cells.name));
    report::check(&folder).map_err(cannot_write)?;
    let jobs = args.running.jobs();
    let results = simulate(&cells, jobs, args.running.quiet, interrupt::catch())?;
    let results = AblationResults::of(results, &plan.name, plan.factors);
    ablation::write(&results, &folder).map_err(cannot_write)?;
    let shown = folder.display().to_string();
    if args.json {
        let mut value = ablation::json(&results);
        value["results_dir"] = Value::String(shown);
        print(&value.to_string())?;
    } else {
        let table = ablation::render(&results);
        print(&format!("{}\n\n{shown}", table.trim_end()))?;
    }
    if results.interrupted {
        return Err(Exit::Interrupted);
    }
    Ok(())
}

/// What to run. A strategy that the scenario does not list is added to it, with the settings of
/// `[routing]`.
fn planned(args: &Args, base: &Overrides) -> Result<Plan, Exit> {
    let read = |overrides: &Overrides, warn| {
        load::one(&args.scenario, overrides, warn).ok_or(Exit::Invalid)
    };
    let scenario = read(base, true)?;
    let wanted = args.strategy.as_str();
    let outcome = match plan(&scenario, base, wanted) {
        Err(PlanError::Unknown(..)) if Strategy::from_name(wanted).is_some() => {
            let more = with(&scenario, base, wanted);
            plan(&read(&more, false)?, base, wanted)
        }
        outcome => outcome,
    };
    outcome.map_err(|error| {
        say(&format!("error: {error}"));
        Exit::Invalid
    })
}

/// The scenario with one more strategy.
fn with(scenario: &Scenario, base: &Overrides, strategy: &str) -> Overrides {
    let names = scenario.arms.iter().map(|arm| arm.name.clone());
    Overrides {
        strategies: Some(names.chain([strategy.to_owned()]).collect()),
        ..base.clone()
    }
}
