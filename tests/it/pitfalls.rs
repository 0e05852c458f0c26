//! Mistakes that real gateways made, one test each, named by its number in the list of pitfalls.
//!
//! Wherever the settings allow it the mistake is made on purpose in the same test (no breaker, no
//! budget, a naive cursor): a test that the faulty version would pass shows nothing.

mod balance;
mod breakers;
mod honesty;
mod latency;
mod metering;
mod overload;
mod quotas;
mod retries;
mod spread;
mod table;

use routelab::experiment::results::{ScenarioResults, StrategyResults};
use routelab::experiment::run::{RunOptions, run};
use routelab::experiment::scenario::{Overrides, Scenario, parse};
use routelab::request::FailureKind;
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// What most ask for: `classes = ALL` in the text of a scenario.
const ALL: &str = r#"classes = [
    { name = "all", model = "m", input_tokens = 100, output_tokens = 10 },
]"#;

/// Reads a scenario; `text` lacks what all have in common: words, one replication, and one free
/// model `m` that all requests ask for, most of them as in [`ALL`].
fn scenario(text: &str) -> Scenario {
    let model = if text.contains("[models.m]") {
        ""
    } else {
        "[models.m]"
    };
    let text = text.replace("classes = ALL", ALL);
    let text = format!(
        "question = \"a pitfall\"\nexpectation = \"avoided\"\nreplications = 1\n{text}\n{model}\n"
    );
    let loaded = parse("pitfall.toml", &text, Path::new("."), &Overrides::default());
    loaded.unwrap_or_else(|found| panic!("{found}")).scenario
}

/// Runs it through the ordinary engine, which asserts its invariants on the way.
fn results(text: &str) -> ScenarioResults {
    let options = RunOptions {
        jobs: 1,
        stop: &AtomicBool::new(false),
        progress: &|_, _| {},
    };
    run(&scenario(text), &options).unwrap_or_else(|broken| panic!("{broken}"))
}

/// The results of one arm.
fn arm<'a>(results: &'a ScenarioResults, name: &str) -> &'a StrategyResults {
    let found = results.strategies.iter().find(|arm| arm.name == name);
    found.unwrap_or_else(|| panic!("no arm {name}"))
}

fn success_rate(arm: &StrategyResults) -> f64 {
    let counts = &arm.replications[0].counts;
    counts.successes as f64 / counts.requests as f64
}

/// Share of the attempts that an account got, over the whole run.
fn share(arm: &StrategyResults, account: usize) -> f64 {
    let all: u64 = arm.accounts.iter().map(|account| account.attempts).sum();
    arm.accounts[account].attempts as f64 / all as f64
}

/// Share of the dispatches that a lane got from one second to another.
fn share_between(arm: &StrategyResults, lane: usize, from_s: u64, to_s: u64) -> f64 {
    let lanes = arm.timeline.lane_targets.len();
    let window = arm.timeline.window.as_nanos();
    let rows = (from_s * 1_000_000_000 / window) as usize..(to_s * 1_000_000_000 / window) as usize;
    let of = |lane: usize| -> u64 {
        let cells = rows
            .clone()
            .map(|row| arm.timeline.dispatches[row * lanes + lane]);
        cells.sum()
    };
    of(lane) as f64 / (0..lanes).map(of).sum::<u64>() as f64
}

fn failed_attempts(arm: &StrategyResults, account: usize, kind: FailureKind) -> u64 {
    arm.accounts[account].failed_attempts[kind.at()]
}
