//! A campaign: a scenario is run until claims about it are decided, and no longer.
//!
//! Replications come in the steps of the looks. Those already run are kept, because a replication
//! is a function of its number: running 20 gives the first 10 again.

mod recovery;

pub use recovery::{LIMIT_S, Recovery, Times, recoveries};

use super::claim::Claim;
use super::results::ScenarioResults;
use super::run::{RunError, RunOptions, run_range};
use super::scenario::Scenario;
use super::verdict::{self, Judgement, Plan, Verdict};
use crate::stats::alpha::LOOKS;

/// What became of the claims about one scenario.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Results of all replications that were run.
    pub results: ScenarioResults,
    /// Verdicts, in the order of the claims.
    pub judgements: Vec<Judgement>,
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
        });
        if !goes_on {
            break;
        }
    }
    campaign.ok_or(RunError::InterruptedTooEarly)
}

impl Campaign {
    fn replications(&self) -> u32 {
        let finished = self
            .results
            .strategies
            .iter()
            .map(|arm| arm.replications.len());
        finished.min().unwrap_or(0) as u32
    }
}
