//! What a change of latency over all requests is made of: answers that are faster, or failures that
//! did not happen.
//!
//! A failure counts with the deadline, so that who fails fast does not look fast. So a higher
//! success rate alone lowers the mean over all requests, and a reader who takes that for faster
//! answers is misled. The change over answered requests alone stands beside it: as information and
//! no verdict, because it compares the requests that one arm answered with those that the other
//! did, which are not the same.

use crate::experiment::metric::Metric;
use crate::experiment::results::{ScenarioResults, StrategyResults};
use crate::experiment::verdict::{Judgement, SURVIVORS};
use crate::stats::mean::{Estimate, difference_at};
use crate::stats::ratio::{RelativeChange, relative_change_at};

/// What stands beside a claim about latency over all requests, over the same replications and at
/// the same level.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Answered {
    /// Change of the same latency over answered requests alone; `None` where one arm answered none.
    pub latency: Option<RelativeChange>,
    /// Success rate of the strategy less that of the baseline.
    pub success_rate: Option<Estimate>,
}

impl Answered {
    /// Whether success rates differ by more than chance, and by more than 0.1 points, from where on
    /// latencies over successes compare other requests.
    #[must_use]
    pub fn success_differs(&self) -> bool {
        self.success_rate.is_some_and(|difference| {
            let clear = difference.interval.is_some_and(|i| !i.contains(0.0));
            clear && difference.mean.abs() > SURVIVORS
        })
    }
}

/// What stands beside a verdict; `None` where the claim is not about latency over all requests, or
/// an arm is missing.
#[must_use]
pub fn answered(results: &ScenarioResults, judged: &Judgement) -> Option<Answered> {
    let claim = &judged.claim;
    let metric = claim.metric.over_successes()?;
    let find = |name: &str| results.strategies.iter().find(|arm| arm.name == name);
    let arms = [find(&claim.strategy)?, find(&claim.baseline)?];
    let numbers = |arm: &StrategyResults, metric: Metric| -> Vec<f64> {
        let each = arm.replications.iter().take(judged.replications);
        each.map(|replication| replication.metrics[metric])
            .collect()
    };
    let [times, rates] = [metric, Metric::SuccessRate].map(|m| arms.map(|arm| numbers(arm, m)));
    Some(Answered {
        latency: relative_change_at(&times[0], &times[1], judged.alpha),
        success_rate: difference_at(&rates[0], &rates[1], judged.alpha),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Interval;

    #[test]
    fn success_differs_by_more_than_chance_and_by_something() {
        let differs = |mean: f64, half: f64| {
            let interval = Some(Interval {
                low: mean - half,
                high: mean + half,
            });
            let success_rate = Some(Estimate { mean, interval });
            Answered {
                latency: None,
                success_rate,
            }
            .success_differs()
        };
        assert!(differs(0.08, 0.01) && differs(-0.08, 0.01));
        assert!(!differs(0.08, 0.09) && !differs(0.0009, 0.0001));
    }
}
