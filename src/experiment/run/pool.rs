//! Adding replications up.

use super::{Cell, measure};
use crate::experiment::results::{
    AccountTotals, FaultImpact, LatencyHistograms, SegmentTotals, StrategyResults,
};
use crate::experiment::scenario::{Arm, Scenario};
use crate::histogram::Histogram;
use crate::record::Strategy;
use crate::request::{FailureKind, Provider, RequestPriority};
use crate::routing::statistics::{Dimension, Segment, Statistics};
use crate::sim::Run;
use crate::time::Duration;
use crate::units::NanoUsd;

/// Cells that have come in, pooled as far as they are complete.
pub(super) struct Pooled<'a> {
    scenario: &'a Scenario,
    strategies: Vec<StrategyResults>,
    segments: Vec<Vec<(Dimension, usize, Segment)>>,
    /// Cells of replications that are not complete yet, `pending[replication - done][arm]`.
    pending: Vec<Vec<Option<Cell>>>,
    first: u32,
    /// Number of the first replication that is not complete.
    done: u32,
}

impl<'a> Pooled<'a> {
    /// Nothing has come in yet; the replication of this number is the first to come.
    pub fn new(scenario: &'a Scenario, first: u32) -> Self {
        Self {
            scenario,
            strategies: scenario
                .arms
                .iter()
                .map(|arm| empty(scenario, arm))
                .collect(),
            segments: scenario.arms.iter().map(|_| vec![]).collect(),
            pending: vec![],
            first,
            done: first,
        }
    }

    /// Number of the first replication that is not complete.
    pub const fn next_replication(&self) -> u32 {
        self.done
    }

    /// Takes a cell in, and pools every replication that is complete by it.
    pub fn add(&mut self, arm: usize, replication: u32, cell: Cell) {
        let row = (replication - self.done) as usize;
        while self.pending.len() <= row {
            self.pending
                .push(self.strategies.iter().map(|_| None).collect());
        }
        self.pending[row][arm] = Some(cell);
        while self
            .pending
            .first()
            .is_some_and(|row| row.iter().all(Option::is_some))
        {
            let row = self.pending.remove(0);
            for (arm, cell) in row.into_iter().flatten().enumerate() {
                self.pool(arm, cell);
            }
            self.done += 1;
        }
    }

    fn pool(&mut self, arm: usize, cell: Cell) {
        let Cell {
            run,
            requests,
            incidents,
        } = cell;
        let results = &mut self.strategies[arm];
        results
            .replications
            .push(measure::replication(self.scenario, &run));
        add_latency(&mut results.latency, &run.statistics);
        add_accounts(&mut results.accounts, &run);
        add_segments(&mut self.segments[arm], &run.statistics);
        add_faults(&mut results.faults, &run, &incidents);
        if self.done == self.first {
            results.breaker_spans = run.breaker_spans;
            results.timeline = run.timeline;
            results.requests = requests;
        } else {
            results.timeline.merge(&run.timeline);
        }
    }

    /// The results of the complete replications, by strategy.
    pub fn finish(mut self, scenario: &Scenario) -> Vec<StrategyResults> {
        for (results, segments) in self.strategies.iter_mut().zip(self.segments) {
            results.segments = name_segments(scenario, segments);
        }
        self.strategies
    }
}

fn empty(scenario: &Scenario, arm: &Arm) -> StrategyResults {
    let account = || AccountTotals {
        attempts: 0,
        successes: 0,
        failed_attempts: [0; FailureKind::ALL.len()],
        input_tokens: 0,
        output_tokens: 0,
        cost: NanoUsd(0),
        latency: Histogram::coarse(),
        breaker_openings: 0,
        breaker_open: Duration::ZERO,
        cooling: Duration::ZERO,
        disabled: 0,
    };
    StrategyResults {
        name: arm.name.clone(),
        strategy: arm.routing.strategy,
        replications: vec![],
        latency: LatencyHistograms {
            ok: Histogram::fine(),
            all: Histogram::fine(),
            first_token_ok: Histogram::fine(),
            first_token_all: Histogram::fine(),
        },
        timeline: crate::sim::Timeline {
            window: scenario.output.timeline_window,
            windows: vec![],
            dispatches: vec![],
            open_nanos: vec![],
            lane_targets: vec![],
        },
        accounts: scenario.accounts.iter().map(|_| account()).collect(),
        segments: vec![],
        faults: vec![FaultImpact::default(); scenario.faults.len()],
        breaker_spans: vec![],
        requests: vec![],
    }
}

fn add_latency(sum: &mut LatencyHistograms, statistics: &Statistics) {
    let latency = statistics.latency();
    sum.ok.merge(&latency.ok.histogram);
    sum.all.merge(&latency.all.histogram);
    sum.first_token_ok.merge(&latency.first_token_ok.histogram);
    sum.first_token_all
        .merge(&latency.first_token_all.histogram);
}

fn add_accounts(sums: &mut [AccountTotals], run: &Run) {
    let learned = run.breakers.iter().zip(&run.cool_downs);
    for ((sum, account), (breaker, (cooling, disabled))) in
        sums.iter_mut().zip(run.statistics.accounts()).zip(learned)
    {
        sum.attempts += account.attempts;
        sum.successes += account.successes;
        for (sum, count) in sum.failed_attempts.iter_mut().zip(account.failures) {
            *sum += count;
        }
        sum.input_tokens += account.input_tokens;
        sum.output_tokens += account.output_tokens;
        sum.cost += account.cost;
        sum.latency.merge(&account.latency);
        sum.breaker_openings += breaker.openings;
        sum.breaker_open += breaker.open;
        sum.cooling += *cooling;
        sum.disabled += disabled;
    }
}

fn add_faults(sums: &mut [FaultImpact], run: &Run, incidents: &[u64]) {
    for (sum, count) in sums.iter_mut().zip(incidents) {
        sum.incidents += count;
    }
    for seen in &run.faults {
        let Some(sum) = sums.get_mut(seen.fault as usize) else {
            continue;
        };
        sum.watched += 1;
        sum.detect.extend(seen.detect);
        sum.mitigate.extend(seen.mitigate);
        sum.restore.extend(seen.restore);
        let during = Some(seen.success_rate_during).filter(|rate| !rate.is_nan());
        sum.success_rate_during.extend(during);
    }
}

const DIMENSIONS: [(Dimension, &str); 5] = [
    (Dimension::Priority, "priority"),
    (Dimension::Provider, "provider"),
    (Dimension::Region, "region"),
    (Dimension::Model, "model"),
    (Dimension::Strategy, "strategy"),
];

fn add_segments(sums: &mut Vec<(Dimension, usize, Segment)>, statistics: &Statistics) {
    for (dimension, _) in DIMENSIONS {
        for (value, segment) in statistics.by(dimension) {
            match sums
                .iter_mut()
                .find(|(d, v, _)| (*d, *v) == (dimension, value))
            {
                Some((_, _, sum)) => sum.add(&segment),
                None => sums.push((dimension, value, segment)),
            }
        }
    }
}

/// Segments in the order of their dimensions and values, with names in place of indices.
fn name_segments(
    scenario: &Scenario,
    mut segments: Vec<(Dimension, usize, Segment)>,
) -> Vec<SegmentTotals> {
    segments.sort_by_key(|(dimension, value, _)| (*dimension as usize, *value));
    let named = |(dimension, value, segment): (Dimension, usize, Segment)| SegmentTotals {
        dimension: DIMENSIONS
            .iter()
            .find(|(d, _)| *d == dimension)
            .map_or("", |(_, name)| name),
        value: name_value(scenario, dimension, value),
        requests: segment.requests,
        successes: segment.successes,
        cache_hits: segment.cache_hits,
        coalesced: segment.coalesced,
        input_tokens: segment.input_tokens,
        output_tokens: segment.output_tokens,
        cost: segment.cost,
        latency_all: segment.latency_all,
        first_token_all: segment.first_token_all,
    };
    segments.into_iter().map(named).collect()
}

fn name_value(scenario: &Scenario, dimension: Dimension, value: usize) -> String {
    let name = match dimension {
        Dimension::Priority => RequestPriority::ALL.get(value).map(|v| v.name()),
        Dimension::Provider => Provider::ALL.get(value).map(|v| v.name()),
        Dimension::Strategy => Strategy::ALL.get(value).map(|v| v.name()),
        Dimension::Region => scenario.regions.get(value).map(String::as_str),
        Dimension::Model => scenario.models.get(value).map(String::as_str),
    };
    let none = if dimension == Dimension::Region {
        "unknown"
    } else {
        "none"
    };
    name.unwrap_or(none).to_owned()
}
