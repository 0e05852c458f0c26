//! `geographic`: the nearest region by the round-trip table, and inside it the least loaded
//! account.
//!
//! A region whose candidates and full accounts together use more than 90 % of their in-flight
//! limits spills over to the next one: nearest at any price would queue behind a full region while
//! others are idle. Where all are above it, the least loaded account of all. A user in an unknown
//! region gets the least loaded. Load is the share of the in-flight limit in use, the same as in
//! the other scores.

use super::View;
use super::scan::Scan;
use crate::request::RegionIndex;
use crate::rng::Rng;
use crate::routing::geography::Geography;
use crate::routing::target::{TargetIndex, TargetSet};

/// The order of regions, and working memory.
#[derive(Clone, Debug)]
pub(super) struct Geographic {
    geography: Geography,
    spill_above: f64,
    near: TargetSet,
    loaded: TargetSet,
}

impl Geographic {
    /// Regions in the order of `geography`.
    pub fn new(geography: Geography, spill_above: f64) -> Self {
        Self {
            geography,
            spill_above,
            near: TargetSet::default(),
            loaded: TargetSet::default(),
        }
    }

    /// Picks one of the candidates.
    pub fn pick(&mut self, view: &View, scan: &mut Scan, rng: &mut Rng) -> Option<TargetIndex> {
        let connections = &view.pool.keys().connections;
        let admitting = &view.pool.sets().admitting;
        if let Some(user) = view.features.user_region {
            for group in self.geography.nearest(user) {
                self.near.assign(view.candidates);
                keep_near(view, group, &mut self.near);
                if !self.near.is_empty()
                    && region_load(view, group, &self.near, &mut self.loaded) <= self.spill_above
                {
                    return scan.highest(&self.near, admitting, connections, rng);
                }
            }
        }
        scan.highest(view.candidates, admitting, connections, rng)
    }
}

/// Load of the candidates `near` in a region together with its full accounts: these are no
/// candidates, but their load is the region's. `loaded` is working memory.
fn region_load(
    view: &View,
    group: &[RegionIndex],
    near: &TargetSet,
    loaded: &mut TargetSet,
) -> f64 {
    let sets = view.pool.sets();
    let (Some(full), Some(serving)) = (sets.full(), sets.serving(view.features.model)) else {
        return load(view, near);
    };
    loaded.assign_and(full, serving);
    keep_near(view, group, loaded);
    loaded.extend_with(near);
    load(view, loaded)
}

/// Keeps the targets in a group of equally near regions.
fn keep_near(view: &View, group: &[RegionIndex], targets: &mut TargetSet) {
    let mut regions = group
        .iter()
        .filter_map(|region| view.pool.sets().in_region(*region));
    match (regions.next(), regions.next()) {
        (Some(only), None) => targets.retain_in(only),
        _ => targets.retain(|target| {
            let region = view.pool.account(view.pool.account_of(target)).region;
            region.is_some_and(|region| group.contains(&region))
        }),
    }
}

/// Share of their in-flight limits that some targets use together.
fn load(view: &View, targets: &TargetSet) -> f64 {
    let (mut in_flight, mut limit) = (0u64, 0u64);
    for target in targets.iter() {
        let account = view.pool.account_of(target);
        in_flight += u64::from(view.pool.in_flight(account));
        limit += u64::from(view.pool.account(account).max_in_flight);
    }
    in_flight as f64 / limit.max(1) as f64
}
