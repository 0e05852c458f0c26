//! Reading a timeline: rates and shares of its windows.

use crate::experiment::results::{ScenarioResults, StrategyResults, Timeline};
use crate::report::number::share;
use crate::report::summary::replications;
use crate::time::Duration;

/// The timeline of one strategy with what is needed to turn its counts into rates.
#[derive(Clone, Copy)]
pub struct Course<'a> {
    timeline: &'a Timeline,
    lanes: usize,
    replications: f64,
    /// End of the arrivals.
    duration: Duration,
}

impl<'a> Course<'a> {
    /// The course of `arm`.
    #[must_use]
    pub fn of(results: &'a ScenarioResults, arm: &'a StrategyResults) -> Self {
        Self {
            timeline: &arm.timeline,
            lanes: results.description.lanes.len(),
            replications: replications(results) as f64,
            duration: results.description.duration,
        }
    }

    /// How many windows there are.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.timeline.windows.len()
    }

    /// Start of a window.
    #[must_use]
    pub fn start(&self, window: usize) -> Duration {
        let length = self.timeline.window.as_nanos();
        Duration::from_nanos(length.saturating_mul(window as u64))
    }

    /// A count of a window as a rate per second of one replication. The last window of the
    /// arrivals may be cut short by their end; it is as long as it is, else the rate would seem
    /// to fall.
    #[must_use]
    pub fn per_second(&self, window: usize, count: u64) -> f64 {
        let left = self.duration.saturating_sub(self.start(window));
        let full = self.timeline.window;
        let length = if left == Duration::ZERO {
            full
        } else {
            left.min(full)
        };
        count as f64 / (length.as_secs_f64() * self.replications)
    }

    /// Attempts dispatched to a lane.
    #[must_use]
    pub fn dispatches(&self, window: usize, lane: usize) -> u64 {
        self.cell(&self.timeline.dispatches, window, lane)
    }

    /// Share of a window's dispatches that went to a lane; NaN if there were none.
    #[must_use]
    pub fn share(&self, window: usize, lane: usize) -> f64 {
        let all = (0..self.lanes).map(|lane| self.dispatches(window, lane));
        share(self.dispatches(window, lane), all.sum())
    }

    /// Share of time that the breakers of a lane were not closed; NaN for a lane without targets.
    #[must_use]
    pub fn lane_open_share(&self, window: usize, lane: usize) -> f64 {
        self.open(self.open_nanos(window, lane), self.targets(lane))
    }

    /// Share of time that breakers were not closed, over all targets.
    #[must_use]
    pub fn open_share(&self, window: usize) -> f64 {
        let lanes = 0..self.lanes;
        let open = lanes.clone().map(|lane| self.open_nanos(window, lane));
        self.open(open.sum(), lanes.map(|lane| self.targets(lane)).sum())
    }

    fn open(&self, nanos: u64, targets: u64) -> f64 {
        let possible = self.timeline.window.as_nanos() as f64 * self.replications;
        nanos as f64 / (possible * targets as f64)
    }

    fn open_nanos(&self, window: usize, lane: usize) -> u64 {
        self.cell(&self.timeline.open_nanos, window, lane)
    }

    fn targets(&self, lane: usize) -> u64 {
        let targets = self.timeline.lane_targets.get(lane);
        targets.map_or(0, |&targets| u64::from(targets))
    }

    fn cell(&self, cells: &[u64], window: usize, lane: usize) -> u64 {
        let at = window * self.lanes + lane;
        cells.get(at).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::Shape;

    #[test]
    fn a_window_cut_short_does_not_look_quiet() {
        let mut results = Shape::small().results();
        results.description.duration = Duration::from_secs(16);
        let course = Course::of(&results, &results.strategies[0]);
        let rates: Vec<f64> = (0..4).map(|at| course.per_second(at, 60)).collect();
        // 6 replications; windows of 5 s, the last of 1 s.
        assert_eq!(rates, [2.0, 2.0, 2.0, 10.0]);
        // After the arrivals have ended, windows are whole again.
        assert_eq!(course.per_second(4, 60).to_bits(), 2f64.to_bits());
    }

    #[test]
    fn shares_of_lanes_add_up() {
        let results = Shape::realistic().results();
        for arm in &results.strategies {
            let course = Course::of(&results, arm);
            for at in 0..course.windows() {
                let sum: f64 = (0..10).map(|lane| course.share(at, lane)).sum();
                assert!((sum - 1.0).abs() < 1e-12);
                assert!((0.0..=1.0).contains(&course.open_share(at)));
            }
        }
    }

    #[test]
    fn what_is_not_there_is_not_a_number() {
        let results = Shape::small().results();
        let course = Course::of(&results, &results.strategies[0]);
        assert!(course.share(999, 0).is_nan());
        assert!(course.lane_open_share(0, 999).is_nan());
    }
}
