//! `adaptive`: health, success, response, load and provider diversity in one score.
//!
//! Diversity changes for all targets of a provider at every dispatch, so it is added during the
//! scan, to the best of each provider in a word: rounding is monotone, so the highest base has the
//! highest sum.

use super::View;
use super::scan::{Scan, equal_to, higher, highest_of_few};
use crate::rng::Rng;
use crate::routing::pool::{FEW, PROVIDERS};
use crate::routing::target::{TargetIndex, WORD, members};

pub(super) fn pick(
    view: &View,
    diversity_weight: f64,
    scan: &mut Scan,
    rng: &mut Rng,
) -> Option<TargetIndex> {
    let keys = view.pool.keys();
    let shares = view.pool.shares().shares();
    let diversity = shares.map(|share| diversity_weight * (1.0 - share));
    let base = &keys.adaptive_base;
    let admitting = view.pool.sets().admitting.words();
    if let [few] = view.candidates.words()
        && base.len() <= FEW
    {
        let bases = base.of_word(0).iter().zip(&keys.provider);
        let sums = bases.map(|(base, provider)| base + diversity[usize::from(*provider)]);
        return highest_of_few(*few, sums, rng);
    }
    let key = |at: usize| base.key(at) + diversity[usize::from(keys.provider[at])];
    let groups = |word: usize| {
        let highest = &base.highest()[word * PROVIDERS..(word + 1) * PROVIDERS];
        highest
            .iter()
            .zip(&diversity)
            .map(|(base, extra)| base + extra)
    };
    let best_of = |word: usize, candidates: u64| {
        if candidates == admitting[word] {
            groups(word).fold(f64::NEG_INFINITY, higher)
        } else {
            let keys = members(candidates).map(|bit| key(word * WORD + bit as usize));
            keys.fold(f64::NEG_INFINITY, higher)
        }
    };
    let ties = |word: usize, best: f64| {
        let bases = base.of_word(word);
        let providers = &keys.provider[word * WORD..][..bases.len()];
        let mut ties = 0;
        for (provider, highest) in groups(word).enumerate() {
            if highest >= best {
                let of_provider = |bit: &u32| usize::from(providers[*bit as usize]) == provider;
                let equal = equal_to(bases, best, |base| base + diversity[provider]);
                ties |= members(equal)
                    .filter(of_provider)
                    .fold(0, |ties, bit| ties | 1 << bit);
            }
        }
        ties
    };
    scan.highest_by(view.candidates, best_of, ties, rng)
}
