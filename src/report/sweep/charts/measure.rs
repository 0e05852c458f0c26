//! What is charted: a dozen of the metrics, and the time until each fault is over.

use crate::experiment::metric::{Better, Metric};
use crate::experiment::sweep::{ArmSample, CellResults, SweepResults};
use crate::report::sweep::sample;
use crate::stats::Bounds;
use crate::stats::mean::{Estimate, difference, estimate};

/// Metrics that get a chart; `sweep.csv` has all.
const CHARTED: [(Metric, &str, f64); 9] = [
    (Metric::SuccessRate, "success rate, %", 100.0),
    (Metric::Goodput, "goodput, requests per second", 1.0),
    (Metric::LatencyP50All, "P50 of all requests, s", 1.0),
    (Metric::LatencyP99All, "P99 of all requests, s", 1.0),
    (Metric::FirstTokenP99All, "P99 to the first token, s", 1.0),
    (
        Metric::CostPer1kSuccesses,
        "cost per 1,000 successes, $",
        1.0,
    ),
    (
        Metric::WastedCostShare,
        "cost that bought nothing, %",
        100.0,
    ),
    (
        Metric::RetryAmplification,
        "attempts per attempted request",
        1.0,
    ),
    (Metric::BreakerOpenTime, "time with open breakers, s", 1.0),
];

/// Most faults whose times are charted.
const MOST_FAULTS: usize = 3;

/// A measure.
pub(in crate::report::sweep) struct Measure {
    /// Name of its file.
    pub(in crate::report::sweep) name: String,
    /// What it is, with its unit, short enough for an axis.
    pub(in crate::report::sweep) label: &'static str,
    /// What it is, in full, for a title.
    pub(super) title: String,
    /// Which direction is good.
    pub(in crate::report::sweep) better: Better,
    kind: Kind,
}

enum Kind {
    /// A metric, times a factor.
    Metric(Metric, f64),
    /// Time to restore after the fault of this number.
    Restore(usize),
}

impl Measure {
    /// The measures that apply somewhere.
    pub(in crate::report::sweep) fn all(results: &SweepResults) -> Vec<Self> {
        let metrics = CHARTED.iter().map(|&(metric, label, factor)| Self {
            name: metric.to_string(),
            label,
            title: capital(label),
            better: metric.better(),
            kind: Kind::Metric(metric, factor),
        });
        let mut arms = results.cells.iter().flat_map(|cell| &cell.arms);
        let faults = arms.next().map_or(&[][..], |arm| &arm.faults);
        let restore = faults
            .iter()
            .take(MOST_FAULTS)
            .enumerate()
            .map(|(at, fault)| Self {
                name: format!("time_to_restore_{}", at + 1),
                label: "time to restore, s",
                title: format!("Time to restore after the {}, s,", fault.name),
                better: Better::Lower,
                kind: Kind::Restore(at),
            });
        let applies = |measure: &Self| {
            let mut arms = results.cells.iter().flat_map(|cell| &cell.arms);
            arms.any(|arm| measure.level(arm).is_some())
        };
        metrics.chain(restore).filter(applies).collect()
    }

    /// Its mean in a cell; `None` where it does not apply, or a time was not over while watched.
    pub(super) fn level(&self, arm: &ArmSample) -> Option<Estimate> {
        match self.kind {
            Kind::Metric(metric, factor) => {
                Some(sample::mean(arm, metric)?.map(|mean| mean * factor))
            }
            Kind::Restore(fault) => {
                let times = estimate(&arm.faults.get(fault)?.restore)?;
                Some(times.within(Bounds::NOT_NEGATIVE))
            }
        }
    }

    /// Its values by replication.
    pub(in crate::report::sweep) fn sample(&self, arm: &ArmSample) -> Vec<f64> {
        match self.kind {
            Kind::Metric(metric, factor) => {
                let sample = sample::sample(arm, metric);
                sample.into_iter().map(|value| value * factor).collect()
            }
            Kind::Restore(fault) => {
                let fault = arm.faults.get(fault);
                fault.map_or_else(Vec::new, |fault| fault.restore.clone())
            }
        }
    }

    /// Its change from the same arm in another cell.
    pub(super) fn change(
        &self,
        cell: &CellResults,
        arm: &ArmSample,
        reference: &CellResults,
    ) -> Option<Estimate> {
        match self.kind {
            Kind::Metric(metric, factor) => {
                let change = sample::against(cell, arm, reference, metric)?;
                Some(change.map(|change| change * factor))
            }
            Kind::Restore(fault) => {
                let other = sample::arm(reference, &arm.name)?;
                let of = |arm: &ArmSample| Some(arm.faults.get(fault)?.restore.clone());
                let same_world = cell.seed == reference.seed;
                same_world.then(|| difference(&of(arm)?, &of(other)?))?
            }
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}
