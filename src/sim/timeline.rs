//! The course of a run over time, in windows.
//!
//! Requests belong to the window of their intended arrival, so that a window's success rate is that
//! of the users who came then, however long they waited. Everything is integer counts: windows of
//! several replications add up to the same numbers in any order.

use crate::histogram::Histogram;
use crate::record::{Outcome, RequestRecord};
use crate::request::AccountIndex;
use crate::routing::breaker::{BreakerState, Transition};
use crate::routing::pool::Pool;
use crate::routing::target::TargetIndex;
use crate::sim::Setup;
use crate::time::{Duration, Timestamp};
use crate::units::NanoUsd;

/// Course over time. Windows are by intended arrival; `dispatches` and `open_nanos` by when they
/// happened. What happens after the last arrival window is left out.
#[derive(Clone, Debug)]
pub struct Timeline {
    /// Length of a window.
    pub window: Duration,
    /// Windows from time 0 on.
    pub windows: Vec<Window>,
    /// Attempts dispatched, `windows x lanes`, row by row.
    pub dispatches: Vec<u64>,
    /// Nanoseconds that a breaker was not closed, summed over the targets of a lane, `windows x
    /// lanes`, row by row.
    pub open_nanos: Vec<u64>,
    /// Targets of each lane: `open_nanos` over (this x window x replications) is the share of time
    /// not closed.
    pub lane_targets: Vec<u32>,
}

/// Requests that arrived in one window.
#[derive(Clone, Debug)]
pub struct Window {
    /// Arrivals.
    pub requests: u64,
    /// Of them answered.
    pub successes: u64,
    /// Of them answered within the latency objective.
    pub within_objective: u64,
    /// Of them refused without an attempt.
    pub rejections: u64,
    /// Attempts made for them.
    pub attempts: u64,
    /// Money charged for them.
    pub cost: NanoUsd,
    /// Latency over all of them, failures at max(their time, the deadline).
    pub latency_all: Histogram,
}

/// Which lane each account belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Lanes<'a> {
    /// Lane by account.
    pub of_account: &'a [usize],
    /// Number of lanes.
    pub count: usize,
}

impl Timeline {
    /// Adds another replication of the same scenario.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.windows.iter_mut().zip(&other.windows) {
            mine.merge(theirs);
        }
        let add = |(mine, theirs): (&mut u64, &u64)| *mine += theirs;
        self.dispatches
            .iter_mut()
            .zip(&other.dispatches)
            .for_each(add);
        self.open_nanos
            .iter_mut()
            .zip(&other.open_nanos)
            .for_each(add);
    }
}

impl Window {
    fn new() -> Self {
        Self {
            requests: 0,
            successes: 0,
            within_objective: 0,
            rejections: 0,
            attempts: 0,
            cost: NanoUsd(0),
            latency_all: Histogram::coarse(),
        }
    }

    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.successes += other.successes;
        self.within_objective += other.within_objective;
        self.rejections += other.rejections;
        self.attempts += other.attempts;
        self.cost += other.cost;
        self.latency_all.merge(&other.latency_all);
    }
}

/// Fills a timeline.
#[derive(Clone, Debug)]
pub(super) struct Recorder<'a> {
    timeline: Timeline,
    lanes: Lanes<'a>,
    objective: Duration,
    /// By target: its lane, and since when its breaker is not closed.
    targets: Vec<(usize, Option<Timestamp>)>,
    of_arrival: WindowFinder,
    of_dispatch: WindowFinder,
}

/// Finds the window of a time; it remembers the last one, which most likely holds the next too.
#[derive(Clone, Copy, Debug)]
struct WindowFinder {
    length: Duration,
    index: usize,
    start: Timestamp,
}

impl WindowFinder {
    const fn new(length: Duration) -> Self {
        Self {
            length,
            index: 0,
            start: Timestamp::ZERO,
        }
    }

    #[inline]
    fn find(&mut self, at: Timestamp) -> usize {
        if at < self.start || at.since(self.start) >= self.length {
            let length = self.length.as_nanos().max(1);
            let index = at.as_nanos() / length;
            self.index = index as usize;
            self.start = Timestamp::from_nanos(index * length);
        }
        self.index
    }
}

impl<'a> Recorder<'a> {
    /// Empty windows for the whole run.
    pub fn new(setup: &Setup<'a>, pool: &Pool) -> Self {
        let window = setup.timeline_window;
        let count = setup.duration.as_nanos().div_ceil(window.as_nanos().max(1)) as usize;
        let mut lane_targets = vec![0; setup.lanes.count];
        let lane = |target| setup.lanes.of_account[pool.account_of(target).at()];
        let lanes = (0..pool.targets() as u32).map(TargetIndex).map(lane);
        let targets: Vec<_> = lanes.map(|lane| (lane, None)).collect();
        targets
            .iter()
            .for_each(|(lane, _)| lane_targets[*lane] += 1);
        let timeline = Timeline {
            window,
            windows: (0..count).map(|_| Window::new()).collect(),
            dispatches: vec![0; count * setup.lanes.count],
            open_nanos: vec![0; count * setup.lanes.count],
            lane_targets,
        };
        Self {
            timeline,
            lanes: setup.lanes,
            objective: setup.latency_objective,
            targets,
            of_arrival: WindowFinder::new(window),
            of_dispatch: WindowFinder::new(window),
        }
    }

    /// Notes the end of a request, and the latency that it counts with.
    #[inline]
    pub fn request_ended(&mut self, record: &RequestRecord, latency: Duration) {
        let index = self.of_arrival.find(record.arrived);
        let Some(window) = self.timeline.windows.get_mut(index) else {
            return;
        };
        window.requests += 1;
        window.attempts += u64::from(record.attempts);
        window.cost += record.cost;
        window.latency_all.record(latency);
        if record.succeeded() {
            window.successes += 1;
            window.within_objective += u64::from(latency <= self.objective);
        } else {
            window.rejections += u64::from(matches!(record.outcome, Outcome::Rejected(_)));
        }
    }

    /// Notes an attempt.
    #[inline]
    pub fn dispatched(&mut self, now: Timestamp, account: AccountIndex) {
        let lane = self.lanes.of_account[account.at()];
        let window = self.of_dispatch.find(now);
        if window < self.timeline.windows.len() {
            self.timeline.dispatches[window * self.lanes.count + lane] += 1;
        }
    }

    /// Notes a breaker that changed state.
    pub fn transition(&mut self, target: TargetIndex, transition: Transition) {
        let (lane, since) = &mut self.targets[target.at()];
        if transition.to != BreakerState::Closed {
            since.get_or_insert(transition.at);
        } else if let Some(start) = since.take() {
            let lane = *lane;
            self.not_closed_between(lane, start, transition.at);
        }
    }

    fn not_closed_between(&mut self, lane: usize, start: Timestamp, end: Timestamp) {
        let window = self.timeline.window.as_nanos().max(1);
        let mut from = start.as_nanos();
        while from < end.as_nanos() {
            let index = (from / window) as usize;
            let to = (from / window + 1)
                .saturating_mul(window)
                .min(end.as_nanos());
            if index >= self.timeline.windows.len() {
                return;
            }
            self.timeline.open_nanos[index * self.lanes.count + lane] += to - from;
            from = to;
        }
    }

    /// The timeline of the run, which ended at `end`.
    pub fn finish(mut self, end: Timestamp) -> Timeline {
        for target in 0..self.targets.len() {
            if let (lane, Some(start)) = self.targets[target] {
                self.not_closed_between(lane, start, end);
            }
        }
        self.timeline
    }
}
