//! The main job: run every strategy of the scenarios, print a table each, write the results.

use super::console::{counted, print, say, stdout_has_colour};
use super::environment::Stopwatch;
use super::exit::Exit;
use super::interrupt;
use super::load::{self, OverrideArgs};
use super::manner::RunningArgs;
use super::progress::Progress;
use crate::experiment::results::ScenarioResults;
use crate::experiment::run::{RunError, RunOptions, run};
use crate::experiment::scenario::Scenario;
use crate::report;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Arguments of the main job.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Scenario files, run one after the other
    #[arg(value_name = "SCENARIO", required = true)]
    pub(super) scenarios: Vec<PathBuf>,
    #[command(flatten)]
    overrides: OverrideArgs,
    #[command(flatten)]
    running: RunningArgs,
    /// Results of a scenario go to DIR/<scenario>/
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
    /// Prints a line of JSON per scenario instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs the scenarios; nothing runs unless all are valid and their results can be written.
///
/// # Errors
/// The exit code, after saying why on stderr.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let mut scenarios = Vec::new();
    load::each(&args.scenarios, &args.overrides, |_, scenario| {
        scenarios.push(scenario);
        Ok(())
    })?;
    refuse_namesakes(&scenarios)?;
    for scenario in &scenarios {
        report::check(&folder(scenario, args)).map_err(cannot_write)?;
    }
    let stop = interrupt::catch();
    let mut broken = 0;
    for (done, scenario) in scenarios.iter().enumerate() {
        match run_one(scenario, args, stop) {
            Ok(here) => broken += here,
            Err(exit) => {
                say_not_run(&scenarios[done + 1..]);
                return Err(exit);
            }
        }
    }
    if broken == 0 {
        return Ok(());
    }
    let demands = counted(broken as u64, "threshold or expectation");
    say(&format!("not met: {demands}"));
    Err(Exit::Unexpected)
}

/// Two scenarios of one name would write to the same folder.
fn refuse_namesakes(scenarios: &[Scenario]) -> Result<(), Exit> {
    let mut names = BTreeSet::new();
    for Scenario { name, .. } in scenarios {
        if !names.insert(name) {
            say(&format!(
                "error: two scenarios are called {name}, and would overwrite each other's \
                 results\n  help: run them apart, with another --out"
            ));
            return Err(Exit::Usage);
        }
    }
    Ok(())
}

/// Runs a scenario; the number of thresholds and expectations that were not met.
fn run_one(scenario: &Scenario, args: &Args, stop: &AtomicBool) -> Result<usize, Exit> {
    let stopwatch = Stopwatch::start();
    let jobs = args.running.jobs();
    let results = simulate(scenario, jobs, args.running.quiet, stop)?;
    let folder = folder(scenario, args);
    report::write(&results, &stopwatch.stop(), &folder).map_err(cannot_write)?;
    show(&results, &folder, args.json)?;
    if results.interrupted || interrupt::pressed() {
        say_kept(&results, &folder);
        return Err(Exit::Interrupted);
    }
    Ok(results.verdicts.broken())
}

/// Where the results of a scenario go.
fn folder(scenario: &Scenario, args: &Args) -> PathBuf {
    args.out.join(&scenario.name)
}

/// Says why results could not be written.
pub(super) fn cannot_write(error: report::WriteError) -> Exit {
    say(&format!("error: {error}"));
    Exit::Failed
}

/// Runs a scenario, showing progress.
///
/// # Errors
/// The exit code, after saying why on stderr.
pub(super) fn simulate(
    scenario: &Scenario,
    jobs: usize,
    quiet: bool,
    stop: &AtomicBool,
) -> Result<ScenarioResults, Exit> {
    let progress = Progress::new(&scenario.name, quiet);
    let options = RunOptions {
        jobs,
        stop,
        progress: &|_, total| progress.step(total),
    };
    let outcome = run(scenario, &options);
    drop(progress);
    outcome.map_err(|error| cannot_run(scenario, &error))
}

/// Says why a run came to nothing.
pub(super) fn cannot_run(scenario: &Scenario, error: &RunError) -> Exit {
    let interrupted = matches!(error, RunError::InterruptedTooEarly);
    let weight = if interrupted { "" } else { "error: " };
    say(&format!("{weight}{}: {error}", scenario.name));
    if interrupted {
        Exit::Interrupted
    } else {
        Exit::Failed
    }
}

/// Prints the results; the path of the files comes last, where `tail -1` finds it.
fn show(results: &ScenarioResults, folder: &Path, as_json: bool) -> Result<(), Exit> {
    if as_json {
        return print(&json_line(report::json(results), folder));
    }
    let table = report::table::render(results, stdout_has_colour());
    print(&format!("{}\n\n{}", table.trim_end(), folder.display()))
}

/// One line of JSON, with the path of the files in it.
fn json_line(mut results: Value, folder: &Path) -> String {
    if let Value::Object(members) = &mut results {
        let folder = folder.display().to_string();
        members.insert("results_dir".to_owned(), Value::String(folder));
    }
    results.to_string()
}

fn say_kept(results: &ScenarioResults, folder: &Path) {
    let kept = results
        .strategies
        .first()
        .map_or(0, |strategy| strategy.replications.len());
    say(&format!(
        "interrupted: {kept} of {} replications were finished and are kept in {}",
        results.description.replications,
        folder.display()
    ));
}

fn say_not_run(scenarios: &[Scenario]) {
    if !scenarios.is_empty() {
        let names: Vec<_> = scenarios.iter().map(|s| s.name.as_str()).collect();
        say(&format!("not run: {}", names.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_one_line_that_holds_the_path() {
        let line = json_line(serde_json::json!({ "a": "b\nc" }), Path::new("results/x"));
        assert_eq!(line.lines().count(), 1);
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["a"], "b\nc");
        assert_eq!(read["results_dir"], "results/x");
    }
}
