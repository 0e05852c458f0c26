//! `routelab compare`: has a change made routing worse? Two results of the same scenarios, before
//! and after, and an exit code for CI.

use super::console::{print, say};
use super::exit::Exit;
use crate::experiment::compare::{
    Comparison, KeyDifference, Outcome, Part, Rule, RunSample, Verdict, compare, versions,
};
use crate::experiment::metric::Metric;
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
    /// Strategies to compare, separated by commas [default: all]
    #[arg(long, value_name = "A,B,...", value_delimiter = ',')]
    strategies: Vec<String>,
    /// Compares what is left although NEW lacks strategies or scenarios of OLD
    #[arg(long)]
    allow_missing: bool,
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
/// of the same scenario, lack something, or do not suffice to judge. What is lacking is no
/// regression: nobody has measured one. It is an input that is not there, as an absent file is; and
/// with a regression beside it, the regression is what a script hears of.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let (old, new) = match (folder(&args.old), folder(&args.new)) {
        (Ok(old), Ok(new)) => (old, new),
        (old, new) => {
            let errors = [old.err(), new.err()];
            return Err(cannot_read(errors.into_iter().flatten().flatten()));
        }
    };
    let mut sides = sides(old, new, args)?;
    let mut same = true;
    for (old, new) in &sides.pairs {
        same &= is_same_scenario(old, new, args.allow_different_scenario);
    }
    if !same {
        return Err(Exit::Invalid);
    }
    keep(&args.strategies, &mut sides)?;
    for (old, new) in &sides.pairs {
        remark(old, new);
    }
    let mut rules = args.fail_on.clone();
    if rules.is_empty() {
        rules = Rule::usual();
    }
    let mut comparison = compare(&sides.pairs, rules);
    comparison.only_old = sides.only_old.into_iter().map(|run| run.scenario).collect();
    comparison.may_lack = args.allow_missing;
    if !args.fail_on.is_empty() {
        refuse_idle_rules(&comparison)?;
    }
    if args.json {
        print(&json(&comparison).to_string())?;
    } else {
        print(render(&comparison).trim_end())?;
    }
    conclude(&comparison, args)
}

/// The results that can be laid side by side.
struct Sides {
    /// Of each scenario that both have.
    pairs: Vec<(RunSample, RunSample)>,
    /// Of those that only the old side has.
    only_old: Vec<RunSample>,
}

/// A rule that applies to nothing would pass whatever the change did, and its author would think
/// that something is watched.
fn refuse_idle_rules(comparison: &Comparison) -> Result<(), Exit> {
    let idle = comparison.idle_rules();
    if idle.is_empty() {
        return Ok(());
    }
    for at in idle {
        let Rule { text, metric, .. } = &comparison.rules[at];
        say(&format!(
            "error: `{text}` can be judged of no strategy: the old results have no\n  \
             `{metric}` in every replication of any"
        ));
    }
    let applies = Metric::ALL.iter().filter(|m| comparison.applies(**m));
    let names: Vec<&str> = applies.map(|metric| metric.name()).collect();
    say(&format!("  help: they have {}", names.join(", ")));
    Err(Exit::Invalid)
}

fn cannot_read(errors: impl Iterator<Item = ReadError>) -> Exit {
    for error in errors {
        say(&format!("error: {error}"));
    }
    Exit::Invalid
}

/// Which results are of one scenario.
fn sides(old: Found, new: Found, args: &Args) -> Result<Sides, Exit> {
    let invalid = |message: String| {
        say(&format!("error: {message}"));
        Exit::Invalid
    };
    let (old, mut new) = match (old, new) {
        (Found::One(old), Found::One(new)) => {
            return Ok(Sides {
                pairs: vec![(*old, *new)],
                only_old: vec![],
            });
        }
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
    let mut sides = Sides {
        pairs: vec![],
        only_old: vec![],
    };
    for before in old {
        match new.iter().position(|run| run.scenario == before.scenario) {
            Some(at) => sides.pairs.push((before, new.remove(at))),
            None => sides.only_old.push(before),
        }
    }
    for run in new {
        let side = args.new.display();
        say(&format!("note: {} is only in {side}", run.scenario));
    }
    if sides.pairs.is_empty() {
        let (old, new) = (args.old.display(), args.new.display());
        return Err(invalid(format!(
            "{old} and {new} have no scenario in common"
        )));
    }
    Ok(sides)
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

/// Leaves only the strategies asked for, and the scenarios that have one of them.
fn keep(wanted: &[String], sides: &mut Sides) -> Result<(), Exit> {
    let has = |run: &RunSample, name: &str| run.strategies.iter().any(|s| s.name == name);
    let names = sides.pairs.iter().flat_map(|(old, new)| {
        let names = old.strategies.iter().map(|s| s.name.clone());
        names.filter(|name| has(new, name))
    });
    let known: BTreeSet<String> = names.collect();
    if known.is_empty() {
        say("error: the results have no strategy in common");
        return Err(Exit::Invalid);
    }
    if let Some(name) = wanted.iter().find(|name| !known.contains(*name)) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        say(&format!(
            "error: `{name}` is not a strategy of both results\n  help: both have {}",
            known.join(", ")
        ));
        return Err(Exit::Invalid);
    }
    let cut = |run: &mut RunSample| {
        let asked = |name: &String| wanted.is_empty() || wanted.contains(name);
        run.strategies.retain(|s| asked(&s.name));
        !run.strategies.is_empty()
    };
    // Where only the old one has any, what it has is missing from the new one.
    sides.pairs.retain_mut(|(old, new)| cut(old) | cut(new));
    sides.only_old.retain_mut(cut);
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
fn conclude(comparison: &Comparison, args: &Args) -> Result<(), Exit> {
    let outcome = comparison.outcome();
    if !args.allow_missing {
        say_missing(comparison, args);
    }
    let unknown = comparison.verdicts().any(|v| v == Verdict::Unknown);
    let what = match outcome {
        Outcome::NothingJudged => "nothing was judged",
        _ => "not all was judged",
    };
    if unknown {
        say(&format!(
            "error: {what}: one replication says nothing about chance\n  help: run both with \
             --replications 10 or more"
        ));
    } else if outcome == Outcome::NothingJudged {
        say("error: nothing was judged: none of the metrics applies to both results");
    }
    match outcome {
        Outcome::Passed => Ok(()),
        Outcome::Regression(_) => Err(Exit::Regression),
        Outcome::Incomplete | Outcome::NothingJudged => Err(Exit::Invalid),
    }
}

/// Says what the old results have and the new ones have not.
fn say_missing(comparison: &Comparison, args: &Args) {
    let side = args.old.display();
    let scenarios = comparison.only_old.iter();
    let mut missing: Vec<String> = scenarios
        .map(|name| format!("error: {name} is only in {side}"))
        .collect();
    for scenario in &comparison.scenarios {
        for strategy in &scenario.only_old {
            let name = &scenario.name;
            missing.push(format!(
                "error: {name}: {strategy} is only in the old result"
            ));
        }
    }
    if missing.is_empty() {
        return;
    }
    say(&missing.join("\n"));
    say(
        "  help: what is missing may have become worse unseen; run it with both versions, or add \
         --allow-missing if it was given up",
    );
}
