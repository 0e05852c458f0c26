//! How measures run over the values of a sweep's only parameter, for texts.
//!
//! The first value against the last would say nothing of what lies between, and a sawtooth would
//! look like a trend. So every value is compared with every other, paired by replication, and the
//! steps from each to the next say whether it goes one way.

use super::charts::{Measure, positions};
use super::sample;
use crate::experiment::metric::Better;
use crate::experiment::sweep::SweepResults;
use crate::report::number::derived;
use crate::stats::best::{Good, apart, candidates};
use crate::stats::mean::{Estimate, difference, estimate};

/// One measure of one strategy over the values.
pub struct Course {
    /// The measure, with its unit.
    pub label: String,
    /// Its level at the value that the others are compared with.
    pub level: Estimate,
    /// The best of the values.
    pub best: Extreme,
    /// The worst.
    pub worst: Extreme,
    /// Which way it goes.
    pub way: Way,
    /// Other strategies for which it goes the same way, and to which the measure applies.
    pub others: (usize, usize),
}

/// The best, or the worst, of the values.
pub struct Extreme {
    /// Those that may be it, in their order.
    pub values: Vec<String>,
    /// Where it is a single one: its change from the value that the others are compared with;
    /// `None` if it is that value.
    pub change: Option<Estimate>,
}

/// Which way a measure goes as the value rises. Differences count that are more than chance, all
/// of them taken together, and show at four digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// No two values are told apart.
    Nowhere,
    /// Some are, but the least and the greatest are not, or not the way of every step.
    NoTrend,
    /// The greatest value has more than the least, and no step leads down.
    Up,
    /// It has less, and no step leads up.
    Down,
    /// Some steps lead up, some down.
    UpAndDown,
}

/// A number to four significant digits.
#[must_use]
pub fn four_digits(number: f64) -> String {
    let rounded = format!("{number:.3e}").parse();
    derived(rounded.unwrap_or(number))
}

/// The place of the value that the others are compared with: the scenario's own, or the first.
#[must_use]
pub fn reference(results: &SweepResults) -> usize {
    results.own.unwrap_or(0)
}

/// The strategy that the courses are told of: the baseline of the first cell.
#[must_use]
pub fn told_strategy(results: &SweepResults) -> Option<&str> {
    let first = results.cells.first()?;
    Some(&first.arms.get(first.baseline)?.name)
}

/// The courses of all charted measures that are good or bad, for one strategy. Empty for several
/// parameters, where the seed is varied, or with a single value.
#[must_use]
pub fn courses(results: &SweepResults, strategy: &str) -> Vec<Course> {
    let mut cells = results.cells.iter();
    let paired = cells.all(|cell| cell.seed == results.cells[0].seed);
    if results.axes.len() != 1 || results.cells.len() < 2 || !paired {
        return vec![];
    }
    let measures = Measure::all(results).into_iter();
    measures
        .filter_map(|measure| course(results, &measure, strategy))
        .collect()
}

fn course(results: &SweepResults, measure: &Measure, strategy: &str) -> Option<Course> {
    let (good, bad) = match measure.better {
        Better::Higher => (Good::High, Good::Low),
        Better::Lower => (Good::Low, Good::High),
        Better::Neither => return None,
    };
    let own = samples(results, measure, strategy)?;
    let reference = reference(results);
    let extreme = |good: Good| {
        let mut left = candidates(&own, good, alike);
        left.sort_unstable();
        let change = match left[..] {
            [only] if only != reference => difference(&own[only], &own[reference]),
            _ => None,
        };
        let value = |at: usize| results.axes[0].1[at].clone();
        Extreme {
            values: left.into_iter().map(value).collect(),
            change,
        }
    };
    let towards = way(results, &own);
    let arms = sample::arms(results).into_iter();
    let others: Vec<Way> = arms
        .filter(|arm| arm.name != strategy)
        .filter_map(|arm| Some(way(results, &samples(results, measure, &arm.name)?)))
        .collect();
    let same = others.iter().filter(|&&way| way == towards).count();
    Some(Course {
        label: measure.label.to_owned(),
        level: estimate(&own[reference])?,
        best: extreme(good),
        worst: extreme(bad),
        way: towards,
        others: (same, others.len()),
    })
}

/// A measure of a strategy in all cells; `None` if it does not apply to all replications of all.
fn samples(results: &SweepResults, measure: &Measure, strategy: &str) -> Option<Vec<Vec<f64>>> {
    let cells = results.cells.iter();
    let samples: Option<Vec<Vec<f64>>> = cells
        .map(|cell| Some(measure.sample(sample::arm(cell, strategy)?)))
        .collect();
    samples.filter(|samples| {
        let whole = |sample: &Vec<f64>| {
            !sample.is_empty()
                && sample.len() == samples[0].len()
                && sample.iter().all(|x| x.is_finite())
        };
        samples.iter().all(whole)
    })
}

fn alike(a: f64, b: f64) -> bool {
    four_digits(a) == four_digits(b)
}

fn way(results: &SweepResults, samples: &[Vec<f64>]) -> Way {
    let places = positions(&results.axes[0].1);
    let mut order: Vec<usize> = (0..samples.len()).collect();
    order.sort_by(|&a, &b| places[a].total_cmp(&places[b]));
    // As many steps as there are values but one, and the whole way.
    let step = |from: usize, to: usize| {
        let (from, to) = (&samples[from], &samples[to]);
        let (before, after) = (estimate(from)?.mean, estimate(to)?.mean);
        let counts = apart(from, to, samples.len()) && !alike(before, after);
        counts.then_some(after > before)
    };
    let steps = || order.windows(2).filter_map(|pair| step(pair[0], pair[1]));
    let (up, down) = (steps().any(|up| up), steps().any(|up| !up));
    let whole = order.first().zip(order.last());
    let even = [Good::High, Good::Low]
        .iter()
        .all(|&good| candidates(samples, good, alike).len() == samples.len());
    match (
        up,
        down,
        whole.and_then(|(&first, &last)| step(first, last)),
    ) {
        (true, true, _) => Way::UpAndDown,
        (_, false, Some(true)) => Way::Up,
        (false, _, Some(false)) => Way::Down,
        (false, false, None) if even => Way::Nowhere,
        _ => Way::NoTrend,
    }
}

/// Names of the two charts that say most: success and, where there are faults, time to restore,
/// else P99. Fewer where they are not drawn.
#[must_use]
pub fn two_charts(results: &SweepResults) -> Vec<String> {
    if super::without_charts(results).is_some() || results.axes.len() > 2 {
        return vec![];
    }
    let names: Vec<String> = Measure::all(results).into_iter().map(|m| m.name).collect();
    let wanted = ["success_rate", "time_to_restore_1", "latency_all_p99_s"];
    let drawn = wanted
        .iter()
        .filter(|&&name| names.iter().any(|known| known == name));
    drawn.take(2).map(|&name| name.to_owned()).collect()
}
