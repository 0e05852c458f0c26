//! `fastest_response`: smallest estimate of the response time, of the time to first token for
//! streaming requests.
//!
//! Unmeasured targets are probed when idle (see [`super`]) and otherwise come last, so a new
//! account is neither flooded nor starved. Estimates come from answers, so between two answers all
//! requests go to the same target: that is what the strategy says, and what the simulation shows.

use super::View;
use super::scan::Scan;
use crate::rng::Rng;
use crate::routing::target::TargetIndex;

pub(super) fn pick(view: &View, scan: &mut Scan, rng: &mut Rng) -> Option<TargetIndex> {
    let keys = view.pool.keys();
    let keys = if view.features.streaming {
        &keys.first_token
    } else {
        &keys.response
    };
    scan.highest(view.candidates, &view.pool.sets().admitting, keys, rng)
}
