//! A campaign: a scenario is run until claims about it are decided, and no longer.
//!
//! Replications come in the steps of the looks. Those already run are kept, because a replication
//! is a function of its number: running 20 gives the first 10 again.

mod answered;
mod recovery;

pub use answered::{Answered, answered};
pub use recovery::{LIMIT_S, Recovery, Times, recoveries};

use super::claim::{Claim, SYSTEM};
use super::results::ScenarioResults;
use super::run::{RunError, RunOptions, run_range};
use super::scenario::Scenario;
use super::verdict::{self, Judgement, Plan, Verdict};
use crate::stats::alpha::LOOKS;
use crate::time::Duration;

/// What became of the claims about one scenario.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Results of all replications that were run.
    pub results: ScenarioResults,
    /// Verdicts, in the order of the claims.
    pub judgements: Vec<Judgement>,
    /// How the breaker of the system under test comes back; `None` where it has none.
    pub reopening: Option<Reopening>,
}

/// How long a breaker refuses, and what it takes to close it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reopening {
    /// Its open time.
    pub first: Duration,
    /// The longest that it can grow to; the same where it does not grow.
    pub longest: Duration,
    /// Successful probes in a row.
    pub probes: u32,
}

impl Reopening {
    /// That of the system under test in a scenario.
    fn of_system(scenario: &Scenario) -> Option<Self> {
        let system = scenario.arms.iter().find(|arm| arm.name == SYSTEM)?;
        let breaker = system.routing.breaker?;
        let first = breaker.open_time;
        Some(Self {
            first,
            longest: breaker.open_time_growth.map_or(first, |growth| growth.cap),
            probes: breaker.successes_to_close,
        })
    }
}

/// Runs a scenario look by look, at most `most` replications, until no claim is undecided. The
/// claims share the allowance for error.
///
/// # Errors
/// As [`super::run::run`]. Stopped after the first look, it gives what is finished, marked.
pub fn run_by_looks(
    scenario: &Scenario,
    claims: &[Claim],
    most: usize,
    options: &RunOptions,
) -> Result<Campaign, RunError> {
    let mut campaign: Option<Campaign> = None;
    for look in LOOKS.into_iter().take_while(|look| *look <= most) {
        let done = campaign.as_ref().map_or(0, Campaign::replications);
        let results = match (run_range(scenario, done..look as u32, options), campaign) {
            (Ok(more), None) => more,
            (Ok(more), Some(mut before)) => {
                before.results.append(more);
                before.results
            }
            (Err(RunError::InterruptedTooEarly), Some(mut before)) => {
                before.results.interrupted = true;
                return Ok(before);
            }
            (Err(error), _) => return Err(error),
        };
        let series = verdict::all_series(scenario, &results);
        let plan = Plan {
            claims: claims.len(),
            replications: most,
        };
        let judged = claims.iter().map(|one| verdict::judge(one, plan, &series));
        let judgements: Vec<Judgement> = judged.collect();
        let open = |judged: &Judgement| matches!(judged.verdict, Verdict::Undecided(_));
        let goes_on = judgements.iter().any(open) && !results.interrupted;
        campaign = Some(Campaign {
            results,
            judgements,
            reopening: Reopening::of_system(scenario),
        });
        if !goes_on {
            break;
        }
    }
    campaign.ok_or(RunError::InterruptedTooEarly)
}

impl Campaign {
    /// Replications of every strategy.
    #[must_use]
    pub fn replications(&self) -> u32 {
        let finished = self
            .results
            .strategies
            .iter()
            .map(|arm| arm.replications.len());
        finished.min().unwrap_or(0) as u32
    }
}
