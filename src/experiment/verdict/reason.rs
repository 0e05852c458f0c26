//! Why a question cannot be answered by the results.

use std::fmt;

/// Why there is no verdict.
#[derive(Clone, PartialEq, Debug)]
pub enum Reason {
    /// There are no results of this strategy.
    Missing(String),
    /// The metric does not apply to a replication of this strategy.
    NothingMeasured {
        /// Which strategy.
        strategy: String,
        /// In which replication, from 0.
        replication: usize,
        /// Whether no request succeeded there.
        no_success: bool,
    },
    /// Too few numbers lie beyond the quantile.
    TooFewSamples {
        /// Which strategy.
        strategy: String,
        /// Numbers in its smallest replication.
        samples: u64,
        /// Numbers that it takes.
        needed: u64,
    },
    /// Over successes only, while the success rates differ by so much.
    Survivors {
        /// Strategy less baseline, 0 to 1.
        difference: f64,
    },
    /// Single requests decide the mean.
    HeavyTail,
    /// More comes in than can be served, for ever.
    Overloaded {
        /// Which strategy.
        strategy: String,
        /// At which account.
        account: String,
        /// Offered load over capacity.
        utilisation: f64,
    },
    /// The sign test says the opposite of the t test.
    Signs,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(strategy) => write!(f, "there are no results of `{strategy}`"),
            Self::NothingMeasured {
                strategy,
                replication,
                no_success,
            } => {
                let why = if *no_success {
                    "no request succeeded"
                } else {
                    "there was nothing to measure"
                };
                write!(f, "{why} in replication {replication} of `{strategy}`")
            }
            Self::TooFewSamples {
                strategy,
                samples,
                needed,
            } => write!(
                f,
                "a replication of `{strategy}` has {samples} numbers, and the quantile needs \
                 {needed} (100 beyond it): make `duration` longer"
            ),
            Self::Survivors { difference } => write!(
                f,
                "it is over successes only, while the success rates differ by {:+.2} points: who \
                 fails the slow ones wins; claim it over all requests (`_all`)",
                difference * 100.0
            ),
            Self::HeavyTail => write!(
                f,
                "service times vary so much that single requests decide the mean, and no deadline \
                 bounds them: claim a quantile, or set `deadline`"
            ),
            Self::Overloaded {
                strategy,
                account,
                utilisation,
            } => write!(
                f,
                "under `{strategy}` the account `{account}` is offered {utilisation:.2} times what \
                 it can do, and nobody gives up: its queue grows for ever, and any mean only says \
                 how long the run was"
            ),
            Self::Signs => write!(
                f,
                "the mean lies on one side and most replications on the other: a few extreme ones \
                 decide"
            ),
        }
    }
}
