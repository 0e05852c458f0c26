//! `least_connections`: smallest number in flight per weight.
//!
//! The count is the gateway's own and changes at dispatch, not when an answer comes back: a burst
//! of requests spreads over the pool instead of following one stale figure. Targets whose breaker
//! is open are no candidates, so an account that is idle because it is broken does not win.

use super::View;
use super::scan::Scan;
use crate::rng::Rng;
use crate::routing::target::TargetIndex;

pub(super) fn pick(view: &View, scan: &mut Scan, rng: &mut Rng) -> Option<TargetIndex> {
    scan.highest(
        view.candidates,
        &view.pool.sets().admitting,
        &view.pool.keys().free,
        rng,
    )
}
