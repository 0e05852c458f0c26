//! `routelab compare`: has a change made routing worse? Two results of the same scenarios, before
//! and after, and an exit code for CI.

use super::console::{print, say};
use super::exit::Exit;
use crate::experiment::compare::{
    Comparison, KeyDifference, Part, Rule, RunSample, Verdict, compare, versions,
};
use crate::report::compare::{Found, ReadError, differences, folder, json, render};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Arguments of `compare`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Results before the change: the folder of a scenario, or a folder of such folders
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// Results after it
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Fails if a metric is worse by more than this, and by more than chance: `p99:+5%` of its old
    /// mean, `success:-0.5pp` points; repeatable [default: success rate, mean latency, P99 and cost
    /// per success, worse by anything]
    #[arg(long, value_name = "METRIC:+N%", value_parser = Rule::parse, allow_hyphen_values = true)]
    fail_on: Vec<Rule>,
    /// Strategies to compare, separated by commas [default: all that both have]
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    strategies: Vec<String>,
    /// Compares although the scenarios are not the same
    #[arg(long)]
    allow_different_scenario: bool,
    /// Prints a line of JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Reads both, judges the changes, and shows them.
///
/// # Errors
/// [`Exit::Regression`] if there is one; [`Exit::Invalid`] if the results cannot be read, are not
/// of the same scenario, or do not suffice to judge.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let (old, new) = match (folder(&args.old), folder(&args.new)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            let errors = [old.err(), new.err()];
            return Err(cannot_read(errors.into_iter().flatten().flatten()));
        }
    };
    let mut pairs = pairs(old, new, args)?;
    let mut same = true;
    for (old, new) in &pairs {
        same &= is_same_scenario(old, new, args.allow_different_scenario);
    }
    if !same {
        return Err(Exit::Invalid);
    }
    keep(&args.strategies, &mut pairs)?;
    for (old, new) in &pairs {
        remark(old, new);
    }
    let mut rules = args.fail_on.clone();
    if rules.is_empty() {
        rules = Rule::usual();
    }
    let comparison = compare(&pairs, rules);
    if args.json {
        print(&json(&comparison).to_string())?;
    } else {
        print(render(&comparison).trim_end())?;
    }
    conclude(&comparison)
}

fn cannot_read(errors: impl Iterator<Item = ReadError>) -> Exit {
    for error in errors {
        say(&format!("error: {error}"));
    }
    Exit::Invalid
}

/// The results of each scenario that both have.
fn pairs(old: Found, new: Found, args: &Args) -> Result<Vec<(RunSample, RunSample)>, Exit> {
    let invalid = |message: String| {
        say(&format!("error: {message}"));
        Exit::Invalid
    };
    let (old, new) = match (old, new) {
        (Found::One(old), Found::One(new)) => return Ok(vec![(*old, *new)]),
        (Found::Many(old), Found::Many(new)) => (old, new),
        (one, _) => {
            let (one, many) = match one {
                Found::One(_) => (&args.old, &args.new),
                Found::Many(_) => (&args.new, &args.old),
            };
            return Err(invalid(format!(
                "{} holds the results of one scenario, {} folders of several\n  help: name two of \
                 a kind",
                one.display(),
                many.display()
            )));
        }
    };
    let lacks = |runs: &[RunSample], run: &RunSample| {
        let mut names = runs.iter().map(|other| &other.scenario);
        names.all(|name| *name != run.scenario)
    };
    for (runs, others, side) in [(&old, &new, &args.old), (&new, &old, &args.new)] {
        for run in runs.iter().filter(|run| lacks(others, run)) {
            let side = side.display();
            say(&format!("warning: {} is only in {side}", run.scenario));
        }
    }
    let mut after = new;
    let both = old.into_iter().filter_map(|before| {
        let at = after
            .iter()
            .position(|run| run.scenario == before.scenario)?;
        Some((before, after.remove(at)))
    });
    let pairs: Vec<_> = both.collect();
    if pairs.is_empty() {
        let (old, new) = (args.old.display(), args.new.display());
        return Err(invalid(format!(
            "{old} and {new} have no scenario in common"
        )));
    }
    Ok(pairs)
}

/// Whether two results may be compared; says how their scenarios differ.
fn is_same_scenario(old: &RunSample, new: &RunSample, allowed: bool) -> bool {
    let keys = match versions(&old.resolved_toml, &new.resolved_toml) {
        Ok(keys) => keys,
        Err(reason) => {
            let name = &new.scenario;
            say(&format!(
                "error: {name}: the resolved scenario is not TOML: {reason}"
            ));
            return false;
        }
    };
    let (world, rest): (Vec<KeyDifference>, Vec<_>) =
        keys.into_iter().partition(|key| key.part == Part::World);
    let routing = rest.into_iter().filter(|key| key.part == Part::Routing);
    let routing: Vec<KeyDifference> = routing.collect();
    if !routing.is_empty() {
        say(&format!(
            "note: {}: settings of routing differ, and may be what has changed:\n{}",
            new.scenario,
            differences(&routing)
        ));
    }
    if world.is_empty() && old.inputs == new.inputs {
        return true;
    }
    let weight = if allowed { "warning" } else { "error" };
    let mut text = format!(
        "{weight}: {}: the results are not of the same scenario",
        new.scenario
    );
    if !world.is_empty() {
        text += &format!(":\n{}", differences(&world));
    }
    if old.inputs != new.inputs {
        text += "\n    the input files differ (SHA-256 in manifest.json)";
    }
    if !allowed {
        text += "\n  help: run one scenario with both versions, or add --allow-different-scenario";
    }
    say(&text);
    allowed
}

/// Leaves only the strategies asked for, in the scenarios that have one of them.
fn keep(wanted: &[String], pairs: &mut Vec<(RunSample, RunSample)>) -> Result<(), Exit> {
    let has = |run: &RunSample, name: &String| run.strategies.iter().any(|s| s.name == *name);
    for name in wanted {
        if !pairs
            .iter()
            .any(|(old, new)| has(old, name) && has(new, name))
        {
            let names = pairs.iter().flat_map(|(old, _)| &old.strategies);
            let known: BTreeSet<&str> = names.map(|s| s.name.as_str()).collect();
            let known: Vec<&str> = known.into_iter().collect();
            say(&format!(
                "error: `{name}` is not a strategy of both results\n  help: the old one has {}",
                known.join(", ")
            ));
            return Err(Exit::Invalid);
        }
    }
    for (old, new) in &mut *pairs {
        for run in [&mut *old, new] {
            let asked = |name: &String| wanted.is_empty() || wanted.contains(name);
            run.strategies.retain(|s| asked(&s.name));
        }
    }
    pairs.retain(|(old, new)| old.strategies.iter().any(|s| has(new, &s.name)));
    if pairs.is_empty() {
        say("error: the results have no strategy in common");
        return Err(Exit::Invalid);
    }
    Ok(())
}

/// Says what a reader of the table should know of the two results.
fn remark(old: &RunSample, new: &RunSample) {
    let name = &new.scenario;
    for (run, which) in [(old, "old"), (new, "new")] {
        let finished = run.strategies.first().map_or(0, |s| s.replications.len());
        if run.interrupted {
            say(&format!(
                "warning: {name}: the {which} run was interrupted after {finished} of {} \
                 replications; those are compared",
                run.asked
            ));
        }
    }
    if old.seed != new.seed {
        say(&format!(
            "note: {name}: seeds {} and {}, so the results are not paired; with one seed, far \
             smaller changes could be told from chance",
            old.seed, new.seed
        ));
    }
    if old.version != new.version {
        let (old, new) = (&old.version, &new.version);
        say(&format!(
            "note: {name}: written by routelab {old} and {new}"
        ));
    }
}

/// The exit code, after saying what could not be judged.
fn conclude(comparison: &Comparison) -> Result<(), Exit> {
    let strategies = comparison.scenarios.iter().flat_map(|s| &s.strategies);
    let verdicts: Vec<Verdict> = strategies
        .flat_map(|strategy| strategy.findings.iter().map(|finding| finding.verdict))
        .collect();
    if verdicts.iter().any(|verdict| verdict.fails()) {
        return Err(Exit::Regression);
    }
    if verdicts.contains(&Verdict::Unknown) {
        say(
            "error: one replication says nothing about chance, so nothing was judged\n  help: run \
             both with --replications 10 or more",
        );
        return Err(Exit::Invalid);
    }
    if verdicts
        .iter()
        .all(|verdict| *verdict == Verdict::NotApplicable)
    {
        say("error: nothing was judged: none of the metrics applies to both results");
        return Err(Exit::Invalid);
    }
    Ok(())
}
