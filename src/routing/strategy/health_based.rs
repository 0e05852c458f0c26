//! `health_based`: highest health score.

use super::View;
use super::scan::Scan;
use crate::rng::Rng;
use crate::routing::target::TargetIndex;

pub(super) fn pick(view: &View, scan: &mut Scan, rng: &mut Rng) -> Option<TargetIndex> {
    scan.highest(
        view.candidates,
        &view.pool.sets().admitting,
        &view.pool.keys().health,
        rng,
    )
}
