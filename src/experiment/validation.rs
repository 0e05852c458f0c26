//! Whether the simulator agrees with queueing theory and with a published experiment.
//!
//! Every number comes from an ordinary scenario, read by the ordinary parser and run by the
//! ordinary engine and routing code: a special loop would validate itself. What is special is only
//! that response times are kept one by one (`sample`).
//!
//! Seeds are not 1, 2, ..., but one for each system, a hash of its name (`suite`): with the same
//! seeds for all, systems would share their arrivals, and their distances from theory would be no
//! sample of chance.
//!
//! - `fixture`: the reference table; [`crate::stats::queueing`]: formulas
//! - `suite`: what is run; `system`: systems as scenario texts
//! - `cell`: when a simulated number agrees with theory
//! - `chance`: whether all distances together are chance
//! - `exact`: what must hold to the nanosecond
//! - `pending`: rows that wait for strategies which do not exist yet

mod cell;
mod chance;
mod exact;
mod fixture;
mod pending;
mod sample;
mod suite;
mod system;

pub use cell::{Cell, MOST_ERRORS, MOST_RELATIVE, PRECISE, Rule};
pub use chance::{Chance, Reading, Standing, WORLDS};
pub use exact::Identity;
pub use fixture::{Row, Theory, rows};
pub use pending::Pending;
pub use system::WARMUP;

use super::run::{self, RunError, each};
use super::scenario::Scenario;
use crate::time::Timestamp;
use sample::{Measure, Sample};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use suite::{Case, Source};

/// How much to run, and how.
pub struct Options<'a> {
    /// Factor on the requests of every system; 1 is the default size.
    pub scale: f64,
    /// Replications of every system, from the first one on. At least 2.
    pub replications: u32,
    /// Which worlds: 0 for those of the page that comes with routelab, any other for others.
    pub seed: u32,
    /// Worker threads, at least 1; no result depends on them.
    pub jobs: usize,
    /// Set from outside to stop early.
    pub stop: &'a AtomicBool,
    /// Called after each run with the number of runs in all, from any thread.
    pub progress: &'a (dyn Fn(u32) + Sync),
}

/// Replications of the command: enough for the normal law of a mean, few enough for long ones.
pub const REPLICATIONS: u32 = 40;

/// What was found.
#[derive(Clone, PartialEq, Debug)]
pub struct Validation {
    /// Factor on the requests of every system.
    pub scale: f64,
    /// Replications of every system; of the Linkerd experiment 10 at most.
    pub replications: u32,
    /// Which worlds; 0 for the usual ones.
    pub seed: u32,
    /// Runs in all.
    pub runs: u32,
    /// Requests simulated in all, warm-ups included.
    pub requests: u64,
    /// Comparisons, in the order of the page; those of one model are neighbours.
    pub cells: Vec<Cell>,
    /// Whether their distances are chance; `None` of fewer than ten replications.
    pub chance: Option<Chance>,
    /// Identities in integers.
    pub identities: Vec<Identity>,
    /// Rows that wait.
    pub pending: Vec<Pending>,
    /// Defects of the validation itself: rows that are neither run nor waiting, and waiting ones
    /// that need not wait.
    pub gaps: Vec<String>,
    /// One of the scenarios that were run.
    pub example: String,
}

impl Validation {
    /// Whether everything agrees and nothing is left out.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.gaps.is_empty()
            && self.cells.iter().all(Cell::agrees)
            && self.identities.iter().all(Identity::holds)
    }
}

/// Runs everything.
///
/// # Errors
/// If it is stopped, or an invariant of the simulation does not hold.
pub fn run(options: &Options) -> Result<Validation, RunError> {
    let cases = suite::cases();
    let identities = exact::identities(options.stop)?;
    let prepared = cases.iter().map(|case| Prepared::new(case, options));
    let prepared = prepared.collect::<Result<Vec<_>, _>>()?;
    let tasks: Vec<(usize, u32)> = prepared.iter().enumerate().flat_map(tasks_of).collect();
    let requests = AtomicU64::new(0);
    let done = each(
        &tasks,
        options.jobs,
        options.progress,
        |(case, replication)| prepared[case].run(replication, options.stop, &requests),
    )?;
    let mut done = done.into_iter();
    let mut cells = vec![];
    for (case, prepared) in cases.iter().zip(&prepared) {
        let runs: Vec<Vec<f64>> = done.by_ref().take(prepared.replications()).collect();
        for (at, wanted) in case.wanted.iter().enumerate() {
            let values: Vec<f64> = runs.iter().map(|run| run[at]).collect();
            cells.push(wanted.cell(case, &values));
        }
    }
    Ok(Validation {
        scale: options.scale,
        seed: options.seed,
        replications: options.replications,
        runs: tasks.len() as u32,
        requests: requests.into_inner(),
        chance: chance::judge(&cells),
        cells,
        identities,
        pending: pending::rows(&cases),
        gaps: pending::gaps(&cases),
        example: prepared
            .first()
            .map_or_else(String::new, |first| first.text.clone()),
    })
}

/// The reference column without running anything: model, parameters, how it is run, metric, and
/// what theory says, in the order of the cells.
#[must_use]
pub fn expected() -> Vec<(String, String, String, String, Theory)> {
    let cases = suite::cases().into_iter();
    let cells = cases.flat_map(|case| {
        let wanted = case.wanted.clone().into_iter();
        wanted.map(move |wanted| {
            let (model, parameters) = (case.model.clone(), case.parameters.clone());
            (
                model,
                parameters,
                case.how.clone(),
                wanted.metric,
                wanted.theory,
            )
        })
    });
    cells.collect()
}

/// The shipped scenario of the Linkerd experiment.
const LINKERD: &str = include_str!("../../scenarios/linkerd-2016.toml");

/// A case that can be run.
struct Prepared {
    text: String,
    scenario: Scenario,
    arm: usize,
    measures: Vec<Measure>,
}

fn tasks_of((case, prepared): (usize, &Prepared)) -> impl Iterator<Item = (usize, u32)> {
    (0..prepared.scenario.replications).map(move |replication| (case, replication))
}

impl Prepared {
    fn new(case: &Case, options: &Options) -> Result<Self, RunError> {
        let (text, name) = match &case.scenario {
            Source::System(system, requests) => {
                let requests = *requests as f64 * options.scale / f64::from(options.replications);
                let requests = requests.ceil() as u64;
                (
                    system.text(case.seed(options.seed), options.replications, requests),
                    None,
                )
            }
            Source::Linkerd(arm) => (LINKERD.to_owned(), Some(*arm)),
        };
        // Round robin is not left to chance at all there, and the others hardly.
        let scenario = exact::scenario(&text, name.and(Some(options.replications.min(10))))?;
        let arm = match name {
            Some(name) => scenario.arms.iter().position(|arm| arm.name == name),
            None => Some(0),
        };
        let missing = || RunError::InvariantBroken(format!("no arm {}", name.unwrap_or_default()));
        Ok(Self {
            arm: arm.ok_or_else(missing)?,
            measures: case.wanted.iter().map(|wanted| wanted.measure).collect(),
            text,
            scenario,
        })
    }

    fn replications(&self) -> usize {
        self.scenario.replications as usize
    }

    /// The numbers of one replication.
    fn run(
        &self,
        replication: u32,
        stop: &AtomicBool,
        requests: &AtomicU64,
    ) -> Result<Vec<f64>, RunError> {
        let from = Timestamp::ZERO + self.scenario.warmup;
        let to = Timestamp::ZERO + self.scenario.duration;
        let states = self.measures.iter().any(|m| matches!(m, Measure::State(_)));
        let mut sample = Sample::new(from, to, states);
        let run = run::replication(&self.scenario, self.arm, replication, stop, &mut |record| {
            sample.add(record);
        })?;
        sample.finish(&run);
        requests.fetch_add(run.simulated, Ordering::Relaxed);
        Ok(sample.numbers(&self.measures))
    }
}
