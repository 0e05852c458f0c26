//! Finding and reading scenarios: all that are named, before anything runs, so that a typo in the
//! last one does not cost the hour that the first ones take.

use super::check;
use super::console::{counted, say, stderr_has_colour};
use super::exit::Exit;
use super::list;
use crate::experiment::scenario::{Diagnostics, Loaded, Overrides, Scenario, load};
use crate::experiment::sweep::Grid;
use clap::Args;
use std::path::{Path, PathBuf};

/// Options that change what a scenario says.
#[derive(Args, Debug)]
pub(super) struct OverrideArgs {
    /// Sets a value, such as `workload.rate=80rps`; repeatable
    #[arg(long, value_name = "PATH=VALUE", value_parser = assignment)]
    set: Vec<String>,
    /// Root seed of all random numbers [default: the scenario's]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Replications of each strategy [default: the scenario's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..),
          allow_negative_numbers = true)]
    replications: Option<u32>,
    /// Strategies to run, separated by commas [default: the scenario's]
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    strategies: Option<Vec<String>>,
}

impl OverrideArgs {
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            set: self.set.clone(),
            vary: Vec::new(),
            seed: self.seed,
            replications: self.replications,
            strategies: self.strategies.clone(),
        }
    }
}

#[cfg(feature = "live")]
impl OverrideArgs {
    /// What every command takes of them, as arguments.
    pub(super) fn as_arguments(&self) -> Vec<String> {
        let set = self.set.iter().map(|one| format!("--set={one}"));
        set.chain(self.seed.map(|seed| format!("--seed={seed}")))
            .collect()
    }
}

/// Whether a text has the form `path=value`; what it means is for the scenario to judge.
pub(super) fn assignment(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((path, _)) if !path.trim().is_empty() => Ok(text.to_owned()),
        _ => Err("expected PATH=VALUE, such as `workload.rate=80rps`".to_owned()),
    }
}

/// Reads every scenario and shows all findings of all of them on stderr; `valid` is told of each
/// sound one.
///
/// # Errors
/// [`Exit::Invalid`] if one is missing or invalid; what `valid` returns.
pub(super) fn each(
    paths: &[PathBuf],
    overrides: &OverrideArgs,
    mut valid: impl FnMut(&Path, Scenario) -> Result<(), Exit>,
) -> Result<(), Exit> {
    let overrides = overrides.overrides();
    let mut invalid = 0;
    for path in paths {
        if let Some(scenario) = one(path, &overrides, true) {
            valid(path, scenario)?;
        } else {
            invalid += 1;
        }
    }
    if invalid == 0 {
        return Ok(());
    }
    if paths.len() > 1 {
        let all = counted(paths.len() as u64, "scenario");
        say(&format!("{invalid} of {all} cannot be run"));
    }
    Err(Exit::Invalid)
}

/// Reads one scenario; `None` if it cannot be run, after saying why. Warnings are shown if wanted.
pub(super) fn one(path: &Path, overrides: &Overrides, warn: bool) -> Option<Scenario> {
    if path.is_dir() || !path.exists() {
        say(&missing(path));
        return None;
    }
    match load(path, overrides) {
        Ok(Loaded { scenario, warnings }) => {
            if warn {
                show(&warnings);
            }
            Some(scenario)
        }
        Err(findings) => {
            show(&findings);
            None
        }
    }
}

/// What is known of a cell of a sweep before it runs.
pub(super) struct Prepared {
    /// What it is kept under.
    pub(super) key: String,
    /// Runs of a strategy.
    pub(super) runs: u32,
    /// Requests over all runs, about.
    pub(super) requests: u64,
}

/// Reads every cell of a sweep, and shows the findings of all of them on stderr, each once;
/// mere warnings if wanted.
///
/// # Errors
/// [`Exit::Invalid`] if the scenario is missing, or a cell of it invalid.
pub(super) fn cells(
    path: &Path,
    overrides: &Overrides,
    grid: &Grid,
    warn: bool,
    key: impl Fn(&Scenario) -> String,
) -> Result<Vec<Prepared>, Exit> {
    if path.is_dir() || !path.exists() {
        say(&missing(path));
        return Err(Exit::Invalid);
    }
    let (mut findings, mut invalid) = (Diagnostics::default(), 0);
    let mut cells = Vec::new();
    for cell in 0..grid.cells() {
        match load(path, &grid.overrides(cell, overrides)) {
            Ok(Loaded { scenario, warnings }) => {
                findings.absorb(warnings);
                let runs = scenario.arms.len() as u32 * scenario.replications;
                let requests = check::expected_requests(&scenario.workload);
                cells.push(Prepared {
                    key: key(&scenario),
                    runs,
                    requests: requests.saturating_mul(u64::from(runs)),
                });
            }
            Err(errors) => {
                findings.absorb(errors);
                invalid += 1;
            }
        }
    }
    if warn || invalid > 0 {
        show(&findings);
    }
    if invalid == 0 {
        return Ok(cells);
    }
    if invalid < grid.cells() {
        let all = counted(grid.cells() as u64, "cell");
        say(&format!("{invalid} of {all} cannot be run, so none is"));
    }
    Err(Exit::Invalid)
}

fn show(findings: &Diagnostics) {
    if !findings.is_empty() {
        say(findings.render(stderr_has_colour()).trim_end());
    }
}

/// What only a build with the feature `live` has.
const LIVE_COMMANDS: [&str; 5] = ["emulate", "live", "load", "serve", "throughput"];

/// What to say of a path that is a folder, or nothing. A pipe is as good as a file.
fn missing(path: &Path) -> String {
    let shown = path.display();
    if path.is_dir() {
        return format!(
            "error: {shown} is a folder, not a scenario\n  help: `routelab list {shown}` shows the \
             scenarios in it"
        );
    }
    let shipped = list::scenario_files(Path::new(list::DEFAULT_DIR)).unwrap_or_default();
    let wanted = path.file_stem().unwrap_or_default().to_string_lossy();
    if !cfg!(feature = "live") && LIVE_COMMANDS.contains(&&*wanted) {
        return format!(
            "error: no such file: {shown}\n  help: the command `{wanted}` needs the feature \
             `live`: `cargo run --release --features live -- {wanted}`"
        );
    }
    let help = match nearest(&wanted, &shipped) {
        Some(Near::Scenario(file)) => format!("did you mean `{}`?", file.display()),
        Some(Near::Command(name)) => format!("did you mean `routelab {name}`?"),
        None => "`routelab list` shows the scenarios that come with routelab".to_owned(),
    };
    format!("error: no such file: {shown}\n  help: {help}")
}

/// What somebody may have meant.
#[derive(PartialEq, Debug)]
enum Near<'a> {
    /// This scenario.
    Scenario(&'a Path),
    /// This subcommand.
    Command(String),
}

/// The shipped scenario or subcommand that is spelt most like `wanted`.
fn nearest<'a>(wanted: &str, shipped: &'a [PathBuf]) -> Option<Near<'a>> {
    /// Of 1: lets one or two slips in a word pass, but not another word.
    const ALIKE: f64 = 0.7;
    let scenarios = shipped.iter().map(|file| {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        (likeness(wanted, &stem), Near::Scenario(file))
    });
    let commands = super::command_names().into_iter();
    let commands = commands.map(|name| (likeness(wanted, &name), Near::Command(name)));
    scenarios
        .chain(commands)
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, near)| near)
}

fn likeness(a: &str, b: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&a.to_lowercase(), b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_what_was_meant() {
        let shipped = ["scenarios/steady.toml", "scenarios/outage.toml"].map(PathBuf::from);
        for (wanted, meant) in [
            ("outage", Some(Near::Scenario(&shipped[1]))),
            ("Outgae", Some(Near::Scenario(&shipped[1]))),
            ("staedy", Some(Near::Scenario(&shipped[0]))),
            ("chekc", Some(Near::Command("check".to_owned()))),
            ("lsit", Some(Near::Command("list".to_owned()))),
            ("blackhole", None),
            ("", None),
        ] {
            assert_eq!(nearest(wanted, &shipped), meant, "{wanted}");
        }
    }

    #[test]
    fn an_assignment_has_a_path() {
        assert!(assignment("a.b=c=d").is_ok());
        assert!(assignment("a.b=").is_ok());
        for bad in ["a.b", "=c", " =c", ""] {
            assert!(assignment(bad).is_err(), "{bad}");
        }
    }
}
