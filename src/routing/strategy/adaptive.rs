//! `adaptive`: health, success, response, load and provider diversity in one score.
//!
//! Diversity changes for all targets of a provider at every dispatch, so it is added during the
//! scan, to the best of each provider in a word: rounding is monotone, so the highest base has the
//! highest sum.

use super::View;
use super::scan::Scan;
use crate::rng::Rng;
use crate::routing::target::TargetIndex;

pub(super) fn pick(
    view: &View,
    diversity_weight: f64,
    scan: &mut Scan,
    rng: &mut Rng,
) -> Option<TargetIndex> {
    let shares = view.pool.shares().shares();
    let diversity = shares.map(|share| diversity_weight * (1.0 - share));
    let keys = view.pool.keys();
    scan.highest_in_groups(view, &keys.adaptive_base, &diversity, &keys.provider, rng)
}
