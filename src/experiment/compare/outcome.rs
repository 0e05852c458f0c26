//! What a comparison comes to as a whole.
//!
//! "No regression" is a statement about all that the old result holds. A strategy or a scenario
//! that the new one lacks may have become worse unseen, and so may what one replication cannot
//! judge; a gate that passes for want of data is none.

use super::judge::{Comparison, Verdict};
use crate::experiment::metric::Metric;
use crate::stats::mean::estimate;

/// What a comparison comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// All was judged, and nothing has become worse by more than is allowed.
    Passed,
    /// So many regressions.
    Regression(usize),
    /// No regression in what was judged, but something was not.
    Incomplete,
    /// Nothing was judged at all.
    NothingJudged,
}

impl Outcome {
    /// The word for it in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Regression(_) => "regression",
            Self::Incomplete => "incomplete",
            Self::NothingJudged => "nothing_judged",
        }
    }
}

impl Comparison {
    /// What it comes to.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let count = |what: &dyn Fn(Verdict) -> bool| self.verdicts().filter(|v| what(*v)).count();
        let failed = count(&Verdict::fails);
        let unknown = count(&|verdict| verdict == Verdict::Unknown);
        let idle = count(&|verdict| verdict == Verdict::NotApplicable);
        if failed > 0 {
            Outcome::Regression(failed)
        } else if unknown + idle == self.verdicts().count() {
            Outcome::NothingJudged
        } else if unknown > 0 || self.lacks_something() {
            Outcome::Incomplete
        } else {
            Outcome::Passed
        }
    }

    /// All verdicts.
    pub fn verdicts(&self) -> impl Iterator<Item = Verdict> {
        let strategies = self.scenarios.iter().flat_map(|s| &s.strategies);
        strategies.flat_map(|s| s.findings.iter().map(|finding| finding.verdict))
    }

    /// Whether a scenario or a strategy of the old result is not in the new one, and should be.
    fn lacks_something(&self) -> bool {
        let lost = self.scenarios.iter().any(|s| !s.only_old.is_empty());
        !self.may_lack && (lost || !self.only_old.is_empty())
    }

    /// The rules that could be judged of no strategy.
    #[must_use]
    pub fn idle_rules(&self) -> Vec<usize> {
        let idle = |&at: &usize| !self.applies(self.rules[at].metric);
        (0..self.rules.len()).filter(idle).collect()
    }

    /// Whether there is a strategy of which a metric can be judged: it was there before.
    #[must_use]
    pub fn applies(&self, metric: Metric) -> bool {
        let mut strategies = self.scenarios.iter().flat_map(|s| &s.strategies);
        strategies.any(|s| estimate(&s.old.values(metric, usize::MAX)).is_some())
    }
}
