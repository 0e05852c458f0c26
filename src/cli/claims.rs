//! `routelab claims`: judges the claims that are made for the product on every scenario.

use super::console::{counted, print, say};
use super::exit::Exit;
use super::gallery::{is_measured, needs_a_trace};
use super::interrupt;
use super::list;
use super::load;
use super::manner::RunningArgs;
use super::progress::Progress;
use super::run::{cannot_run, cannot_write};
use crate::experiment::campaign::{Campaign, run_by_looks};
use crate::experiment::claim::{Claim, SETTINGS, product_claims};
use crate::experiment::run::{RunError, RunOptions};
use crate::experiment::scenario::{Overrides, Scenario};
use crate::report;
use crate::report::campaign::Claims;
use crate::stats::alpha::LOOKS;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

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
    #[arg(long, value_name = "N", default_value_t = SEED, allow_negative_numbers = true)]
    seed: u64,
    /// Replications at most; looks are taken at 10, 20, 40, 80 and 160
    #[arg(long, value_name = "N", default_value_t = 160,
          value_parser = clap::value_parser!(u32).range(10..),
          allow_negative_numbers = true)]
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
    judge(args, interrupt::catch, &|_| {})
}

/// `seen` is told of every replication of a strategy that has ended. `catch` is called once there
/// is something to interrupt.
fn judge<'s>(
    args: &Args,
    catch: impl FnOnce() -> &'s AtomicBool,
    seen: &(dyn Fn(&str) + Sync),
) -> Result<(), Exit> {
    let scenarios = read(args)?;
    let folder = args.out.join("claims");
    report::check(&folder).map_err(cannot_write)?;
    let products = product_claims();
    let claims: Vec<Claim> = products.iter().map(|one| one.claim.clone()).collect();
    let stop = catch();
    let mut campaigns: Vec<Campaign> = vec![];
    for scenario in &scenarios {
        let progress = Progress::new(&scenario.name, args.running.quiet);
        let options = RunOptions {
            jobs: args.running.jobs(),
            stop,
            progress: &|_, total| {
                progress.step(total);
                seen(&scenario.name);
            },
        };
        let outcome = run_by_looks(scenario, &claims, args.replications as usize, &options);
        drop(progress);
        match outcome {
            // Before the first look there is nothing to say about a scenario.
            Err(RunError::InterruptedTooEarly) => break,
            Ok(one) if one.results.interrupted && one.replications() < LOOKS[0] as u32 => break,
            outcome => campaigns.push(outcome.map_err(|error| cannot_run(scenario, &error))?),
        }
    }
    let left_out = scenarios[campaigns.len()..].iter();
    let left_out: Vec<String> = left_out.map(|scenario| scenario.name.clone()).collect();
    let all = Claims {
        claims: &products,
        campaigns: &campaigns,
        left_out: &left_out,
    };
    finish(&all, &folder, stop)
}

/// Writes and prints what is there. An interruption keeps the scenarios that have had a look.
fn finish(all: &Claims, folder: &Path, stop: &AtomicBool) -> Result<(), Exit> {
    if all.campaigns.is_empty() {
        say("interrupted before the first look at a scenario: nothing was written");
        return Err(Exit::Interrupted);
    }
    report::campaign::write(all, folder).map_err(cannot_write)?;
    let text = report::campaign::text(all);
    print(&format!("{}\n\n{}", text.trim_end(), folder.display()))?;
    if all.interrupted() {
        let (kept, left_out) = (all.campaigns.len() as u64, all.left_out.len() as u64);
        say(&format!(
            "interrupted: {kept} of {} are kept in {}",
            counted(kept + left_out, "scenario"),
            folder.display()
        ));
    }
    if all.interrupted() || stop.load(Ordering::Relaxed) {
        return Err(Exit::Interrupted);
    }
    Ok(())
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
            .filter(|file| !needs_a_trace(file) && !is_measured(file))
            .collect()
    } else {
        refuse_twins(&args.scenarios)?;
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

/// One scenario given twice would count twice in "holds in 3 of 4 scenarios", and two of one name
/// could not be told apart in the tables.
fn refuse_twins(files: &[PathBuf]) -> Result<(), Exit> {
    let mut twins = 0;
    for (at, file) in files.iter().enumerate() {
        let real = |path: &PathBuf| path.canonicalize().ok();
        let earlier = files[..at].iter();
        let found = earlier.into_iter().find_map(|other| {
            if other == file || real(other).is_some_and(|real_one| Some(real_one) == real(file)) {
                return Some((other, "are the same file".to_owned()));
            }
            let name = file.file_stem()?;
            let called = format!("are both called {}", name.to_string_lossy());
            (other.file_stem()? == name).then_some((other, called))
        });
        if let Some((other, what)) = found {
            let (other, file) = (other.display(), file.display());
            say(&format!("error: {other} and {file} {what}"));
            twins += 1;
        }
    }
    if twins == 0 {
        return Ok(());
    }
    say("  help: name every scenario once; it would count twice, and could not be told apart");
    Err(Exit::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::sync::atomic::AtomicU32;

    /// A minute with an outage of half of the pool for 16 s: plain round robin answers 86.7 %, so
    /// that "15 % more" is too near the truth to be decided by few replications.
    const SCENARIO: &str = "question = \"?\"\nexpectation = \"!\"\nduration = \"1min\"\n\
        [models.m]\nservice = { first_token = \"1s\", per_output_token = \"1ms\" }\n\
        [[accounts]]\nid = \"a-{n}\"\ncount = 2\nprovider = \"custom\"\nmodels = [\"m\"]\n\
        [workload]\narrivals = \"poisson\"\nrate = \"2rps\"\n\
        [[workload.classes]]\nname = \"c\"\nmodel = \"m\"\ninput_tokens = 1\n\
        output_tokens = 1\n[[faults]]\nkind = \"outage\"\naccounts = \"a-1\"\n\
        start = \"20s\"\nduration = \"16s\"\n";

    /// What is written when the flag rises after so many runs of `second`, and the exit code.
    fn stopped(after: u32) -> (tempfile::TempDir, Result<(), Exit>) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["first.toml", "second.toml"] {
            fs::write(path(name), SCENARIO).unwrap();
        }
        let words = format!(
            "claims {} {} --replications 20 --quiet --jobs 1 --out {}",
            path("first.toml").display(),
            path("second.toml").display(),
            path("out").display()
        );
        let args = parsed(&words);
        let (stop, runs) = (AtomicBool::new(after == 0), AtomicU32::new(0));
        let seen = |name: &str| {
            if name == "second" && runs.fetch_add(1, Ordering::Relaxed) + 1 == after {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let outcome = judge(&args, || &stop, &seen);
        (folder, outcome)
    }

    fn parsed(words: &str) -> Args {
        #[derive(clap::Parser)]
        struct Command {
            #[command(flatten)]
            args: Args,
        }
        <Command as clap::Parser>::parse_from(words.split(' ')).args
    }

    /// The page and the manifest, which says what is in every other file.
    fn written(folder: &Path) -> (String, serde_json::Value) {
        let out = folder.join("out");
        let entries = fs::read_dir(&out).unwrap();
        let names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["claims"], "nothing is left half-way");
        let read = |name: &str| fs::read_to_string(out.join("claims").join(name)).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&read("manifest.json")).unwrap();
        for file in manifest["files"].as_array().unwrap() {
            let bytes = read(file["path"].as_str().unwrap());
            assert_eq!(file["sha256"], report::manifest::sha256(bytes.as_bytes()));
        }
        (read("README.md"), manifest)
    }

    #[test]
    fn what_an_interruption_leaves_is_kept_and_marked() {
        // Five strategies: three replications of the second scenario, no look at it.
        let (folder, outcome) = stopped(15);
        assert_eq!(outcome, Err(Exit::Interrupted));
        let (page, manifest) = written(folder.path());
        assert!(page.contains("**INTERRUPTED: 1 of 2 scenarios are here; not judged: second."));
        assert!(page.contains("| first |"), "{page}");
        assert!(!page.contains("| second |"), "{page}");
        assert_eq!(manifest["interrupted"], true);
        assert_eq!(manifest["left_out"][0], "second");
    }

    #[test]
    fn a_scenario_that_has_had_a_look_is_kept() {
        // Twelve replications of the second: what is not decided at ten stays open.
        let (folder, outcome) = stopped(60);
        assert_eq!(outcome, Err(Exit::Interrupted));
        let (page, manifest) = written(folder.path());
        assert!(
            page.contains("2 of 2 scenarios are here; second was stopped after 12 replications"),
            "{page}"
        );
        assert!(page.contains("| second |"), "{page}");
        assert_eq!(manifest["scenarios"][1]["interrupted"], true);
        assert_eq!(manifest["scenarios"][0]["interrupted"], false);
    }

    #[test]
    fn where_nothing_is_finished_nothing_is_written() {
        let (folder, outcome) = stopped(0);
        assert_eq!(outcome, Err(Exit::Interrupted));
        assert!(!folder.path().join("out").exists());
    }

    #[test]
    fn what_is_not_stopped_is_not_marked() {
        let (folder, outcome) = stopped(u32::MAX);
        assert_eq!(outcome, Ok(()));
        let (page, manifest) = written(folder.path());
        assert!(!page.contains("INTERRUPTED"), "{page}");
        assert_eq!(manifest.get("interrupted"), None);
    }
}
