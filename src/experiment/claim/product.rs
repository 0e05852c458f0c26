//! The claims that are made for the system under test, to be judged on any scenario.
//!
//! "Success rate +15 to 25 % against plain round robin" and "mean latency -20 to 30 % against
//! random routing" leave two things open. Per cent of what: both readings of a success rate are
//! judged, relative and in points. Against what: *plain* is without breaker and retries, which is
//! what "plain" says, but then a gain may be the breaker's or the retries'; so the same strategies
//! are also run with the resilience of the scenario, and what is left is the doing of the strategy.

use super::{Amount, Claim, Relation};
use crate::experiment::metric::Metric;
use crate::stats::alpha::Alpha;

/// Name of the arm that is the system under test.
pub const SYSTEM: &str = "smart";

/// A claim about the product.
#[derive(Clone, PartialEq, Debug)]
pub struct ProductClaim {
    /// What the claim is called.
    pub id: &'static str,
    /// Whether the baseline has the same breaker and retries.
    pub same_resilience: bool,
    /// The claim.
    pub claim: Claim,
}

/// What makes any scenario one to judge the product by, as after `--set`: the system and its
/// baselines, and no claims of its own.
pub const SETTINGS: [&str; 5] = [
    "strategies=[\"smart\", \"round_robin\", \"random\", { name = \"round_robin_plain\", \
     strategy = \"round_robin\", breaker = false, max_attempts = 1 }, { name = \"random_plain\", \
     strategy = \"random\", breaker = false, max_attempts = 1 }]",
    "baseline=\"round_robin\"",
    "claims=[]",
    "thresholds=[]",
    "output.requests=false",
];

/// The claims, those against plain baselines first.
#[must_use]
pub fn claims() -> Vec<ProductClaim> {
    let mut all = vec![];
    for same_resilience in [false, true] {
        let against = |strategy: &str| {
            let plain = if same_resilience { "" } else { "_plain" };
            format!("{strategy}{plain}")
        };
        let mut add = |id, metric, baseline: &str, relation, most| {
            all.push(ProductClaim {
                id,
                same_resilience,
                claim: Claim {
                    metric,
                    strategy: SYSTEM.to_owned(),
                    baseline: against(baseline),
                    relation,
                    up_to: Some(most),
                    alpha: Alpha::FIVE_PERCENT,
                    expect: None,
                },
            });
        };
        for kind in [Amount::Relative, Amount::Absolute] {
            let (gain, rate) = (
                Relation::IncreasesByAtLeast(kind(0.15)),
                Metric::SuccessRate,
            );
            add("success-gain", rate, "round_robin", gain, kind(0.25));
        }
        let (gain, mean) = (
            Relation::ReducesByAtLeast(Amount::Relative(0.2)),
            Metric::LatencyMeanAll,
        );
        add("latency-gain", mean, "random", gain, Amount::Relative(0.3));
    }
    all
}
