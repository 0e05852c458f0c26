//! Guards: ways in which honest arithmetic misleads, each looked for before a verdict is given.

use super::{Cautions, Decision, Pair, Reason, Series};
use crate::experiment::metric::{Metric, Population};
use crate::experiment::results::{Counts, ReplicationResults};
use crate::stats::alpha::Alpha;
use crate::stats::mean;
use crate::stats::sign::Signs;

/// Numbers that must lie beyond a quantile in each replication: with fewer, the quantile is decided
/// by a handful of requests, and is biased.
const BEYOND: f64 = 100.0;

/// Success rates that differ by more make times over successes incomparable: 0.1 points.
pub(in crate::experiment) const SURVIVORS: f64 = 0.001;

/// Whether there is anything to judge at all.
pub(super) fn before(pair: &Pair) -> Option<Reason> {
    let metric = pair.claim.metric;
    [&pair.a, &pair.b]
        .into_iter()
        .find_map(|series| missing(metric, series).or_else(|| too_few(metric, series)))
}

/// Whether it would be a fair comparison.
pub(super) fn fairness(pair: &Pair) -> Option<Reason> {
    let metric = pair.claim.metric;
    let mut both = [&pair.a, &pair.b].into_iter();
    both.find_map(|series| meaningless(metric, series))
        .or_else(|| survivors(pair))
}

/// Whether the world is one in which the metric has no mean to speak of.
pub(super) fn meaningless(metric: Metric, series: &Series) -> Option<Reason> {
    let Cautions {
        overloaded,
        heavy_tail,
    } = &series.cautions;
    let heavy = *heavy_tail && metric.is_latency() && metric.tail().is_none();
    let overloaded = overloaded.clone().filter(|_| metric.depends_on_queues());
    overloaded.or_else(|| heavy.then_some(Reason::HeavyTail))
}

/// Whether the t test decided one way, and the signs of the replications the other.
pub(super) fn signs_contradict(forms: &[Vec<f64>], decision: Decision, alpha: Alpha) -> bool {
    let says = |form: &Vec<f64>| Signs::of(form).mostly_positive(alpha);
    match decision {
        Decision::Holds => forms.iter().any(|form| says(form) == Some(false)),
        Decision::Fails => forms.iter().all(|form| says(form) == Some(true)),
        Decision::Open => false,
    }
}

/// A replication in which the metric does not apply. Judging by the others would favour the
/// strategy that answered only when it was easy.
pub(super) fn missing(metric: Metric, series: &Series) -> Option<Reason> {
    let all = series.replications;
    let at = all.iter().position(|r| !r.metrics[metric].is_finite())?;
    Some(Reason::NothingMeasured {
        strategy: series.name.to_owned(),
        replication: at,
        no_success: all[at].counts.requests > 0 && all[at].counts.successes == 0,
    })
}

/// A replication with too few numbers for the quantile.
pub(super) fn too_few(metric: Metric, series: &Series) -> Option<Reason> {
    let needed = (BEYOND / metric.tail()?).round() as u64;
    let samples = series.replications.iter();
    let least = samples
        .map(|r| count(metric.population(), &r.counts))
        .min()?;
    (least < needed).then(|| Reason::TooFewSamples {
        strategy: series.name.to_owned(),
        samples: least,
        needed,
    })
}

const fn count(population: Population, counts: &Counts) -> u64 {
    match population {
        Population::Requests => counts.requests,
        Population::Successes => counts.successes,
        Population::Streaming => counts.streaming,
        Population::StreamingSuccesses => counts.streaming_successes,
    }
}

fn survivors(pair: &Pair) -> Option<Reason> {
    if !pair.claim.metric.leaves_failures_out() || !pair.claim.compares() {
        return None;
    }
    let rates = |series: &Series| -> Vec<f64> {
        let rate = |r: &ReplicationResults| r.metrics[Metric::SuccessRate];
        series.replications.iter().map(rate).collect()
    };
    let difference = mean::difference(&rates(&pair.a), &rates(&pair.b))?.mean;
    (difference.abs() > SURVIVORS).then_some(Reason::Survivors { difference })
}
