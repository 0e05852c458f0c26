//! `random`: uniform. The baseline of the latency claim.

use super::View;
use super::scan::uniform;
use crate::rng::Rng;
use crate::routing::target::TargetIndex;

pub(super) fn pick(view: &View, rng: &mut Rng) -> Option<TargetIndex> {
    uniform(view.candidates, rng)
}
