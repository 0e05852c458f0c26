//! Charts as SVG files: what someone on call wants to see of a scenario.
//!
//! | file | answers |
//! |---|---|
//! | `timeline.svg` | what do users notice, and when is it over? |
//! | `comparison.svg` | who is better than the baseline, and is it more than chance? |
//! | `cost_latency.svg` | what does speed cost? |
//! | `latency_cdf.svg`, `latency_percentiles.svg` | how long do requests take, out into the tail? |
//! | `lane_share.svg` | where do the attempts go when something fails? |
//! | `breakers.svg` | when did breakers open and close? |
//!
//! SVG only: sharp at every size, readable in a diff, and no fonts or image codecs in the build.
//! The same results give the same bytes.

pub(super) mod axis;
mod breakers;
pub(super) mod canvas;
mod comparison;
mod course;
mod faults;
pub(super) mod frame;
mod latency;
mod marker;
pub(super) mod palette;
mod shares;
mod tradeoff;

use super::directory::File;
use crate::experiment::results::ScenarioResults;

/// Every chart of a scenario.
#[must_use]
pub fn files(results: &ScenarioResults) -> Vec<File> {
    vec![
        course::file(results),
        comparison::file(results),
        tradeoff::file(results),
        latency::cdf(results),
        latency::percentiles(results),
        shares::file(results),
        breakers::file(results),
    ]
}
