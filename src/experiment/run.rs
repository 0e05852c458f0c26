//! Running a scenario: every (strategy, replication) cell, in parallel, pooled in order.
//!
//! Workers take cells in one order, replication by replication, and a replication is pooled when
//! all its strategies and all earlier replications are there. So an interrupted run keeps a prefix
//! of complete, paired replications, and memory holds a few cells, not all of them. Nothing is
//! parallel inside a cell: that would make its result depend on the number of threads.

mod each;
mod measure;
mod pool;
mod watch;

pub(super) use each::each;

use crate::experiment::results::{Description, ScenarioResults};
use crate::experiment::scenario::{Arm, Scenario};
use crate::experiment::verdict::{self, Verdicts};
use crate::record::RequestRecord;
use crate::sim::{self, Broken, FaultWatch, Lanes, Run, Setup};
use crate::time::Duration;
use pool::Pooled;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// How to run, as opposed to what. Nothing here changes a result.
pub struct RunOptions<'a> {
    /// Worker threads, at least 1.
    pub jobs: usize,
    /// Set from outside to stop early: finished replications are kept.
    pub stop: &'a AtomicBool,
    /// Called after each finished cell with (cells done, cells in all), from any thread.
    pub progress: &'a (dyn Fn(u32, u32) + Sync),
}

/// Why a run came to nothing.
#[derive(Debug)]
pub enum RunError {
    /// Stopped before one replication of every strategy was finished.
    InterruptedTooEarly,
    /// So many requests of one replication would never end.
    Endless(u64),
    /// An invariant of the simulation does not hold: a defect of routelab.
    InvariantBroken(String),
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InterruptedTooEarly => {
                write!(
                    f,
                    "interrupted before the first replication of every strategy was finished"
                )
            }
            Self::Endless(requests) => write!(
                f,
                "{requests} requests of a replication would never end: an account hangs, needs \
                 more than 500 years, or never comes back to those in line, and neither `deadline` \
                 nor `attempt_timeout` is set in [routing]"
            ),
            Self::InvariantBroken(what) => write!(f, "broken invariant: {what}; please report it"),
        }
    }
}

impl std::error::Error for RunError {}

/// One finished cell.
struct Cell {
    run: Run,
    /// Records of every request, where `requests.csv` asks for them.
    requests: Vec<RequestRecord>,
    /// How often each fault came.
    incidents: Vec<u64>,
}

/// Runs every strategy of the scenario.
///
/// # Errors
/// If it is stopped too early, or an invariant of the simulation does not hold.
pub fn run(scenario: &Scenario, options: &RunOptions) -> Result<ScenarioResults, RunError> {
    let mut results = run_range(scenario, 0..scenario.replications, options)?;
    results.verdicts = verdict::judge_all(scenario, &results);
    Ok(results)
}

/// Runs some replications of every strategy, by their numbers; claims are not judged. Of the parts
/// that a whole run is made of, [`ScenarioResults::append`] makes what claims are judged by.
///
/// # Errors
/// As [`run`].
pub fn run_range(
    scenario: &Scenario,
    range: Range<u32>,
    options: &RunOptions,
) -> Result<ScenarioResults, RunError> {
    let arms = scenario.arms.len() as u32;
    let cells = arms * range.len() as u32;
    let (next, done) = (AtomicU32::new(0), AtomicU32::new(0));
    let pooled = Mutex::new(Pooled::new(scenario, range.start));
    let broken = Mutex::new(None);
    let plan = Plan::new(scenario);
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.clamp(1, cells.max(1) as usize) {
            scope.spawn(|| {
                loop {
                    let cell = next.fetch_add(1, Ordering::Relaxed);
                    if cell >= cells || options.stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let (replication, arm) = (range.start + cell / arms, cell % arms);
                    match plan.run(arm as usize, replication, options.stop) {
                        Ok(run) => lock(&pooled).add(arm as usize, replication, run),
                        Err(Broken::Stopped) => return,
                        Err(reason) => {
                            let error = explain(scenario, arm, replication, reason);
                            lock(&broken).get_or_insert(error);
                            next.store(cells, Ordering::Relaxed);
                            return;
                        }
                    }
                    (options.progress)(done.fetch_add(1, Ordering::Relaxed) + 1, cells);
                }
            });
        }
    });
    if let Some(error) = lock(&broken).take() {
        return Err(error);
    }
    let pooled = pooled.into_inner().unwrap_or_else(PoisonError::into_inner);
    if pooled.next_replication() == range.start {
        return Err(RunError::InterruptedTooEarly);
    }
    Ok(ScenarioResults {
        description: describe(scenario),
        interrupted: pooled.next_replication() < range.end,
        strategies: pooled.finish(scenario),
        verdicts: Verdicts::default(),
    })
}

/// Runs one replication, counted from 0, of one arm, and shows every request's record to `observe`
/// in the order of their ends: for who needs more of a run than its metrics.
///
/// # Errors
/// As [`run`].
pub fn replication(
    scenario: &Scenario,
    arm: usize,
    replication: u32,
    stop: &AtomicBool,
    observe: &mut dyn FnMut(&RequestRecord),
) -> Result<Run, RunError> {
    let (faults, _) = watch::faults(scenario, replication);
    let plan = Plan::new(scenario);
    let setup = plan.setup(&scenario.arms[arm], replication, &faults);
    let run = sim::run(&setup, stop, observe);
    run.map_err(|reason| explain(scenario, arm as u32, replication, reason))
}

/// Why a cell came to nothing, with what it takes to run it again.
fn explain(scenario: &Scenario, arm: u32, replication: u32, reason: Broken) -> RunError {
    let what = match reason {
        Broken::Stopped => return RunError::InterruptedTooEarly,
        Broken::Endless(requests) => return RunError::Endless(requests),
        Broken::Invariant(what) => what,
    };
    let (arm, seed) = (&scenario.arms[arm as usize].name, scenario.seed);
    RunError::InvariantBroken(format!(
        "{what} (strategy {arm}, replication {replication}, seed {seed})"
    ))
}

/// A panic in one worker is passed on by the scope; the data of the others is whole.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What all cells have in common.
struct Plan<'a> {
    scenario: &'a Scenario,
    lanes: Vec<usize>,
}

impl<'a> Plan<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let lanes = scenario
            .account_descriptions
            .iter()
            .map(|account| account.lane)
            .collect();
        Self { scenario, lanes }
    }

    fn run(&self, arm: usize, replication: u32, stop: &AtomicBool) -> Result<Cell, Broken> {
        let arm = &self.scenario.arms[arm];
        let mut requests = vec![];
        let keep = self.scenario.output.requests && replication == 0;
        let (faults, incidents) = watch::faults(self.scenario, replication);
        let setup = self.setup(arm, replication, &faults);
        let run = sim::run(&setup, stop, &mut |record| {
            if keep {
                requests.push(*record);
            }
        })?;
        Ok(Cell {
            run,
            requests,
            incidents,
        })
    }

    fn setup<'s>(&'s self, arm: &'s Arm, replication: u32, faults: &'s [FaultWatch]) -> Setup<'s> {
        let scenario = self.scenario;
        Setup {
            accounts: &scenario.accounts,
            models: scenario.models.len(),
            workload: &scenario.workload,
            upstream: &scenario.upstream,
            routing: &arm.routing,
            seed: scenario.seed,
            policy_seed: arm.policy_seed.unwrap_or(scenario.policy_seed),
            replication,
            warmup: scenario.warmup,
            duration: scenario.duration,
            failure_latency: failure_latency(scenario, arm),
            latency_objective: scenario.latency_objective,
            timeline_window: scenario.output.timeline_window,
            lanes: Lanes {
                of_account: &self.lanes,
                count: scenario.lanes.len(),
            },
            faults,
        }
    }
}

/// What a failure counts at least, among the latencies of all requests.
pub(super) fn failure_latency(scenario: &Scenario, arm: &Arm) -> Option<Duration> {
    scenario.deadline.or(arm.routing.deadline)
}

fn describe(scenario: &Scenario) -> Description {
    Description {
        name: scenario.name.clone(),
        question: scenario.question.clone(),
        expectation: scenario.expectation.clone(),
        resolved_toml: scenario.resolved_toml.clone(),
        seed: scenario.seed,
        policy_seed: scenario.policy_seed,
        replications: scenario.replications,
        duration: scenario.duration,
        warmup: scenario.warmup,
        deadline: scenario.deadline,
        latency_objective: scenario.latency_objective,
        models: scenario.models.clone(),
        regions: scenario.regions.clone(),
        classes: scenario
            .workload
            .classes
            .iter()
            .map(|class| class.name.clone())
            .collect(),
        accounts: scenario.account_descriptions.clone(),
        lanes: scenario.lanes.clone(),
        faults: watch::described(scenario),
        baseline: scenario.baseline,
        inputs: scenario.inputs.clone(),
    }
}
