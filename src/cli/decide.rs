//! `routelab decide`: how long does a routing decision take, by strategy, pool and threads, and is
//! that less than the claimed millisecond? The one command whose results differ from run to run.

mod measure;

use super::console::{print, say};
use super::environment::Stopwatch;
use super::exit::Exit;
use super::interrupt;
use super::progress::Progress;
use super::run::cannot_write;
use crate::experiment::decision::{DecisionCell, DecisionResults, FEWEST_DECISIONS};
use crate::record::Strategy;
use crate::report;
use crate::report::decision;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

/// Accounts in the pool, and threads that contend for it.
const POOLS: [usize; 4] = [10, 100, 1_000, 10_000];
const THREADS: [usize; 4] = [1, 2, 4, 8];

/// With `--quick`.
const QUICK_POOLS: [usize; 2] = [10, 100];
const QUICK_THREADS: [usize; 2] = [1, 2];

/// Nine rounds bear a spoilt one: the interval of their median leaves out the first and the last.
const ROUNDS: u32 = 9;

/// Arguments of `decide`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Strategies to measure, separated by commas [default: all]
    #[arg(long, value_name = "A,B,...", value_delimiter = ',', value_parser = strategy)]
    strategies: Vec<Strategy>,
    /// Rounds that every figure is the median of; fewer than 6 give no verdict
    #[arg(long, value_name = "N", default_value_t = ROUNDS, value_parser = rounds(),
          allow_negative_numbers = true)]
    rounds: u32,
    /// Small pools and two threads at most: a few seconds
    #[arg(long)]
    quick: bool,
    /// Results go to DIR/decision/
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
    /// Shows no progress
    #[arg(long, short)]
    quiet: bool,
    /// Prints a line of JSON instead of a table
    #[arg(long)]
    json: bool,
}

fn rounds() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=1_000)
}

fn strategy(name: &str) -> Result<Strategy, String> {
    Strategy::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = Strategy::ALL
            .iter()
            .map(|strategy| strategy.name())
            .collect();
        format!("no such strategy; known: {}", known.join(", "))
    })
}

/// Measures all cells, round by round, then writes and prints the verdict.
///
/// # Errors
/// The exit code, after saying why on stderr. A refuted claim is no error.
pub(super) fn execute(args: &Args) -> Result<(), Exit> {
    let folder = args.out.join(decision::FOLDER);
    report::check(&folder).map_err(cannot_write)?;
    if cfg!(debug_assertions) {
        say("note: this is a debug build; figures that count come from `cargo run --release`");
    }
    let stopwatch = Stopwatch::start();
    let results = measured(args)?;
    decision::write(&results, &stopwatch.stop(), &folder).map_err(cannot_write)?;
    let shown = folder.display().to_string();
    if args.json {
        let mut value = decision::json(&results);
        value["results_dir"] = Value::String(shown);
        return print(&value.to_string());
    }
    print(&format!(
        "{}\n\n{shown}",
        decision::render(&results).trim_end()
    ))
}

/// Every cell once in each round, so that no cell has all its rounds in a bad moment.
fn measured(args: &Args) -> Result<DecisionResults, Exit> {
    let stop = interrupt::catch();
    let mut cells = cells(args);
    let machine = measure::machine();
    let timer = measure::timer();
    let progress = Progress::new("decide", args.quiet);
    let total = args.rounds * cells.len() as u32;
    for _ in 0..args.rounds {
        for cell in &mut cells {
            if stop.load(Ordering::Relaxed) {
                drop(progress);
                say("interrupted: nothing is written, for a part of the rounds says little");
                return Err(Exit::Interrupted);
            }
            let (strategy, accounts, threads) = (cell.strategy, cell.accounts, cell.threads);
            let decisions = decisions(accounts, args.quick);
            let measured = measure::round(strategy, accounts, threads, decisions);
            cell.rounds.push(measured);
            progress.step(total);
        }
    }
    Ok(DecisionResults {
        cells,
        timer,
        machine,
    })
}

/// Decisions of a round: enough that threads meet, which they hardly do in a millisecond; fewer
/// where each takes long.
fn decisions(accounts: usize, quick: bool) -> u32 {
    match accounts {
        _ if quick => FEWEST_DECISIONS as u32,
        0..=1_000 => 100_000,
        _ => 20_000,
    }
}

fn cells(args: &Args) -> Vec<DecisionCell> {
    let (pools, threads): (&[usize], &[usize]) = if args.quick {
        (&QUICK_POOLS, &QUICK_THREADS)
    } else {
        (&POOLS, &THREADS)
    };
    let strategies = match args.strategies.as_slice() {
        [] => Strategy::ALL,
        chosen => chosen,
    };
    let mut cells: Vec<DecisionCell> = vec![];
    for &strategy in strategies {
        for &accounts in pools {
            for &threads in threads {
                cells.push(DecisionCell {
                    strategy,
                    accounts,
                    threads,
                    rounds: vec![],
                });
            }
        }
    }
    cells
}
