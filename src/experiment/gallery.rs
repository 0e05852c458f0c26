//! What the gallery shows of a scenario: its two charts, and a sweep if there is one.
//!
//! The scenario's author knows which pictures answer its question; where nothing is said, the
//! course over time does for scenarios with faults, and the comparison for calm ones.

use super::sweep::Axis;
use crate::request::words;

words! {
    /// A chart of a scenario's results.
    Chart {
        /// Success rate and P99 latency over time.
        Timeline = "timeline",
        /// Differences from the baseline, with intervals.
        Comparison = "comparison",
        /// Cost against P99 latency.
        CostLatency = "cost_latency",
        /// Cumulative distribution of latency.
        LatencyCdf = "latency_cdf",
        /// Latency by percentile, out into the tail.
        LatencyPercentiles = "latency_percentiles",
        /// Where the attempts go, over time.
        LaneShare = "lane_share",
        /// When breakers were not closed.
        Breakers = "breakers",
    }
}

/// What the gallery shows of a scenario.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Gallery {
    /// Its two charts; `None` leaves the choice to routelab.
    pub charts: Option<[Chart; 2]>,
    /// Parameters that are swept for the gallery; empty for no sweep.
    pub sweep: Vec<Axis>,
}

impl Gallery {
    /// The two charts of a scenario with or without scheduled faults.
    #[must_use]
    pub fn charts(&self, faults: bool) -> [Chart; 2] {
        self.charts.unwrap_or(if faults {
            [Chart::Timeline, Chart::LaneShare]
        } else {
            [Chart::Comparison, Chart::CostLatency]
        })
    }
}
