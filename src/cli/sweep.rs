//! `routelab sweep`: one scenario at every point of a grid of parameter values.

use super::console::{counted, grouped, print, say};
use super::exit::Exit;
use super::interrupt;
use super::load::{self, OverrideArgs, Prepared};
use super::manner::RunningArgs;
use super::progress::Progress;
use super::run::{cannot_run, cannot_write};
use crate::experiment::run::{RunError, RunOptions, run};
use crate::experiment::scenario::{Overrides, Scenario};
use crate::experiment::sweep::{self, Axis, CellResults, Grid, SweepResults};
use crate::report;
use crate::report::sweep::Store;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Simulated requests in all that are worth a warning: an hour or so on a small machine.
const MANY: u64 = 2_000_000_000;

/// Arguments of `sweep`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Scenario file
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
    /// A parameter and its values, such as `routing.breaker.open_time=10s,30s,60s`; repeatable, for
    /// every combination. The first value of each is what the others are compared with
    #[arg(long, value_name = "PATH=A,B,...", required = true, value_parser = Axis::parse)]
    vary: Vec<Axis>,
    #[command(flatten)]
    overrides: OverrideArgs,
    #[command(flatten)]
    running: RunningArgs,
    /// Results go to DIR/<scenario>-sweep/; finished cells are kept beside it
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
    /// Prints a line of JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Runs every cell that is not there yet, then writes and prints the whole.
///
/// # Errors
/// The exit code, after saying why on stderr.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let grid = Grid::new(args.vary.clone()).map_err(|error| {
        say(&format!("error: {error}"));
        Exit::Usage
    })?;
    let plan = Plan {
        scenario: &args.scenario,
        overrides: args.overrides.overrides(),
        grid,
        out: &args.out,
        jobs: args.running.jobs(),
        quiet: args.running.quiet,
        warn: true,
    };
    let (results, folder) = plan.execute(interrupt::catch)?;
    show(&results, &folder, args.json)?;
    if let Some(reason) = report::sweep::without_charts(&results) {
        say(&reason);
    }
    Ok(())
}

/// Prints the sweep; the path of the files comes last, where `tail -1` finds it.
fn show(results: &SweepResults, folder: &Path, as_json: bool) -> Result<(), Exit> {
    let shown = folder.display().to_string();
    if !as_json {
        let table = report::sweep::render(results);
        return print(&format!("{}\n\n{shown}", table.trim_end()));
    }
    let mut value = report::sweep::json(results);
    value["results_dir"] = Value::String(shown);
    print(&value.to_string())
}

/// What to sweep, and where its results go.
pub(super) struct Plan<'a> {
    /// The scenario's file.
    pub(super) scenario: &'a Path,
    /// What is changed in every cell.
    pub(super) overrides: Overrides,
    /// What is varied.
    pub(super) grid: Grid,
    /// Folder of all results.
    pub(super) out: &'a Path,
    /// Worker threads.
    pub(super) jobs: usize,
    /// Whether to show no progress.
    pub(super) quiet: bool,
    /// Whether to show warnings about the scenario.
    pub(super) warn: bool,
}

impl Plan<'_> {
    /// Reads every cell, runs those that are not there, and writes the results. `catch` is called
    /// once there is something to interrupt. Gives the results and their folder.
    ///
    /// # Errors
    /// The exit code, after saying why on stderr.
    pub(super) fn execute(
        &self,
        catch: impl FnOnce() -> &'static AtomicBool,
    ) -> Result<(SweepResults, PathBuf), Exit> {
        let named = |what: &str| {
            let stem = self
                .scenario
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy();
            self.out.join(format!("{stem}-sweep{what}"))
        };
        let (folder, kept) = (named(""), named(".cells"));
        let store = Store::new(&kept, &program());
        let cells = load::cells(
            self.scenario,
            &self.overrides,
            &self.grid,
            self.warn,
            |scenario| store.key(&scenario.resolved_toml, &scenario.inputs),
        )?;
        report::check(&folder).map_err(cannot_write)?;
        let missing = (0..cells.len()).filter(|&at| store.load(&cells[at].key).is_none());
        let missing: Vec<usize> = missing.collect();
        self.announce(&cells, &missing);
        self.run(&store, &cells, &missing, &kept, catch())?;
        let results = self.collect(&store, &cells)?;
        report::sweep::write(&results, &folder).map_err(cannot_write)?;
        Ok((results, folder))
    }

    /// Says what there is to do, where that is not what was asked for or takes long.
    fn announce(&self, cells: &[Prepared], missing: &[usize]) {
        let requests = missing.iter().map(|&at| cells[at].requests);
        let requests = requests.fold(0_u64, u64::saturating_add);
        if requests > MANY {
            say(&format!(
                "warning: this is a very large sweep: {}, about {} requests; finished cells are \
                 kept, so that it can be stopped and resumed",
                counted(missing.len() as u64, "cell"),
                grouped(requests)
            ));
        }
        let there = cells.len() - missing.len();
        if there > 0 && !self.quiet {
            let all = counted(cells.len() as u64, "cell");
            say(&format!("{there} of {all} are there already"));
        }
    }

    fn run(
        &self,
        store: &Store,
        cells: &[Prepared],
        missing: &[usize],
        kept: &Path,
        stop: &AtomicBool,
    ) -> Result<(), Exit> {
        let runs = |at: &usize| cells[*at].runs;
        let total: u32 = missing.iter().map(runs).fold(0, u32::saturating_add);
        let progress = Progress::new(&format!("{}-sweep", stem(self.scenario)), self.quiet);
        let fewest = missing.iter().map(runs).min().unwrap_or(1);
        let outcome = sweep::each(missing, fewest as usize, self.jobs, |at, jobs| {
            let scenario = self.scenario(at, store, &cells[at])?;
            let options = RunOptions {
                jobs,
                stop,
                progress: &|_, _| progress.step(total),
            };
            let results = match run(&scenario, &options) {
                Ok(results) if results.interrupted => return Err(Exit::Interrupted),
                Err(RunError::InterruptedTooEarly) => return Err(Exit::Interrupted),
                results => results.map_err(|error| cannot_run(&scenario, &error))?,
            };
            let cell = CellResults::of(&results);
            store.save(&cells[at].key, &cell).map_err(cannot_write)
        });
        drop(progress);
        if outcome == Err(Exit::Interrupted) {
            let finished = cells.iter().filter(|cell| store.load(&cell.key).is_some());
            say(&match finished.count() {
                0 => "interrupted before the first cell was finished".to_owned(),
                finished => format!(
                    "interrupted: {finished} of {} are finished and kept in {}; the same command \
                     goes on from there",
                    counted(cells.len() as u64, "cell"),
                    kept.display()
                ),
            });
        }
        outcome
    }

    /// The scenario of a cell, read again: keeping ten thousand of them, some with a trace, would
    /// take more memory than running them.
    fn scenario(&self, at: usize, store: &Store, cell: &Prepared) -> Result<Scenario, Exit> {
        let scenario = load::one(
            self.scenario,
            &self.grid.overrides(at, &self.overrides),
            false,
        );
        let scenario = scenario.ok_or(Exit::Invalid)?;
        if store.key(&scenario.resolved_toml, &scenario.inputs) != cell.key {
            say(&format!(
                "error: {} has been changed while it was swept; run the command again",
                self.scenario.display()
            ));
            return Err(Exit::Failed);
        }
        Ok(scenario)
    }

    /// All cells, as they were kept.
    fn collect(&self, store: &Store, cells: &[Prepared]) -> Result<SweepResults, Exit> {
        let first = self.scenario(0, store, &cells[0])?;
        let kept = cells.iter().map(|cell| {
            store.load(&cell.key).ok_or_else(|| {
                say("error: a finished cell has been removed; run the command again");
                Exit::Failed
            })
        });
        let axes = self.grid.axes().iter();
        Ok(SweepResults {
            own: None,
            cells: kept.collect::<Result<_, _>>()?,
            axes: axes
                .map(|axis| (axis.path.clone(), axis.values.clone()))
                .collect(),
            scenario: first.name,
            question: first.question,
            resolved_toml: first.resolved_toml,
        })
    }
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// The bytes of this program, or its version where they cannot be had.
fn program() -> Vec<u8> {
    let binary = std::env::current_exe().and_then(std::fs::read);
    binary.unwrap_or_else(|_| env!("CARGO_PKG_VERSION").into())
}
