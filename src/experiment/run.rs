//! Running a scenario: every (strategy, replication) cell, in parallel, pooled in order.

use crate::experiment::results::ScenarioResults;
use crate::experiment::scenario::Scenario;
use std::sync::atomic::AtomicBool;

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
            Self::InvariantBroken(what) => write!(f, "broken invariant: {what}; please report it"),
        }
    }
}

impl std::error::Error for RunError {}

/// Runs every strategy of the scenario.
///
/// # Errors
/// If it is stopped too early, or an invariant of the simulation does not hold.
pub fn run(_scenario: &Scenario, _options: &RunOptions) -> Result<ScenarioResults, RunError> {
    todo!("the engine is not connected yet")
}
