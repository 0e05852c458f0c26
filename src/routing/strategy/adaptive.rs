//! `adaptive`: health, success, response, load and provider diversity in one score.
//!
//! Diversity changes for all targets of a provider at every dispatch, so it is added during the
//! scan: once for a run of targets of one provider, else target by target.

use super::View;
use super::scan::{Scan, highest_of_run};
use crate::rng::Rng;
use crate::routing::target::{TargetIndex, WORD};

pub(super) fn pick(
    view: &View,
    diversity_weight: f64,
    scan: &mut Scan,
    rng: &mut Rng,
) -> Option<TargetIndex> {
    let keys = view.pool.keys();
    let diversity = view
        .pool
        .shares()
        .shares()
        .map(|share| diversity_weight * (1.0 - share));
    let key = |at: usize| keys.adaptive_base[at] + diversity[usize::from(keys.provider[at] & 3)];
    let run = |word: usize| {
        let range = word * WORD..(word + 1) * WORD;
        let providers = &keys.provider[range.clone()];
        if providers[0] == providers[WORD - 1] && providers.iter().all(|p| *p == providers[0]) {
            // Rounding is monotone, so the highest base has the highest sum.
            highest_of_run(&keys.adaptive_base[range]) + diversity[usize::from(providers[0] & 3)]
        } else {
            range.map(key).fold(f64::NEG_INFINITY, f64::max)
        }
    };
    scan.highest_by(view.candidates, run, key, rng)
}
