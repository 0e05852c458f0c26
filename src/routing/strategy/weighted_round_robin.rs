//! `weighted_round_robin`: smooth weighted round robin on integers (Sysoev, nginx 1.3.1, 2012).
//!
//! Each pick, every candidate's credit grows by its weight, the highest credit is picked and pays
//! the sum of the weights. The picks of a heavy account are spread evenly instead of coming in a
//! burst: weights (5,1,1) give a a b a c a a. Ties go in account order: credits make that fair. A
//! target that is no candidate keeps its credit and neither gains nor pays.

use super::View;
use crate::routing::target::TargetIndex;

/// Credit by target.
#[derive(Clone, Debug, Default)]
pub(super) struct WeightedRoundRobin {
    credit: Vec<i64>,
}

impl WeightedRoundRobin {
    /// Picks one of the candidates.
    pub fn pick(&mut self, view: &View) -> Option<TargetIndex> {
        let weights = &view.pool.keys().weight;
        self.credit.resize(weights.len(), 0);
        let (mut best, mut best_credit, mut total) = (None, i64::MIN, 0);
        for target in view.candidates.iter() {
            let credit = &mut self.credit[target.at()];
            *credit += weights[target.at()];
            total += weights[target.at()];
            if *credit > best_credit {
                (best, best_credit) = (Some(target), *credit);
            }
        }
        self.credit[best?.at()] -= total;
        best
    }
}
