//! `routelab claims`: judges the claims that are made for the product on every scenario.

use super::console::{print, say};
use super::exit::Exit;
use super::gallery::needs_a_trace;
use super::interrupt;
use super::list;
use super::load;
use super::manner::RunningArgs;
use super::progress::Progress;
use super::run::{cannot_run, cannot_write};
use crate::experiment::campaign::{Campaign, run_by_looks};
use crate::experiment::claim::{Claim, SETTINGS, product_claims};
use crate::experiment::run::RunOptions;
use crate::experiment::scenario::{Overrides, Scenario};
use crate::report;
use crate::report::campaign::Claims;
use crate::stats::alpha::LOOKS;
use std::path::PathBuf;

/// Root seed of verdicts. No scenario was written or tuned with it: what a seed was chosen by
/// proves nothing.
const SEED: u64 = 20_261_123;

/// Arguments of `claims`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Scenario files [default: those in scenarios/ that need no trace of your own]
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
    /// Sets a value in every scenario, such as `duration=5min`; repeatable
    #[arg(long, value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Root seed of all random numbers
    #[arg(long, value_name = "N", default_value_t = SEED)]
    seed: u64,
    /// Replications at most; looks are taken at 10, 20, 40, 80 and 160
    #[arg(long, value_name = "N", default_value_t = 160,
          value_parser = clap::value_parser!(u32).range(10..))]
    replications: u32,
    /// Results go to DIR/claims/
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
    #[command(flatten)]
    running: RunningArgs,
}

/// Judges the claims on every scenario, prints the tables, and writes the results. A verdict is
/// information, and never sets the exit code.
///
/// # Errors
/// The exit code, after saying why on stderr.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let scenarios = read(args)?;
    let folder = args.out.join("claims");
    report::check(&folder).map_err(cannot_write)?;
    let products = product_claims();
    let claims: Vec<Claim> = products.iter().map(|one| one.claim.clone()).collect();
    let stop = interrupt::catch();
    let mut campaigns: Vec<Campaign> = vec![];
    for scenario in &scenarios {
        let progress = Progress::new(&scenario.name, args.running.quiet);
        let options = RunOptions {
            jobs: args.running.jobs(),
            stop,
            progress: &|_, total| progress.step(total),
        };
        let outcome = run_by_looks(scenario, &claims, args.replications as usize, &options);
        drop(progress);
        let campaign = outcome.map_err(|error| cannot_run(scenario, &error))?;
        if campaign.results.interrupted {
            say("interrupted: no verdicts were written");
            return Err(Exit::Interrupted);
        }
        campaigns.push(campaign);
    }
    let all = Claims {
        claims: &products,
        campaigns: &campaigns,
    };
    report::campaign::write(&all, &folder).map_err(cannot_write)?;
    print(&format!(
        "{}\n\n{}",
        report::campaign::text(&all),
        folder.display()
    ))
}

/// Reads all scenarios before any runs.
fn read(args: &Args) -> Result<Vec<Scenario>, Exit> {
    let files = if args.scenarios.is_empty() {
        let files = list::scenario_files(list::DEFAULT_DIR.as_ref()).map_err(|error| {
            let folder = list::DEFAULT_DIR;
            say(&format!("error: cannot read the folder {folder}: {error}"));
            Exit::Invalid
        })?;
        files
            .into_iter()
            .filter(|file| !needs_a_trace(file))
            .collect()
    } else {
        args.scenarios.clone()
    };
    let settings = SETTINGS.iter().map(|setting| (*setting).to_owned());
    let overrides = Overrides {
        set: settings.chain(args.set.iter().cloned()).collect(),
        seed: Some(args.seed),
        replications: Some(LOOKS[LOOKS.len() - 1] as u32),
        ..Overrides::default()
    };
    let read: Vec<_> = files
        .iter()
        .map(|file| load::one(file, &overrides, false))
        .collect();
    read.into_iter().collect::<Option<_>>().ok_or(Exit::Invalid)
}
