//! `routelab validate`: whether the simulator agrees with queueing theory and with a published
//! experiment, and the page that says so.

use super::console::{print, say};
use super::exit::Exit;
use super::interrupt;
use super::manner::RunningArgs;
use super::progress::Progress;
use super::run::cannot_write;
use crate::experiment::run::RunError;
use crate::experiment::validation::{self, Options, REPLICATIONS, Validation};
use crate::report::validation as report;
use std::path::PathBuf;

/// Arguments of `validate`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Factor on the number of simulated requests: 10 for ten times as many
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = scale,
          allow_negative_numbers = true)]
    scale: f64,
    /// Other worlds of all systems: whether what one of them shows is chance, another tells
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u32,
    /// The page goes to DIR/VALIDATION.md, its chart to DIR/images/
    #[arg(long, value_name = "DIR", default_value = "results/validation")]
    out: PathBuf,
    #[command(flatten)]
    running: RunningArgs,
}

/// Below it replications are too short for a P99 at a load of 0.9 (it then rests on fewer than 100
/// requests beyond it, which are no hundred independent ones); above it a run takes hours, and
/// gigabytes for the response times of a replication.
const SCALES: std::ops::RangeInclusive<f64> = 0.04..=100.0;

fn scale(text: &str) -> Result<f64, String> {
    let scale: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if SCALES.contains(&scale) {
        return Ok(scale);
    }
    let (low, high) = (SCALES.start(), SCALES.end());
    Err(format!("allowed: {low} to {high}"))
}

/// Runs everything, prints a line for each model, and writes the page.
///
/// # Errors
/// [`Exit::Unexpected`] if something does not agree; the page is written then too.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let stop = interrupt::catch();
    let progress = Progress::new("validation", args.running.quiet);
    let options = Options {
        scale: args.scale,
        replications: REPLICATIONS,
        seed: args.seed,
        jobs: args.running.jobs(),
        stop,
        progress: &|total| progress.step(total),
    };
    let outcome = validation::run(&options);
    drop(progress);
    let found = outcome.map_err(|error| cannot_run(&error))?;
    let page = report::write(&found, &args.out).map_err(cannot_write)?;
    let table = report::table(&found);
    print(&format!("{table}\n\n{}", page.display()))?;
    verdict(&found)
}

fn verdict(found: &Validation) -> Result<(), Exit> {
    if found.passed() {
        return Ok(());
    }
    for line in report::complaints(found) {
        say(&format!("error: {line}"));
    }
    Err(Exit::Unexpected)
}

fn cannot_run(error: &RunError) -> Exit {
    if matches!(error, RunError::InterruptedTooEarly) {
        say("interrupted: nothing was written");
        return Exit::Interrupted;
    }
    say(&format!("error: {error}"));
    Exit::Failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_checked() {
        assert_eq!(scale("10"), Ok(10.0));
        assert_eq!(scale("0.1"), Ok(0.1));
        for wrong in ["0", "-1", "0.01", "NaN", "inf", "1e9", "much"] {
            assert!(scale(wrong).is_err(), "{wrong}");
        }
    }
}
