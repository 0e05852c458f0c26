//! `routelab live`: a scenario simulated, and measured over sockets on this machine, side by side.

use super::console::{print, say};
use super::environment::Stopwatch;
use super::exit::Exit;
use super::generator::factor;
use super::interrupt;
use super::load::{self, OverrideArgs};
use super::progress::Progress;
use super::run::cannot_write;
use crate::experiment::live::{self, LiveError, LiveOptions};
use crate::experiment::parity::Parity;
use crate::experiment::scenario::Scenario;
use crate::live::emulate::DEFAULT_CHUNK;
use crate::live::load::LoadDialect;
use crate::report::{self, parity};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Arguments of `live`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Scenario file
    #[arg(value_name = "SCENARIO")]
    scenario: PathBuf,
    #[command(flatten)]
    overrides: OverrideArgs,
    /// Seconds of the scenario for each real second
    #[arg(long, value_name = "N", default_value = "1", value_parser = factor)]
    pace: f64,
    /// Replication that is run in both worlds, from 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    replication: u32,
    /// Strategies that are measured at a time; they share the processors
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..))]
    jobs: u32,
    /// A stream says more with every token, but no more often than this, in real milliseconds
    #[arg(long, value_name = "MS", default_value_t = DEFAULT_CHUNK.as_millis() as u32,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    chunk: u32,
    /// What the clients speak: `anthropic` or `openai`
    #[arg(long, value_name = "NAME", default_value = "anthropic", value_parser = dialect)]
    dialect: LoadDialect,
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

fn dialect(name: &str) -> Result<LoadDialect, String> {
    let found = LoadDialect::from_name(name);
    let gateway = found.filter(|dialect| *dialect != LoadDialect::Gemini);
    gateway.ok_or_else(|| "known are anthropic, openai".to_owned())
}

/// Measures and simulates, then writes and prints both.
///
/// # Errors
/// The exit code, after saying why on stderr.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let scenario = load::one(&args.scenario, &args.overrides.overrides(), true);
    let scenario = scenario.ok_or(Exit::Invalid)?;
    if args.replication >= scenario.replications {
        say(&format!(
            "error: there is no replication {}: the scenario has {}, counted from 0",
            args.replication, scenario.replications
        ));
        return Err(Exit::Usage);
    }
    let folder = args.out.join(&scenario.name).join(parity::FOLDER);
    report::check(&folder).map_err(cannot_write)?;
    if cfg!(debug_assertions) {
        say("note: this is a debug build; figures that count come from `cargo run --release`");
    }
    let stopwatch = Stopwatch::start();
    let results = measured(args, &scenario)?;
    parity::write(&results, &stopwatch.stop(), &folder).map_err(cannot_write)?;
    let shown = folder.display().to_string();
    if args.json {
        let mut value = parity::json(&results);
        value["results_dir"] = Value::String(shown);
        print(&value.to_string())?;
    } else {
        print(&format!(
            "{}\n\n{shown}",
            parity::render(&results).trim_end()
        ))?;
    }
    if results.interrupted {
        return Err(Exit::Interrupted);
    }
    Ok(())
}

fn measured(args: &Args, scenario: &Scenario) -> Result<Parity, Exit> {
    let progress = Progress::timed(&scenario.name, args.quiet);
    let done = Mutex::new(vec![0.0; scenario.arms.len()]);
    let options = LiveOptions {
        pace: args.pace,
        replication: args.replication,
        jobs: args.jobs as usize,
        chunk: std::time::Duration::from_millis(u64::from(args.chunk)),
        dialect: args.dialect,
        stop: interrupt::catch(),
        progress: &|arm, share| {
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done[arm] = share;
            progress.at(done.iter().sum::<f64>() / done.len() as f64);
        },
    };
    live::run(scenario, &options).map_err(|error| {
        say(&format!("error: {error}"));
        match error {
            LiveError::InterruptedTooEarly => Exit::Interrupted,
            LiveError::ClosedLoop
            | LiveError::Emulate(_)
            | LiveError::Account(_)
            | LiveError::Load(_) => Exit::Invalid,
            LiveError::Start(_) | LiveError::Simulation(_) => Exit::Failed,
        }
    })
}
