//! `routelab gallery`: the results of all scenarios of a folder, small enough to be committed, with
//! a page to browse them by. What is committed under `results/` is made by this command and nothing
//! else.

use super::console::{print, say};
use super::exit::Exit;
use super::interrupt;
use super::list;
use super::load;
use super::manner::RunningArgs;
use super::run::{cannot_write, simulate};
use super::sweep::Plan;
use crate::experiment::scenario::{Overrides, Scenario};
use crate::experiment::sweep::{Grid, SweepResults};
use crate::report::gallery::{self, LeftOut, MOST_WINDOWS, Section};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// Arguments of `gallery`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Folder of scenarios
    #[arg(value_name = "DIR", default_value = list::DEFAULT_DIR)]
    dir: PathBuf,
    /// Results of a scenario go to DIR/<scenario>/, the page to DIR/README.md
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
    #[command(flatten)]
    running: RunningArgs,
}

/// Runs every scenario that needs no outside file, and writes the page.
///
/// # Errors
/// The exit code, after saying why on stderr. No page is written then.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let files = list::scenario_files(&args.dir).map_err(|error| {
        let shown = args.dir.display();
        say(&format!("error: cannot read the folder {shown}: {error}"));
        Exit::Invalid
    })?;
    let (outside, inside): (Vec<_>, Vec<_>) = files
        .into_iter()
        .filter(|file| !is_measured(file))
        .partition(|file| needs_a_trace(file));
    let scenarios = inside.iter().map(|file| Ok((file, scenario(file)?)));
    let scenarios = scenarios.collect::<Result<Vec<_>, Exit>>()?;
    for (file, scenario) in &scenarios {
        if let Some(grid) = grid(scenario)? {
            load::cells(file, &Overrides::default(), &grid, false, |_| String::new())?;
        }
    }
    let stop = interrupt::catch();
    let mut sections = vec![];
    for (file, scenario) in &scenarios {
        sections.push(section(file, scenario, args, stop)?);
    }
    let left_out = outside.iter().map(|file| LeftOut {
        name: stem(file),
        question: list::question(file),
    });
    let page = gallery::readme(&sections, &left_out.collect::<Vec<_>>());
    gallery::write_readme(&page, &args.out).map_err(cannot_write)?;
    print(&args.out.join("README.md").display().to_string())
}

fn table(file: &Path) -> toml::Table {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.parse().unwrap_or_default()
}

/// Whether a scenario asks for a measurement (`routelab throughput`), of which simulation says
/// nothing.
pub(super) fn is_measured(file: &Path) -> bool {
    table(file).contains_key("throughput")
}

/// Whether a scenario replays a trace and does not say where it is: it is for the user to get.
pub(super) fn needs_a_trace(file: &Path) -> bool {
    let table = table(file);
    let workload = table.get("workload").and_then(toml::Value::as_table);
    workload.is_some_and(|workload| {
        let arrivals = workload.get("arrivals").and_then(toml::Value::as_str);
        arrivals == Some("trace") && !workload.contains_key("path")
    })
}

/// Reads a scenario, its timeline in few enough windows.
fn scenario(file: &Path) -> Result<Scenario, Exit> {
    let read = |overrides: &Overrides, warn| load::one(file, overrides, warn).ok_or(Exit::Invalid);
    let plain = read(&Overrides::default(), true)?;
    let window = plain.output.timeline_window;
    let windows = plain.duration.as_nanos().div_ceil(window.as_nanos());
    if windows <= MOST_WINDOWS {
        return Ok(plain);
    }
    // Whole multiples, so that the coarser windows begin where finer ones do.
    let nanos = window.as_nanos() * windows.div_ceil(MOST_WINDOWS);
    let coarser = Overrides {
        set: vec![format!("output.timeline_window={nanos}ns")],
        ..Overrides::default()
    };
    read(&coarser, false)
}

fn section(
    file: &Path,
    scenario: &Scenario,
    args: &Args,
    stop: &'static AtomicBool,
) -> Result<Section, Exit> {
    let jobs = args.running.jobs();
    let results = simulate(scenario, jobs, args.running.quiet, stop)?;
    if results.interrupted {
        return Err(Exit::Interrupted);
    }
    let folder = args.out.join(&scenario.name);
    gallery::write(&results, &folder).map_err(cannot_write)?;
    let charts = scenario.gallery.charts(!scenario.faults.is_empty());
    let mut section = Section::of(&results, charts);
    if let Some(mut swept) = sweep(file, scenario, args, jobs, stop)? {
        swept.own = swept.cell_of(&results);
        section.add_sweep(&swept);
    }
    Ok(section)
}

/// The sweep that a scenario asks for.
fn sweep(
    file: &Path,
    scenario: &Scenario,
    args: &Args,
    jobs: usize,
    stop: &'static AtomicBool,
) -> Result<Option<SweepResults>, Exit> {
    let Some(grid) = grid(scenario)? else {
        return Ok(None);
    };
    let plan = Plan {
        scenario: file,
        overrides: Overrides::default(),
        grid,
        out: &args.out,
        jobs,
        quiet: args.running.quiet,
        warn: false,
    };
    Ok(Some(plan.execute(|| stop)?.0))
}

/// What a scenario wants swept.
fn grid(scenario: &Scenario) -> Result<Option<Grid>, Exit> {
    let axes = scenario.gallery.sweep.clone();
    if axes.is_empty() {
        return Ok(None);
    }
    Grid::new(axes).map(Some).map_err(|error| {
        say(&format!("error: {error}"));
        Exit::Invalid
    })
}

fn stem(file: &Path) -> String {
    file.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
